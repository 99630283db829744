use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

/// The longest of all pauses between attempts.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Where the NATS server is, and how much patience there is with it.
#[derive(Clone)]
#[non_exhaustive]
pub struct NatsConfig {
    /// `nats://user:password@host:port`, `nats://token@host:port`, or the same with `tls://`; several servers of
    /// one cluster are set apart by commas.
    pub url: String,
    /// A file of credentials, as `nsc` makes it.
    pub credentials: Option<PathBuf>,
    /// How long the server may take to acknowledge an event, or to answer anything else.
    pub answer_timeout: Duration,
    /// After how long without a sign of life of its consumer the server delivers an event again.
    pub ack_wait: Duration,
    /// The pause after a first failure; each further one is twice as long, up to 5 s.
    pub first_pause: Duration,
}

impl NatsConfig {
    /// The server at `url`: 5 s for an answer, 10 s for a sign of life, pauses from 100 ms.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            credentials: None,
            answer_timeout: Duration::from_secs(5),
            ack_wait: Duration::from_secs(10),
            first_pause: Duration::from_millis(100),
        }
    }
}

impl NatsConfig {
    /// The pauses between attempts at what fails, without end.
    pub(crate) fn pauses(&self) -> impl Iterator<Item = Duration> + use<> {
        let pauses = ExponentialBuilder::default().with_min_delay(self.first_pause);
        pauses.with_max_delay(LONGEST_PAUSE).without_max_times().build()
    }
}

impl fmt::Debug for NatsConfig {
    /// Leaves out the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsConfig").field("ack_wait", &self.ack_wait).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_longest() {
        let pauses = NatsConfig::new("nats://localhost").pauses().take(8);
        let pauses: Vec<_> = pauses.map(|pause| pause.as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
    }
}
