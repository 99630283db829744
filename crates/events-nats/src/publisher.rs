use std::future::IntoFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{PublishAckFuture, PublishError as NatsError, PublishErrorKind};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::join_all;
use roster_domain::ports::{EventPublisher, PublishError};
use roster_domain::{BoxError, Change, Event};
use serde_json::json;
use tokio::time::timeout;
use tracing::Span;

use crate::Nats;
use crate::streams::Name;
use crate::trace;

/// Tells others of events, on the stream `ROSTER`.
#[derive(Clone)]
pub struct NatsPublisher {
    nats: Nats,
    /// Whether the stream was found to be as it should be, and nothing spoke against that since.
    is_open: Arc<AtomicBool>,
}

type Outcome = Result<(), PublishError>;

/// An event that was sent, and the step of its trace that does so.
struct Sent {
    acknowledgement: PublishAckFuture,
    step: Span,
}

#[async_trait]
impl EventPublisher for NatsPublisher {
    async fn publish(&self, events: &[Event]) -> Vec<Outcome> {
        if let Err(cause) = self.open().await {
            let cause = cause.to_string();
            return events.iter().map(|_| Err(PublishError::Unavailable(cause.clone().into()))).collect();
        }
        let mut sent = Vec::with_capacity(events.len());
        for event in events {
            sent.push(self.send(event).await);
        }
        join_all(sent.into_iter().map(|sent| self.acknowledged(sent))).await
    }
}

impl NatsPublisher {
    pub(crate) fn new(nats: Nats) -> Self {
        Self { nats, is_open: Arc::default() }
    }

    /// Makes sure of the stream, unless that was done. Without a connection nothing is sent: the client would
    /// keep it, without bound, until there is one.
    async fn open(&self) -> Result<(), BoxError> {
        if !self.nats.is_connected() {
            self.is_open.store(false, Ordering::Relaxed);
            return Err("there is no connection to the NATS server".into());
        }
        if !self.is_open.load(Ordering::Relaxed) {
            self.nats.stream(Name::Roster).await?;
            self.is_open.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Sends an event, and does not wait for the acknowledgement.
    async fn send(&self, event: &Event) -> Result<Sent, PublishError> {
        let payload = serde_json::to_vec(event).map_err(|error| PublishError::Refused(error.into()))?;
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, event.id.to_string().as_str());
        headers.insert("Content-Type", "application/cloudevents+json");
        let subject = subject(&event.change);
        let step = event.trace.as_ref().map_or_else(Span::none, |trace| {
            trace::tell(trace, &mut headers);
            trace::publishing(&subject, &mut headers)
        });
        // A connection that is dead and does not know it takes messages until the client holds no more.
        let sending = self.nats.context.publish_with_headers(subject, headers, Bytes::from(payload));
        match timeout(self.nats.config.answer_timeout, sending).await {
            Ok(Ok(acknowledgement)) => Ok(Sent { acknowledgement, step }),
            Ok(Err(error)) => Err(self.failed(error)),
            Err(late) => Err(PublishError::Unavailable(late.into())),
        }
    }

    /// Waits until the server keeps the event. That it did so before is as good, if it still does.
    async fn acknowledged(&self, sent: Result<Sent, PublishError>) -> Outcome {
        let Sent { acknowledgement, step } = sent?;
        let kept = match acknowledgement.into_future().await {
            Ok(kept) if kept.duplicate => self.still_kept(kept.sequence).await,
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed(error)),
        };
        if kept.is_err() {
            step.record("otel.status_code", "error");
        }
        kept
    }

    /// Holds the server to what it says that it kept before: it goes on saying so for a while, though the stream was
    /// purged.
    async fn still_kept(&self, sequence: u64) -> Outcome {
        let message = Name::Roster.message(&self.nats.context, &json!({"seq": sequence})).await;
        if message.map_err(PublishError::Unavailable)?.is_some() {
            return Ok(());
        }
        let stream = self.nats.stream(Name::Roster).await.map_err(PublishError::Unavailable)?;
        if !Name::takes_again_soon(&stream.cached_info().config) {
            return Ok(());
        }
        let why = "has lost an event, and does not take it again before it forgot that it had it";
        self.nats.tell_trouble(Name::Roster, format!("the stream ROSTER {why}"));
        Err(PublishError::Unavailable(format!("the broker {why}").into()))
    }

    fn failed(&self, error: NatsError) -> PublishError {
        // The stream may be gone, or another one.
        self.is_open.store(false, Ordering::Relaxed);
        if is_too_large(&error) {
            PublishError::Refused(error.into())
        } else {
            PublishError::Unavailable(error.into())
        }
    }
}

/// Whether the server takes no message of that size.
pub(crate) fn is_too_large(error: &NatsError) -> bool {
    let told = std::error::Error::source(error).and_then(|source| source.downcast_ref::<jetstream::Error>());
    let code = told.map(jetstream::Error::error_code);
    error.kind() == PublishErrorKind::MaxPayloadExceeded
        || code == Some(ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM)
}

/// Where an event is published: `roster.users.created`.
fn subject(change: &Change) -> String {
    let verb = change.event_type().rsplit('.').next().unwrap_or_default();
    format!("roster.users.{verb}")
}
