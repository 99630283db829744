use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use metrics::{counter, gauge};
use roster_domain::ports::{Clock, Lead, Outbox};
use roster_domain::services::{RelayService, Relayed};
use roster_domain::{Position, chain};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use super::NewestPosition;
use crate::outage::Outage;

/// How often somebody who stands by asks for the lead, and whoever has it looks whether that still is so.
const LOOK: Duration = Duration::from_millis(500);

/// How often whoever leads looks what there is to publish, though nothing woke it.
const POLL: Duration = Duration::from_secs(1);

/// The pauses between attempts at what fails: the first, and the longest of those that come after it.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// How long whoever leads goes on where the broker takes nothing, before somebody else may try: the first time, and at
/// the most. Each time that nobody else did better, it is twice as long.
const PATIENCE: Duration = Duration::from_secs(10);
const MOST_PATIENCE: Duration = Duration::from_secs(600);

/// For how long whoever led in vain does not ask for the lead, so that whoever stands by has it first.
const STAND_BACK: Duration = LOOK.saturating_mul(4);

/// Publishes events while it has the lead among all programs on one database.
pub(super) struct Relay {
    pub(super) service: RelayService,
    pub(super) outbox: Arc<dyn Outbox>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) newest: NewestPosition,
    /// Told of the lead, with how long whoever had it before may believe to have it still.
    pub(super) leading: watch::Sender<Option<Duration>>,
}

impl Relay {
    /// Runs until it is told that there is nothing new any more, and until what there is was published.
    pub(super) async fn run(mut self, mut flush: watch::Receiver<bool>) {
        let mut outage = Outage::of("the store says who publishes events");
        let mut patience = PATIENCE;
        while !*flush.borrow() {
            let mut pause = LOOK;
            match self.outbox.lead().await {
                Ok(Some(lead)) => {
                    outage.is_over();
                    match self.lead(lead, &mut flush, &mut patience).await {
                        Ended::InVain => {
                            (patience, pause) = ((patience * 2).min(MOST_PATIENCE), STAND_BACK);
                        }
                        Ended::Flushed => none_wait(),
                        // As long as nobody else has it, what waits does so still.
                        Ended::Lost => {}
                    }
                }
                Ok(None) => {
                    outage.is_over();
                    none_wait();
                }
                Err(error) => failed(&mut outage, chain(&error)),
            }
            tokio::select! {
                () = sleep(pause) => {}
                _ = flush.changed() => {}
            }
        }
    }

    /// Publishes until the lead is lost, it is in vain, or there is nothing new any more.
    async fn lead(
        &mut self,
        mut lead: Box<dyn Lead>,
        flush: &mut watch::Receiver<bool>,
        patience: &mut Duration,
    ) -> Ended {
        info!("publishing events");
        gauge!("roster_relay_leads").set(1.0);
        self.leading.send_replace(Some(lead.overlap()));
        let lost = async {
            while lead.is_held().await {
                sleep(LOOK).await;
            }
        };
        let ended = tokio::select! {
            ended = publish(&self.service, &*self.clock, &mut self.newest, flush, patience) => ended,
            () = lost => Ended::Lost,
        };
        match ended {
            Ended::Lost => warn!("the lead is lost: somebody else may publish events"),
            Ended::InVain => warn!("the broker took no event for {patience:?}: somebody else may try"),
            Ended::Flushed => {}
        }
        self.leading.send_replace(None);
        gauge!("roster_relay_leads").set(0.0);
        ended
    }
}

/// Why somebody leads no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Lost,
    /// The broker takes nothing from here.
    InVain,
    /// There is nothing new any more.
    Flushed,
}

/// Publishes until there is nothing new any more and what there is was published; or until the broker failed all the
/// time for longer than there is patience.
async fn publish(
    service: &RelayService,
    clock: &dyn Clock,
    newest: &mut NewestPosition,
    flush: &mut watch::Receiver<bool>,
    patience: &mut Duration,
) -> Ended {
    let (mut broker, mut store) = (Outage::of("events are published"), Outage::of("the outbox is read"));
    let mut pausing = pauses();
    let mut failing_since = None;
    loop {
        let is_last = *flush.borrow();
        let relayed = if failing_since.is_some() { service.relay_one().await } else { service.relay().await };
        let pause = match relayed {
            Ok(relayed) => {
                store.is_over();
                tell(&relayed);
                measure(&relayed, clock, *newest.borrow());
                if let Some(failure) = &relayed.failure {
                    failed(&mut broker, chain(&**failure));
                    if failing_since.get_or_insert_with(Instant::now).elapsed() > *patience {
                        return Ended::InVain;
                    }
                    Some(pausing.next().unwrap_or(LONGEST))
                } else {
                    broker.is_over();
                    (pausing, failing_since) = (pauses(), None);
                    if relayed.published > 0 {
                        *patience = PATIENCE;
                    }
                    (!relayed.more).then_some(POLL)
                }
            }
            Err(error) => {
                failed(&mut store, chain(&error));
                Some(pausing.next().unwrap_or(LONGEST))
            }
        };
        let Some(pause) = pause else { continue };
        if is_last {
            return Ended::Flushed;
        }
        let is_failing = pause != POLL;
        tokio::select! {
            () = sleep(pause) => {}
            Ok(()) = newest.changed(), if !is_failing => {}
            Ok(()) = flush.changed() => {}
        }
    }
}

/// Tells of an attempt that failed, and counts it.
fn failed(outage: &mut Outage, cause: String) {
    outage.failed(cause);
    counter!("roster_relay_failures_total").increment(1);
}

fn pauses() -> ExponentialBackoff {
    let pauses = ExponentialBuilder::default().with_min_delay(FIRST).with_max_delay(LONGEST);
    pauses.without_max_times().build()
}

fn tell(relayed: &Relayed) {
    counter!("roster_events_published_total").increment(relayed.published as u64);
    counter!("roster_events_set_aside_total").increment(relayed.set_aside.len() as u64);
    for event in &relayed.set_aside {
        error!(position = %event.position, reason = event.reason, "an event is set aside: the broker refused it");
    }
}

const UNPUBLISHED: &str = "roster_events_unpublished";
const OLDEST: &str = "roster_events_oldest_unpublished_seconds";

/// Of those that wait for another program, that one tells.
fn none_wait() {
    gauge!(UNPUBLISHED).set(0.0);
    gauge!(OLDEST).set(0.0);
}

/// How many events are yet to be published, and how old the oldest of them is, at the most: that of a drain is told
/// by the last event that went out. The store is not asked for it, which has enough to do while there is a backlog.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn measure(relayed: &Relayed, clock: &dyn Clock, newest: Position) {
    let waiting = relayed.up_to.map_or(0, |up_to| newest.get().saturating_sub(up_to.get()).max(0));
    gauge!(UNPUBLISHED).set(waiting as f64);
    let oldest = relayed.looked_at.filter(|_| waiting > 0);
    let age = oldest.map_or(0, |time| clock.now().as_micros() - time.as_micros());
    gauge!(OLDEST).set(age.max(0) as f64 / 1e6);
}
