//! A look at the server and its streams, which makes none.

use std::time::{Duration, Instant};

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::response::Response;
use async_trait::async_trait;
use roster_domain::chain;
use roster_domain::ports::{Examination, Finding};
use serde_json::Value;

use crate::Nats;
use crate::streams::Name;

/// What a person is told of.
const BROKER: &str = "broker";

/// How long the server may take to be connected to.
const CONNECT: Duration = Duration::from_secs(3);

#[async_trait]
impl Examination for Nats {
    async fn examine(&self) -> Vec<Finding> {
        let broker = self.broker().await;
        let Ok(told) = broker else { return Vec::from_iter(broker.err()) };
        let mut findings = vec![told];
        for name in [Name::Roster, Name::Directory, Name::DeadLetters] {
            findings.push(self.examine_stream(name).await);
        }
        findings
    }
}

impl Nats {
    /// The server; or what is wrong with it, so that there is no more to look at.
    async fn broker(&self) -> Result<Finding, Finding> {
        let late = |_| {
            let told = format!("no connection to {} within {CONNECT:?}: {}", self.servers(), self.trouble());
            Finding::failed(BROKER, told.trim_end_matches(": "))
        };
        self.connected_within(CONNECT).await.map_err(late)?;
        let version = self.client.server_info().version;
        let began = Instant::now();
        // What the client makes of the answer has members that servers before 2.10 do not tell.
        let asked: Result<Response<Value>, _> = self.context.request("INFO", b"").await;
        let refused = match asked {
            Ok(Response::Ok(_)) => None,
            Ok(Response::Err { error }) => Some(chain(&error)),
            Err(error) => Some(chain(&error)),
        };
        if let Some(why) = refused {
            return Err(Finding::failed(BROKER, format!("has no JetStream: {why}")));
        }
        Ok(Finding::ok(BROKER, format!("answers in {:.1?} (NATS {version})", began.elapsed())))
    }

    async fn examine_stream(&self, name: Name) -> Finding {
        let about = name.as_str();
        let stream = match self.context.get_stream(about).await {
            Ok(stream) => stream,
            Err(error) if is_missing(error.kind()) => {
                return Finding::ok(BROKER, format!("the stream {about} is not there yet: a start makes it"));
            }
            Err(error) => return Finding::failed(BROKER, format!("the stream {about}: {}", chain(&error))),
        };
        let (config, messages) = (&stream.cached_info().config, stream.cached_info().state.messages);
        match name.unfit(config) {
            Some(why) => Finding::failed(BROKER, format!("the stream {about} {why}")),
            None if name == Name::DeadLetters && messages > 0 => Finding::warning(
                BROKER,
                format!("the stream {about} holds {messages} dead letters: see roster dead-letters list"),
            ),
            None if name == Name::DeadLetters && Name::keeps_twice(config) => Finding::warning(
                BROKER,
                format!(
                    "the stream {about} may keep an event twice: its duplicate window is under five days"
                ),
            ),
            None => Finding::ok(BROKER, format!("the stream {about} holds {messages} messages")),
        }
    }
}

fn is_missing(kind: GetStreamErrorKind) -> bool {
    matches!(kind, GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}
