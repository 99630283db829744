//! Events that were fetched together, handled some at a time: those of one person one after the other, and while one
//! cannot take effect, none that comes after those beside it does. Those beside each other that tell of new people take
//! effect together.

use std::collections::HashSet;
use std::future::ready;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use async_nats::jetstream::message::Info;
use async_nats::jetstream::{AckKind, Message};
use futures_core::future::BoxFuture;
use futures_util::future::Shared;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use metrics::{counter, gauge, histogram};
use roster_domain::services::InboundService;
use roster_domain::{BoxError, Email, InboundEvent};
use tokio::time::sleep;
use tracing::{Instrument, Span, debug, info_span};

use crate::NatsConfig;
use crate::dead_letters::NatsDeadLetters;
use crate::message::{Judge, Judged, read};
use crate::trace;

/// How many events take effect at once, each by itself.
const AT_ONCE: usize = 8;

/// How often an event may be delivered before it is handled alone: one that ends whoever handles it is to end no other.
const DELIVERIES_TOGETHER: i64 = 3;

/// Ends once no further event is to be handled.
pub(crate) type Stop = Shared<BoxFuture<'static, ()>>;

/// Whether no further event is to be handled.
pub(crate) fn is_stopped(stop: &Stop) -> bool {
    stop.clone().now_or_never().is_some()
}

/// Events that were fetched together.
pub(crate) struct Batch<'a> {
    received: Vec<Received>,
    config: &'a NatsConfig,
    dead_letters: &'a NatsDeadLetters,
}

/// An event that was fetched.
struct Received {
    message: Message,
    /// What it says, or why that cannot be read.
    event: Result<InboundEvent, String>,
    is_settled: AtomicBool,
}

impl From<Message> for Received {
    fn from(message: Message) -> Self {
        Self { event: read(&message), is_settled: AtomicBool::new(false), message }
    }
}

impl Received {
    fn company(&self) -> Company {
        let is_tried = self.message.info().is_ok_and(|info| info.delivered > DELIVERIES_TOGETHER);
        let person = self.event.as_ref().ok().map(|event| event.change.person().clone());
        if is_tried { Company::None } else { Company::ExceptFor(person) }
    }
}

/// Beside whom an event may be handled.
enum Company {
    /// Beside those that are about another person.
    ExceptFor(Option<Email>),
    None,
}

/// The events, cut wherever one may not be handled beside those before it.
fn waves<T>(events: &[T], company: impl Fn(&T) -> Company) -> impl Iterator<Item = &[T]> {
    let mut people = HashSet::new();
    events.chunk_by(move |before, next| {
        let (Company::ExceptFor(before), Company::ExceptFor(next)) = (company(before), company(next)) else {
            people.clear();
            return false;
        };
        people.extend(before);
        let is_another = next.is_none_or(|person| !people.contains(&person));
        if !is_another {
            people.clear();
        }
        is_another
    })
}

/// An event whose turn has come.
struct Turn<'a> {
    received: &'a Received,
    /// The step of its trace that handles it, once that has begun.
    step: Option<Span>,
    judged: Option<Judged>,
}

impl<'a> From<&'a Received> for Turn<'a> {
    fn from(received: &'a Received) -> Self {
        Self { received, step: None, judged: None }
    }
}

impl Turn<'_> {
    fn step(&mut self) -> Span {
        let Received { message, event, .. } = self.received;
        let trace = event.as_ref().ok().and_then(|event| event.trace.as_ref());
        self.step.get_or_insert_with(|| trace::processing(message, trace)).clone()
    }

    /// The event, as a part of its step, where it tells of somebody who may be new.
    fn saved(&mut self) -> Option<InboundEvent> {
        let mut event = self.received.event.clone().ok().filter(|event| event.change.saved().is_some())?;
        event.trace = trace::place(&self.step()).or(event.trace);
        Some(event)
    }
}

