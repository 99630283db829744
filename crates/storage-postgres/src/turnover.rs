//! After a failover, connections to a server that takes no writes any more, or that hangs, are replaced, those too that
//! are in use when it is found out.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::lock::lock;

/// How often connections are replaced at the most, where no server takes writes.
const PAUSE: Duration = Duration::from_secs(1);

/// Since when connections are of use. A clone is the same.
#[derive(Clone, Default)]
pub(crate) struct Turnover(Arc<Mutex<Option<Instant>>>);

impl Turnover {
    /// Those that are open now are of no use.
    pub(crate) fn begin(&self) {
        let mut since = lock(&self.0);
        if since.is_none_or(|since| since.elapsed() >= PAUSE) {
            *since = Some(Instant::now());
        }
    }

    /// Does the same after a while: connections that lead to a standby now may lead to another server by then.
    pub(crate) fn begin_soon(&self) {
        let turnover = self.clone();
        tokio::spawn(async move {
            // One that began while a connection was being opened did not reach it, and is not to keep off this.
            sleep(2 * PAUSE).await;
            turnover.begin();
        });
    }

    /// Those that were opened before are of no use.
    pub(crate) fn begin_at(&self, at: Instant) {
        let mut since = lock(&self.0);
        *since = (*since).max(Some(at));
    }

    /// Whether a connection that was opened then is of no use.
    pub(crate) fn is_past(&self, opened: Instant) -> bool {
        lock(&self.0).is_some_and(|since| opened < since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_opened_before_is_replaced_and_what_was_opened_since_is_not() {
        let turnover = Turnover::default();
        let before = Instant::now();
        assert!(!turnover.is_past(before));
        turnover.begin();
        let since = Instant::now();
        assert!(turnover.is_past(before) && !turnover.is_past(since));
        turnover.begin();
        assert!(!turnover.is_past(since), "not again so soon");
        turnover.begin_at(before);
        assert!(turnover.is_past(before) && !turnover.is_past(since), "it goes on from the newest");
    }
}
