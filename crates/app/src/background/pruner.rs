use std::sync::Arc;
use std::time::Duration;

use roster_domain::ports::{Clock, EventLog, EventLogError, Outbox};
use roster_domain::{Timestamp, chain};
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
    /// The events of which nobody is told, where there is no broker: they are forgotten, too.
    pub(super) unheard: Option<Arc<dyn EventLog>>,
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
        // What is passed over goes the next time.
        match &self.unheard {
            Some(events) => self.pass_over(&**events, self.clock.now().minus(self.retention)).await,
            None => Ok(()),
        }
    }

    /// Moves the mark over events that are to be forgotten, and over no others: whoever has a broker one day tells it
    /// of them. Where another program has one already it has the lead, and the mark is left to it.
    async fn pass_over(&self, events: &dyn EventLog, before: Timestamp) -> Result<(), EventLogError> {
        let Some(mut lead) = self.outbox.lead().await? else { return Ok(()) };
        let mut mark = self.outbox.published().await?;
        while lead.is_held().await {
            let next = events.read(mark, BATCH).await?;
            let Some(last) = next.iter().take_while(|event| event.time < before).last() else {
                return Ok(());
            };
            self.outbox.mark_published(mark, last.position, Vec::new()).await?;
            mark = last.position;
            sleep(BREATH).await;
        }
        Ok(())
    }
}
