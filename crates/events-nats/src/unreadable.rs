//! Events whose headers the client cannot read. At most of them it ends its connection, and others it takes for answers
//! of the server: so they never come here, and nor does what is behind them. Shown as JSON, they can be looked at.

use std::str::from_utf8;

use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{RawMessage, Stream};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use roster_domain::BoxError;
use serde_json::json;
use tracing::{Instrument, info_span};

use crate::Nats;
use crate::batch::count;
use crate::dead_letters::Letter;
use crate::streams::{INBOUND, Name};

/// How the headers of an event begin. What the server answers has a status there.
const VERSION: &str = "NATS/1.0";

/// Makes dead letters of those among the events that were delivered and not acknowledged.
pub(crate) async fn put_aside(
    nats: &Nats,
    stream: &Stream,
    consumer: &mut PullConsumer,
) -> Result<(), BoxError> {
    let info = consumer.info().await?;
    let (mut next, last) = (info.ack_floor.stream_sequence + 1, info.delivered.stream_sequence);
    while next <= last {
        let first = json!({"seq": next, "next_by_subj": INBOUND});
        let event = Name::Directory.message(&nats.context, &first).await?;
        let Some(event) = event.filter(|event| event.sequence <= last) else { break };
        next = event.sequence + 1;
        let Some(reason) = what_is_wrong(&event) else { continue };
        let span = info_span!("event", subject = %event.subject, sequence = event.sequence);
        nats.dead_letters().put(&Letter::try_from(event)?, &reason).instrument(span).await?;
        // It has nobody who could acknowledge it.
        stream.delete_message(next - 1).await?;
        count("dead_lettered");
    }
    Ok(())
}

fn what_is_wrong(event: &RawMessage) -> Option<String> {
    let headers = STANDARD.decode(event.headers.as_ref()?).unwrap_or_default();
    let version = from_utf8(&headers).ok().and_then(|text| text.lines().next());
    match StreamMessage::try_from(event.clone()) {
        Err(error) => Some(format!("its headers cannot be read: {error}")),
        Ok(_) if version.is_none_or(|version| version.trim() != VERSION) => {
            Some(format!("its headers cannot be read: they do not begin with {VERSION} alone"))
        }
        Ok(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_readable(headers: &[u8]) -> bool {
        let event = json!({
            "subject": "directory.people.saved", "seq": 1, "time": "2026-11-23T10:00:00Z",
            "hdrs": STANDARD.encode(headers),
        });
        what_is_wrong(&serde_json::from_value(event).unwrap()).is_none()
    }

    #[test]
    fn headers_are_read_as_the_client_reads_them() {
        for headers in
            ["NATS/1.0\r\n\r\n", "NATS/1.0\r\nX: a\r\nY:b\r\n\r\n", "NATS/1.0\r\nX: a\r\n b\r\n\r\n"]
        {
            assert!(is_readable(headers.as_bytes()), "{headers:?}");
        }
        let refused: [&[u8]; 8] = [
            b"NATS/1.0\r\nX: a\rb\r\n\r\n",
            b"NATS/1.0\r\nX\r\n\r\n",
            b"NATS/1.0\r\nX: M\xfcller\r\n\r\n",
            b"NATS/1.0\r\nA name: a\r\n\r\n",
            b"NATS/1.0 503\r\n\r\n",
            b"NATS/1.0 404 No Messages\r\n\r\n",
            b"NATS/2.0\r\n\r\n",
            b"",
        ];
        for headers in refused {
            assert!(!is_readable(headers), "{headers:?}");
        }
    }
}
