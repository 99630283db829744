//! Events that were fetched together, handled one after the other: so those of one subject keep their order, and
//! while one cannot take effect, none behind it does.

use std::sync::atomic::{AtomicUsize, Ordering};

use std::time::{Duration, SystemTime};

use async_nats::jetstream::message::Info;
use async_nats::jetstream::{AckKind, Message};
use futures_core::future::BoxFuture;
use futures_util::FutureExt;
use futures_util::future::Shared;
use metrics::{counter, gauge, histogram};
use roster_domain::BoxError;
use roster_domain::services::InboundService;
use tokio::time::sleep;
use tracing::{Instrument, debug, info_span, warn};

use crate::NatsConfig;
use crate::dead_letters::NatsDeadLetters;
use crate::message::{Judge, Judged, read};
use crate::trace;

/// Ends once no further event is to be handled.
pub(crate) type Stop = Shared<BoxFuture<'static, ()>>;

/// Whether no further event is to be handled.
pub(crate) fn is_stopped(stop: &Stop) -> bool {
    stop.clone().now_or_never().is_some()
}

/// Events that were fetched together.
pub(crate) struct Batch<'a> {
    messages: Vec<Message>,
    /// How many of them are settled: the first ones.
    settled: AtomicUsize,
    config: &'a NatsConfig,
    dead_letters: &'a NatsDeadLetters,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(
        messages: Vec<Message>,
        config: &'a NatsConfig,
        dead_letters: &'a NatsDeadLetters,
    ) -> Self {
        Self { messages, settled: AtomicUsize::new(0), config, dead_letters }
    }

    /// Handles all events; or, where one is held when `stop` ends, those before it, and gives back the others.
    pub(crate) async fn handle(&self, inbound: &InboundService, stop: &Stop) -> Result<(), BoxError> {
        tokio::select! {
            done = self.settle_all(inbound, stop) => done,
            never = self.show_life() => never,
        }
    }

    async fn settle_all(&self, inbound: &InboundService, stop: &Stop) -> Result<(), BoxError> {
        for (nth, message) in self.messages.iter().enumerate() {
            if !self.settle(message, nth == 0, inbound, stop).await? {
                return self.give_back().await;
            }
            self.settled.store(nth + 1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Handles one event, and acknowledges it after it took effect; whether it was not stopped before.
    async fn settle(
        &self,
        message: &Message,
        is_first: bool,
        inbound: &InboundService,
        stop: &Stop,
    ) -> Result<bool, BoxError> {
        let info = message.info()?;
        let span = info_span!("event", subject = %message.subject, sequence = info.stream_sequence);
        let event = read(message);
        let traced = trace::processing(message, event.as_ref().ok().and_then(|event| event.trace.as_ref()));
        let judged = Judge { inbound, config: self.config, stop, is_first }
            .judge(message, event)
            .instrument(span.clone())
            .instrument(traced.clone())
            .await;
        let outcome = match judged {
            Judged::Stopped => return Ok(false),
            Judged::Applied => "applied",
            Judged::Repeated => "repeated",
            Judged::Dead(reason) => {
                traced.record("otel.status_code", "error");
                span.in_scope(|| warn!(reason, "an event can never succeed: it is a dead letter"));
                self.dead_letters.put(message, &reason).await?;
                "dead_lettered"
            }
        };
        counter!("roster_inbound_events_total", "outcome" => outcome).increment(1);
        measure(&info);
        // One that cannot be acknowledged comes again, and then does nothing.
        message.double_ack().await?;
        Ok(true)
    }

    /// The events that are not settled.
    fn waiting(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter().skip(self.settled.load(Ordering::Relaxed))
    }

    /// Tells the server, for as long as that takes, that the events that wait here are not lost.
    async fn show_life(&self) -> Result<(), BoxError> {
        loop {
            sleep(self.config.ack_wait / 3).await;
            for message in self.waiting() {
                message.ack_with(AckKind::Progress).await?;
            }
        }
    }

    /// Has the server deliver what is not settled to somebody else, in its order.
    async fn give_back(&self) -> Result<(), BoxError> {
        debug!(events = self.waiting().count(), "given back");
        for message in self.waiting() {
            message.ack_with(AckKind::Nak(None)).await?;
        }
        Ok(())
    }
}

/// Measures how far behind the stream we are, by a message that is settled.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn measure(info: &Info<'_>) {
    gauge!("roster_inbound_events_pending").set(info.pending as f64);
    let kept = u64::try_from(info.published.timestamp_micros()).unwrap_or_default();
    let lag = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + Duration::from_micros(kept));
    histogram!("roster_inbound_event_lag_seconds").record(lag.unwrap_or_default());
}
