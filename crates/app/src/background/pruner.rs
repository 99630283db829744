use std::sync::Arc;
use std::time::Duration;

use roster_domain::chain;
use roster_domain::ports::{Clock, EventLogError, Outbox};
use tokio::time::sleep;
use tracing::info;

use crate::outage::Outage;

/// How many rows are removed at once.
const BATCH: usize = 1_000;

/// How long others have the store to themselves between two batches.
const BREATH: Duration = Duration::from_millis(50);

/// How often there is something to remove, at the most.
const EVERY: Duration = Duration::from_secs(60);

/// Forgets published events after a time, and receipts that have expired, in small batches.
pub(super) struct Pruner {
    pub(super) outbox: Arc<dyn Outbox>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) retention: Duration,
}

impl Pruner {
    /// Runs until it is dropped.
    pub(super) async fn run(self) {
        let mut outage = Outage::of("old events and receipts are removed");
        loop {
            match self.prune().await {
                Ok(()) => outage.is_over(),
                Err(error) => outage.failed(chain(&error)),
            }
            sleep(EVERY.min(self.retention / 10).max(BREATH)).await;
        }
    }

    async fn prune(&self) -> Result<(), EventLogError> {
        let mut events = 0;
        loop {
            let pruned = self.outbox.prune_events(self.clock.now().minus(self.retention), BATCH).await?;
            events += pruned;
            if pruned < BATCH {
                break;
            }
            sleep(BREATH).await;
        }
        if events > 0 {
            info!(events, "old events are removed");
        }
        while self.outbox.prune_receipts(self.clock.now(), BATCH).await? == BATCH {
            sleep(BREATH).await;
        }
        Ok(())
    }
}
