use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::Message;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{RawMessageError, RawMessageErrorKind, Stream};
use async_trait::async_trait;
use roster_domain::BoxError;
use roster_domain::ports::{DeadLetter, DeadLetters, DeadLettersError};
use uuid::Uuid;

use crate::Nats;
use crate::streams::{DEAD_LETTERS, Name};

const REASON: &str = "Roster-Reason";
const SUBJECT: &str = "Roster-Subject";
const STREAM: &str = "Roster-Stream";
const SEQUENCE: &str = "Roster-Sequence";
const DELIVERIES: &str = "Roster-Deliveries";

/// Keeps the events of others that can never succeed, on the stream `ROSTER_DEAD_LETTERS`.
#[derive(Clone)]
pub struct NatsDeadLetters {
    nats: Nats,
}

impl NatsDeadLetters {
    pub(crate) fn new(nats: Nats) -> Self {
        Self { nats }
    }

    /// Keeps an event, with the reason and where it came from. Where its keeper dies before the event itself is
    /// acknowledged, the same is kept once.
    pub(crate) async fn put(&self, message: &Message, reason: &str) -> Result<(), BoxError> {
        let info = message.info()?;
        let (stream, sequence) = (info.stream, info.stream_sequence.to_string());
        let mut headers = HeaderMap::new();
        let published = info.published.timestamp_micros();
        headers.insert(NATS_MESSAGE_ID, format!("{stream}-{sequence}-{published}"));
        headers.insert(REASON, one_line(reason));
        headers.insert(SUBJECT, message.subject.as_str());
        headers.insert(STREAM, stream);
        headers.insert(SEQUENCE, sequence);
        headers.insert(DELIVERIES, info.delivered.to_string());
        let context = &self.nats.context;
        context.publish_with_headers(DEAD_LETTERS, headers, message.payload.clone()).await?.await?;
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
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, Uuid::new_v4().to_string());
        let context = &self.nats.context;
        context.publish_with_headers(letter.subject, headers, letter.payload.into()).await?.await?;
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
        sequence: header(SEQUENCE).parse().unwrap_or_default(),
        payload: message.payload.to_vec(),
    }
}

/// A header holds no line breaks.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
