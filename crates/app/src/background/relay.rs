use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, gauge};
use roster_domain::ports::{EventSource, Lead, Outbox};
use roster_domain::services::{InboundService, RelayService, Relayed};
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{error, info, warn};

use super::NewestPosition;
use super::outage::{Outage, chain};
use super::pauses::Pauses;

/// How often somebody who stands by asks for the lead.
const STAND_BY: Duration = Duration::from_millis(500);

/// How often whoever leads looks whether it still does, and what there is to publish, though nothing woke it.
const POLL: Duration = Duration::from_secs(1);

/// Publishes events, and takes in those of others, while it has the lead among all programs on one database.
pub(super) struct Relay {
    pub(super) service: RelayService,
    pub(super) outbox: Arc<dyn Outbox>,
    pub(super) source: Arc<dyn EventSource>,
    pub(super) inbound: InboundService,
    pub(super) newest: NewestPosition,
}

impl Relay {
    /// Runs until it is told that there is nothing new any more, and until what there is was published.
    pub(super) async fn run(mut self, mut flush: watch::Receiver<bool>) {
        let mut outage = Outage::of("the store says who publishes events");
        while !*flush.borrow() {
            match self.outbox.lead().await {
                Ok(Some(lead)) => {
                    outage.is_over();
                    info!("publishing events");
                    gauge!("roster_relay_leads").set(1.0);
                    self.lead(lead, &mut flush).await;
                    gauge!("roster_relay_leads").set(0.0);
                }
                Ok(None) => outage.is_over(),
                Err(error) => outage.failed(chain(&error)),
            }
            tokio::select! {
                () = sleep(STAND_BY) => {}
                _ = flush.changed() => {}
            }
        }
    }

    /// Publishes and consumes until the lead is lost or there is nothing new any more.
    async fn lead(&mut self, mut lead: Box<dyn Lead>, flush: &mut watch::Receiver<bool>) {
        let ended = watch::Sender::new(false);
        let mut end = ended.subscribe();
        let stop = Box::pin(async move {
            let _ = end.wait_for(|ended| *ended).await;
        });
        let mut consumer = pin!(self.source.run(self.inbound.clone(), stop));
        let publishing = publish(&self.service, &self.outbox, &mut self.newest, &mut *lead, flush);
        tokio::select! {
            () = publishing => {}
            () = &mut consumer => return,
        }
        ended.send_replace(true);
        consumer.await;
    }
}

/// Publishes until the lead is lost, or there is nothing new any more and what there is was published.
async fn publish(
    service: &RelayService,
    outbox: &Arc<dyn Outbox>,
    newest: &mut NewestPosition,
    lead: &mut dyn Lead,
    flush: &mut watch::Receiver<bool>,
) {
    let (mut broker, mut store) = (Outage::of("events are published"), Outage::of("the outbox is read"));
    let mut pauses = Pauses::new();
    loop {
        let is_last = *flush.borrow();
        if !lead.is_held().await {
            warn!("the lead is lost: somebody else may publish events");
            return;
        }
        let pause = match service.relay().await {
            Ok(relayed) => {
                store.is_over();
                tell(&relayed);
                if let Some(failure) = &relayed.failure {
                    broker.failed(chain(&**failure));
                    counter!("roster_relay_failures_total").increment(1);
                    Some(pauses.next())
                } else {
                    broker.is_over();
                    pauses = Pauses::new();
                    (!relayed.more).then_some(POLL)
                }
            }
            Err(error) => {
                store.failed(chain(&error));
                Some(pauses.next())
            }
        };
        measure(outbox, newest).await;
        let Some(pause) = pause else { continue };
        if is_last {
            return;
        }
        let is_failing = pause != POLL;
        tokio::select! {
            () = sleep(pause) => {}
            _ = newest.changed(), if !is_failing => {}
            _ = flush.changed() => {}
        }
    }
}

fn tell(relayed: &Relayed) {
    counter!("roster_events_published_total").increment(relayed.published as u64);
    counter!("roster_events_set_aside_total").increment(relayed.set_aside.len() as u64);
    for event in &relayed.set_aside {
        error!(position = %event.position, reason = event.reason, "an event is set aside: the broker refused it");
    }
}

/// How many events are yet to be published.
async fn measure(outbox: &Arc<dyn Outbox>, newest: &NewestPosition) {
    if let Ok(published) = outbox.published().await {
        let waiting = newest.borrow().get().saturating_sub(published.get()).max(0);
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        gauge!("roster_events_unpublished").set(waiting as f64);
    }
}
