//! What became of requests.

use std::io;
use std::time::Duration;

use super::connection::Response;

/// What became of requests, and how long it took.
#[derive(Default)]
pub(crate) struct Outcomes {
    /// Answered as is right.
    pub(crate) done: Vec<Duration>,
    /// Answered with 503.
    pub(crate) refused: Vec<Duration>,
    /// Anything else.
    pub(crate) failed: Vec<String>,
}

/// What became of one request.
pub(super) enum Outcome {
    Done(Duration),
    Refused(Duration),
    Failed(String),
}

impl Outcome {
    pub(super) fn of(response: &Response<'_>, is_right: bool) -> Self {
        match response.status {
            _ if is_right => Self::Done(response.took),
            503 => Self::Refused(response.took),
            status => Self::Failed(format!("{status} {}", response.body)),
        }
    }
}

impl Outcomes {
    /// How many requests were done in a second.
    pub(crate) fn rate(&self, within: Duration) -> f64 {
        f64::from(u32::try_from(self.done.len()).unwrap_or(u32::MAX)) / within.as_secs_f64()
    }

    pub(super) fn note(&mut self, outcome: io::Result<Outcome>) {
        match outcome {
            Ok(Outcome::Done(took)) => self.done.push(took),
            Ok(Outcome::Refused(took)) => self.refused.push(took),
            Ok(Outcome::Failed(told)) => self.failed.push(told),
            Err(error) => self.failed.push(error.to_string()),
        }
    }
}

impl Extend<Self> for Outcomes {
    fn extend<T: IntoIterator<Item = Self>>(&mut self, others: T) {
        for other in others {
            self.done.extend(other.done);
            self.refused.extend(other.refused);
            self.failed.extend(other.failed);
        }
    }
}

impl FromIterator<Self> for Outcomes {
    fn from_iter<T: IntoIterator<Item = Self>>(all: T) -> Self {
        let mut outcomes = Self::default();
        outcomes.extend(all);
        outcomes
    }
}

/// How long it took at the most for so many of a hundred.
pub(crate) fn percentile(took: &[Duration], of_hundred: usize) -> Duration {
    let mut took = took.to_vec();
    took.sort_unstable();
    let last = took.len().saturating_sub(1);
    took.get(last * of_hundred / 100).copied().unwrap_or_default()
}
