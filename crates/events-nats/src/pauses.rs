use std::time::Duration;

/// The longest of all pauses.
const LONGEST: Duration = Duration::from_secs(5);

/// Pauses between attempts, each twice as long as the one before.
pub(crate) struct Pauses {
    next: Duration,
}

impl Pauses {
    pub(crate) fn from(first: Duration) -> Self {
        Self { next: first }
    }

    /// How long to wait now.
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST);
        pause
    }
}
