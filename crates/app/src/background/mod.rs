//! What runs beside requests: each loop in a file of its own.
//!
//! A write wakes the sequencer, which gives committed events their positions and tells the newest. That wakes the
//! relay, which publishes them, and whoever streams the feed. The relay of one program at a time has the lead;
//! where it is, the consumer takes in events of others.

mod consumer;
mod examination;
mod pruner;
mod relay;
mod sequencer;
mod wake;

use std::sync::Arc;
use std::time::Duration;

use roster_domain::Position;
use roster_domain::services::{InboundService, RelayService};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::{Instrument, info_span, warn};

use crate::wiring::{Ports, Services};
use consumer::Consumer;
pub(crate) use examination::OutboxExamination;
use pruner::Pruner;
use relay::Relay;
use sequencer::Sequencer;
use wake::{Announcing, Wake};

/// The loops, until they are told to stop.
pub(crate) struct Background {
    consumer: Loop,
    sequencer: Loop,
    /// None where there is nobody to be told.
    relay: Option<Loop>,
    pruner: JoinHandle<()>,
}

/// A loop that is told when it is to come to its end.
struct Loop {
    flush: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Loop {
    fn start<F: Future<Output = ()> + Send + 'static>(
        name: &'static str,
        run: impl FnOnce(watch::Receiver<bool>) -> F,
    ) -> Self {
        let flush = watch::Sender::new(false);
        Self { task: spawn(name, run(flush.subscribe())), flush }
    }

    /// Ends once the loop has done the rest of its work.
    async fn flush(self) {
        self.flush.send_replace(true);
        // A loop that panicked has ended, too, and has said so.
        let _ = self.task.await;
    }
}

/// Starts a task each of whose lines in the log says which it is.
fn spawn(name: &'static str, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(task.instrument(info_span!("background", task = name)))
}

/// The position of the newest event in the feed, as it changes.
pub(crate) type NewestPosition = watch::Receiver<Position>;

impl Background {
    /// Starts the loops on these ports; with the services on them, which announce what they write.
    pub(crate) fn start(ports: Ports, retention: Duration) -> (Self, Services, NewestPosition) {
        let wake = Wake::default();
        let users = Arc::new(Announcing::new(ports.users, wake.clone()));
        let ports = Ports { users, ..ports };
        let (told, newest) = watch::channel(Position::START);

        let (leading, leads) = watch::channel(None);

        let sequencer = Sequencer { events: ports.events.clone(), wake, newest: told };
        let relay = ports.publisher.clone().map(|publisher| Relay {
            service: RelayService::new(ports.outbox.clone(), publisher, ports.clock.clone()),
            outbox: ports.outbox.clone(),
            clock: ports.clock.clone(),
            newest: newest.clone(),
            leading,
        });
        let consumer = Consumer {
            source: ports.source.clone(),
            inbound: InboundService::new(ports.users.clone(), ports.clock.clone()),
            leads,
        };
        let pruner = Pruner {
            outbox: ports.outbox.clone(),
            unheard: relay.is_none().then(|| ports.events.clone()),
            clock: ports.clock.clone(),
            retention,
        };
        let background = Self {
            consumer: Loop::start("consumer", |flush| consumer.run(flush)),
            sequencer: Loop::start("sequencer", |flush| sequencer.run(flush)),
            relay: relay.map(|relay| Loop::start("relay", |flush| relay.run(flush))),
            pruner: spawn("pruner", pruner.run()),
        };
        (background, ports.into(), newest)
    }

    /// Ends the loops: the consumer ends after the events that it has in hand, then what was written gets its
    /// position and is published, as far as all that can be done `within` some time.
    pub(crate) async fn stop(self, within: Duration) {
        self.pruner.abort();
        let flushed = async {
            self.consumer.flush().await;
            self.sequencer.flush().await;
            if let Some(relay) = self.relay {
                relay.flush().await;
            }
        };
        if timeout(within, flushed).await.is_err() {
            warn!("not all events could be published: the next start goes on with them");
        }
    }
}
