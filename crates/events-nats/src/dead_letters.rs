use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::Message;
use async_nats::jetstream::context::PublishError as NatsError;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{RawMessage, RawMessageError, RawMessageErrorKind, Stream};
use async_nats::{HeaderMap, ToSubject};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use roster_domain::BoxError;
use roster_domain::ports::{DeadLetter, DeadLetters, DeadLettersError};
use tracing::warn;
use uuid::Uuid;

use crate::Nats;
use crate::publisher::is_too_large;
use crate::streams::{DEAD_LETTERS, Name};

const REASON: &str = "Roster-Reason";
const SUBJECT: &str = "Roster-Subject";
const STREAM: &str = "Roster-Stream";
const SEQUENCE: &str = "Roster-Sequence";
const DELIVERIES: &str = "Roster-Deliveries";
const TRUNCATED: &str = "Roster-Truncated";

/// How much is kept of what is too large.
const BEGINNING: usize = 256;

/// Keeps the events of others that can never succeed, on the stream `ROSTER_DEAD_LETTERS`.
#[derive(Clone)]
pub struct NatsDeadLetters {
    nats: Nats,
}

impl NatsDeadLetters {
    pub(crate) fn new(nats: Nats) -> Self {
        Self { nats }
    }

    /// Keeps an event, with the reason and where it came from; of one that is too large for that, its beginning.
    /// Where its keeper dies before the event itself is acknowledged, the same is kept once.
    pub(crate) async fn put(&self, letter: &Letter, reason: &str) -> Result<(), BoxError> {
        warn!(reason, "an event can never succeed: it is a dead letter");
        let (mut headers, payload) = (letter.headers(reason), &letter.payload);
        match self.send(DEAD_LETTERS, headers.clone(), payload.clone()).await {
            Err(error) if is_too_large(&error) => {
                headers.insert(TRUNCATED, payload.len().to_string());
                let beginning = payload.slice(..payload.len().min(BEGINNING));
                Ok(self.send(DEAD_LETTERS, headers, beginning).await?)
            }
            sent => Ok(sent?),
        }
    }

    async fn send(
        &self,
        subject: impl ToSubject,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<(), NatsError> {
        self.nats.context.publish_with_headers(subject, headers, payload).await?.await?;
        Ok(())
    }

    async fn stream(&self) -> Result<Stream, BoxError> {
        self.nats.connected().await?;
        self.nats.stream(Name::DeadLetters).await
    }

    async fn all(&self) -> Result<Vec<DeadLetter>, BoxError> {
        let stream = self.stream().await?;
        let (mut all, mut next) = (Vec::new(), 1);
        loop {
            let asked = stream.raw_message_builder().sequence(next).next_by_subject(DEAD_LETTERS);
            let Some(letter) = found(asked.send().await)? else { return Ok(all) };
            next = letter.sequence + 1;
            all.push(dead_letter(&letter));
        }
    }

    async fn one(&self, id: u64) -> Result<Option<DeadLetter>, BoxError> {
        let stream = self.stream().await?;
        Ok(found(stream.get_raw_message(id).await)?.as_ref().map(dead_letter))
    }

    async fn send_again(&self, id: u64) -> Result<bool, BoxError> {
        let Some(letter) = self.one(id).await? else { return Ok(false) };
        if letter.is_cut {
            return Err("it was too large to be kept whole, so that it cannot be sent again".into());
        }
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, Uuid::new_v4().to_string());
        self.send(letter.subject, headers, letter.payload.into()).await?;
        self.stream().await?.delete_message(id).await?;
        Ok(true)
    }
}

#[async_trait]
impl DeadLetters for NatsDeadLetters {
    async fn list(&self) -> Result<Vec<DeadLetter>, DeadLettersError> {
        self.all().await.map_err(DeadLettersError)
    }

    async fn find(&self, id: u64) -> Result<Option<DeadLetter>, DeadLettersError> {
        self.one(id).await.map_err(DeadLettersError)
    }

    async fn retry(&self, id: u64) -> Result<bool, DeadLettersError> {
        self.send_again(id).await.map_err(DeadLettersError)
    }
}

/// The message, where there is one.
fn found(asked: Result<StreamMessage, RawMessageError>) -> Result<Option<StreamMessage>, BoxError> {
    match asked {
        Ok(message) => Ok(Some(message)),
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn dead_letter(message: &StreamMessage) -> DeadLetter {
    let header = |name: &str| message.headers.get(name).map(ToString::to_string).unwrap_or_default();
    DeadLetter {
        id: message.sequence,
        at: message.time.into(),
        reason: header(REASON),
        subject: header(SUBJECT),
        stream: header(STREAM),
        sequence: header(SEQUENCE).parse().unwrap_or_default(),
        deliveries: header(DELIVERIES).parse().unwrap_or_default(),
        is_cut: message.headers.get(TRUNCATED).is_some(),
        payload: message.payload.to_vec(),
    }
}

/// An event that can never succeed, and where it came from.
pub(crate) struct Letter {
    subject: String,
    payload: Bytes,
    stream: String,
    sequence: u64,
    /// When the stream took it, in microseconds.
    kept_at: i128,
    /// How often it was delivered, where that is known.
    deliveries: Option<i64>,
}

impl TryFrom<&Message> for Letter {
    type Error = BoxError;

    fn try_from(message: &Message) -> Result<Self, BoxError> {
        let info = message.info()?;
        Ok(Self {
            subject: message.subject.to_string(),
            payload: message.payload.clone(),
            stream: info.stream.to_owned(),
            sequence: info.stream_sequence,
            kept_at: info.published.timestamp_micros().into(),
            deliveries: Some(info.delivered),
        })
    }
}

/// Of an event of others, as the server shows it.
impl TryFrom<RawMessage> for Letter {
    type Error = BoxError;

    fn try_from(shown: RawMessage) -> Result<Self, BoxError> {
        Ok(Self {
            subject: shown.subject,
            payload: STANDARD.decode(shown.payload)?.into(),
            stream: Name::Directory.as_str().to_owned(),
            sequence: shown.sequence,
            kept_at: shown.time.timestamp_micros().into(),
            deliveries: None,
        })
    }
}

impl Letter {
    /// What is kept beside the event.
    fn headers(&self, reason: &str) -> HeaderMap {
        let Self { stream, sequence, kept_at, .. } = self;
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, format!("{stream}-{sequence}-{kept_at}"));
        headers.insert(REASON, short_line(reason));
        headers.insert(SUBJECT, self.subject.as_str());
        headers.insert(STREAM, stream.as_str());
        headers.insert(SEQUENCE, sequence.to_string());
        if let Some(deliveries) = self.deliveries {
            headers.insert(DELIVERIES, deliveries.to_string());
        }
        headers
    }
}

/// A header holds no line breaks, and counts against the size of its message.
fn short_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(BEGINNING).collect()
}