/// Lets events take effect together, as far as they tell of new people; the others are left.
async fn together(turns: &mut [Turn<'_>], inbound: &InboundService) {
    let saved = turns.iter_mut().filter_map(|turn| Some((turn.saved()?, &mut turn.judged)));
    let (events, judged): (Vec<_>, Vec<_>) = saved.unzip();
    for (judged, applied) in judged.into_iter().zip(inbound.apply_new(&events).await) {
        *judged = applied.map(Judged::from);
    }
}

impl<'a> Batch<'a> {
    pub(crate) fn new(
        messages: Vec<Message>,
        config: &'a NatsConfig,
        dead_letters: &'a NatsDeadLetters,
    ) -> Self {
        let received = messages.into_iter().map(Received::from).collect();
        Self { received, config, dead_letters }
    }

    /// Handles all events; or, where one is held when `stop` ends, those before it, and gives back the others.
    pub(crate) async fn handle(&self, inbound: &InboundService, stop: &Stop) -> Result<(), BoxError> {
        tokio::select! {
            done = self.settle_all(inbound, stop) => done,
            never = self.show_life() => never,
        }
    }

    async fn settle_all(&self, inbound: &InboundService, stop: &Stop) -> Result<(), BoxError> {
        for (nth, wave) in waves(&self.received, Received::company).enumerate() {
            let mut turns: Vec<_> = wave.iter().map(Turn::from).collect();
            if turns.len() > 1 {
                tokio::select! {
                    () = together(&mut turns, inbound) => {}
                    () = stop.clone() => return self.give_back().await,
                }
            }
            let settle = |turn| self.settle(turn, nth == 0, inbound, stop);
            let settled = stream::iter(turns.into_iter().map(settle).collect::<Vec<_>>());
            if !settled.buffer_unordered(AT_ONCE).try_fold(true, |all, one| ready(Ok(all && one))).await? {
                return self.give_back().await;
            }
        }
        Ok(())
    }

    /// Handles one event, unless that was done, and acknowledges it after it took effect; whether it was not stopped
    /// before.
    async fn settle(
        &self,
        mut turn: Turn<'_>,
        is_first: bool,
        inbound: &InboundService,
        stop: &Stop,
    ) -> Result<bool, BoxError> {
        let traced = turn.step();
        let Turn { received: Received { message, event, is_settled }, judged, .. } = turn;
        let info = message.info()?;
        let span = info_span!("event", subject = %message.subject, sequence = info.stream_sequence);
        let judged = match judged {
            Some(judged) => judged,
            None => {
                Judge { inbound, config: self.config, stop, is_first }
                    .judge(message, event.as_ref())
                    .instrument(span.clone())
                    .instrument(traced.clone())
                    .await
            }
        };
        let outcome = match judged {
            Judged::Stopped => return Ok(false),
            Judged::Applied => "applied",
            Judged::Repeated => "repeated",
            Judged::Dead(reason) => {
                traced.record("otel.status_code", "error");
                self.dead_letters.put(&message.try_into()?, &reason).instrument(span).await?;
                "dead_lettered"
            }
        };
        // One that cannot be acknowledged comes again, and then does nothing.
        message.double_ack().await?;
        count(outcome);
        measure(&info);
        is_settled.store(true, Ordering::Relaxed);
        Ok(true)
    }

    /// The events that are not settled.
    fn waiting(&self) -> impl Iterator<Item = &Message> {
        let waiting = self.received.iter().filter(|one| !one.is_settled.load(Ordering::Relaxed));
        waiting.map(|one| &one.message)
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

/// Counts an event of which this became.
pub(crate) fn count(outcome: &'static str) {
    counter!("roster_inbound_events_total", "outcome" => outcome).increment(1);
}

/// Measures how far behind the stream we are, by a message that is settled.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn measure(info: &Info<'_>) {
    gauge!("roster_inbound_events_pending").set(info.pending as f64);
    let kept = u64::try_from(info.published.timestamp_micros()).unwrap_or_default();
    let lag = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + Duration::from_micros(kept));
    histogram!("roster_inbound_event_lag_seconds").record(lag.unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The waves of events, each about the person whose e-mail begins so; `?` cannot be read, and `!` is to be alone.
    fn cut(events: &str) -> Vec<String> {
        let events: Vec<_> =
            events.chars().map(|c| (c, Email::parse(&format!("{c}@example.org")).unwrap())).collect();
        let company = |(c, email): &(char, Email)| match c {
            '!' => Company::None,
            '?' => Company::ExceptFor(None),
            _ => Company::ExceptFor(Some(email.clone())),
        };
        waves(&events, company).map(|wave| wave.iter().map(|(c, _)| c).collect()).collect()
    }

    #[test]
    fn no_person_comes_twice_in_a_wave() {
        assert_eq!(cut(""), [""; 0]);
        assert_eq!(cut("abc"), ["abc"]);
        assert_eq!(cut("abcabd"), ["abc", "abd"]);
        assert_eq!(cut("aabba"), ["a", "ab", "ba"]);
    }

    #[test]
    fn what_cannot_be_read_is_in_nobodys_way_and_what_was_tried_often_is_alone() {
        assert_eq!(cut("a??b"), ["a??b"]);
        assert_eq!(cut("ab!ca!!d"), ["ab", "!", "ca", "!", "!", "d"]);
    }
}
