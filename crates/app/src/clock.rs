use chrono::Utc;
use roster_domain::Timestamp;
use roster_domain::ports::Clock;

/// The clock of the machine.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Utc::now().into()
    }
}
