use std::sync::Arc;
use std::time::Duration;

use roster_domain::ports::EventSource;
use roster_domain::services::InboundService;
use tokio::sync::watch;
use tokio::time::sleep;

/// Takes in events of others while this program has the lead, so that one program does, and keeps their order.
pub(super) struct Consumer {
    pub(super) source: Arc<dyn EventSource>,
    pub(super) inbound: InboundService,
    pub(super) leads: watch::Receiver<Option<Duration>>,
}

impl Consumer {
    /// Runs until it is told to stop, and then finishes what it has in hand.
    pub(super) async fn run(mut self, flush: watch::Receiver<bool>) {
        loop {
            let mut leads = self.leads.clone();
            let overlap = tokio::select! {
                Ok(lead) = self.leads.wait_for(Option::is_some) => lead.unwrap_or_default(),
                () = told(flush.clone()) => return,
                else => return,
            };
            let lost = async {
                let _ = leads.wait_for(Option::is_none).await;
            };
            let consumed = async {
                // Whoever led before may not have noticed yet, and still be at some event.
                sleep(overlap).await;
                self.source.run(self.inbound.clone(), Box::pin(told(flush.clone()))).await;
            };
            tokio::select! {
                () = consumed => {}
                // At once: what is in hand was not acknowledged, and comes again to whoever leads now.
                () = lost => {}
            }
            if *flush.borrow() {
                return;
            }
        }
    }
}

/// Ends once it is told to flush.
async fn told(mut flush: watch::Receiver<bool>) {
    let _ = flush.wait_for(|flush| *flush).await;
}
