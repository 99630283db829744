use std::sync::Arc;
use std::time::Duration;

use roster_domain::ports::{EventLog, EventLogError};
use roster_domain::{Position, chain};
use tokio::sync::watch;
use tokio::time::sleep;

use super::wake::Wake;
use crate::outage::Outage;

/// How often committed events are looked for that other programs on the same database wrote.
const POLL: Duration = Duration::from_millis(100);

/// How long commits are gathered before they get positions together.
const GATHER: Duration = Duration::from_millis(5);

/// Gives committed events their positions in the feed, and tells the newest. It may run in any number of
/// programs on one database.
pub(super) struct Sequencer {
    pub(super) events: Arc<dyn EventLog>,
    pub(super) wake: Wake,
    pub(super) newest: watch::Sender<Position>,
}

impl Sequencer {
    /// Runs until it is told that there are no commits any more, and then once again.
    pub(super) async fn run(self, mut flush: watch::Receiver<bool>) {
        let mut outage = Outage::of("events get their positions");
        loop {
            let is_last = *flush.borrow();
            match self.sequence().await {
                Ok(()) => outage.is_over(),
                Err(error) => outage.failed(chain(&error)),
            }
            if is_last {
                return;
            }
            sleep(GATHER).await;
            tokio::select! {
                () = self.wake.committed() => {}
                () = sleep(POLL) => {}
                _ = flush.changed() => {}
            }
        }
    }

    async fn sequence(&self) -> Result<(), EventLogError> {
        self.events.sequence().await?;
        let newest = self.events.newest().await?;
        self.newest.send_if_modified(|told| {
            let is_newer = newest > *told;
            *told = newest.max(*told);
            is_newer
        });
        Ok(())
    }
}
