//! Events out to a real NATS server, and in from one.

mod contract;
mod dead_letters;
mod inbound;
mod load;
mod outage;
mod outbound;
mod unreadable;

pub(crate) use inbound::{has_stream, publish};

use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use futures_util::StreamExt;
use libtest_mimic::Trial;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::kit::{Database, OwnNats, Program};

pub(crate) fn suite() -> Vec<Trial> {
    [
        contract::suite(),
        load::suite(),
        outage::suite(),
        outbound::suite(),
        inbound::suite(),
        dead_letters::suite(),
        unreadable::suite(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Far above what anything takes here.
const PATIENCE: Duration = Duration::from_secs(60);

/// The service on a database, with its events on a NATS server.
fn serving(database: &Database, nats: &OwnNats) -> Program {
    Program::serving(database).and(["--nats-url", nats.url()])
}

/// A message of a stream.
struct Message {
    subject: String,
    id: String,
    content_type: String,
    payload: Vec<u8>,
}

impl Message {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.payload).expect("the payload is JSON")
    }
}

/// All messages of a stream, in its order; none where the stream is not there.
async fn messages(context: &Context, stream: &str) -> Vec<Message> {
    let Ok(stream) = context.get_stream(stream).await else { return Vec::new() };
    let count = stream.cached_info().state.messages;
    let consumer = stream.create_consumer(OrderedConfig::default()).await.expect("a stream can be read");
    let messages = consumer.messages().await.expect("a stream can be read");
    let read = messages.take(usize::try_from(count).unwrap()).map(|message| {
        let message = message.expect("a message can be read");
        let header = |name: &str| {
            let value = message.headers.as_ref().and_then(|headers| headers.get(name));
            value.map(ToString::to_string).unwrap_or_default()
        };
        Message {
            subject: message.subject.to_string(),
            id: header("Nats-Msg-Id"),
            content_type: header("Content-Type"),
            payload: message.payload.to_vec(),
        }
    });
    timeout(PATIENCE, read.collect()).await.expect("a stream can be read")
}

/// The messages of a stream, once there are at least so many.
async fn at_least(context: &Context, stream: &str, count: usize) -> Vec<Message> {
    let enough = async {
        loop {
            let messages = messages(context, stream).await;
            if messages.len() >= count {
                return messages;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let late = |_| panic!("{stream} has not {count} messages in {PATIENCE:?}");
    timeout(PATIENCE, enough).await.unwrap_or_else(late)
}

/// Waits until something holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waited = async {
        while !holds().await {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, waited).await.unwrap_or_else(|_| panic!("{what}: not in {PATIENCE:?}"));
}
