//! A NATS server that one test may kill and start.

use std::sync::{Arc, LazyLock};

use async_nats::jetstream;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::database::{Backend, Database};
use super::gateway::Gateway;
use super::run::Run;
use super::servers::{NATS_URL, NatsServer, options};
use super::suite::Given;

/// The streams of the service: their names are fixed, so that two tests cannot share a server at one time.
const STREAMS: [&str; 3] = ["ROSTER", "DIRECTORY", "ROSTER_DEAD_LETTERS"];

/// Whose turn it is on the server from the environment.
static TURN: LazyLock<Arc<Mutex<()>>> = LazyLock::new(Arc::default);

/// A server that no other test uses; or, where the server was given and is not ours to kill, a way to it that can
/// be closed.
pub(crate) struct OwnNats {
    url: String,
    kind: Kind,
}

enum Kind {
    Server(Option<Box<NatsServer>>),
    Way { gateway: Gateway, given: String, turn: Option<OwnedMutexGuard<()>> },
}

/// A server of its own, and a database.
pub(crate) struct WithNats(pub(crate) Database, pub(crate) OwnNats);

/// The same, on PostgreSQL alone.
pub(crate) struct OnPostgresWithNats(pub(crate) Database, pub(crate) OwnNats);

impl OwnNats {
    /// As the setting `--nats-url` names it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Ends it as a crash would; its data stay.
    pub(crate) async fn kill(&self) {
        match &self.kind {
            Kind::Server(server) => server.as_ref().expect("it is there until the end").kill().await,
            Kind::Way { gateway, .. } => gateway.cut(),
        }
    }

    /// Starts it again.
    pub(crate) async fn resume(&self) {
        match &self.kind {
            Kind::Server(server) => server.as_ref().expect("it is there until the end").resume().await,
            Kind::Way { gateway, .. } => gateway.open(),
        }
    }

    /// A client of its streams.
    pub(crate) async fn client(&self) -> jetstream::Context {
        let client = options(&self.url).retry_on_initial_connect().connect(&self.url).await;
        jetstream::new(client.expect("a client can be made"))
    }

    async fn new() -> Result<Self, String> {
        let Ok(given) = std::env::var(NATS_URL) else {
            let server = NatsServer::start(Run::current().folder()).await?;
            return Ok(Self { url: server.url(), kind: Kind::Server(Some(Box::new(server))) });
        };
        let turn = Some(TURN.clone().lock_owned().await);
        let client =
            options(&given).connect(&given).await.map_err(|error| format!("NATS at {NATS_URL}: {error}."))?;
        for stream in STREAMS {
            let found = jetstream::new(client.clone()).get_stream(stream).await;
            assert!(
                found.is_err(),
                "the server at {NATS_URL} has a stream {stream} that is not of the tests"
            );
        }
        let gateway = Gateway::to(&given).await;
        Ok(Self { url: gateway.url(&given), kind: Kind::Way { gateway, given, turn } })
    }
}

impl Drop for OwnNats {
    fn drop(&mut self) {
        match &mut self.kind {
            Kind::Server(server) => {
                if let Some(server) = server.take() {
                    Run::current().before_the_end(async move { server.remove().await });
                }
            }
            Kind::Way { given, turn, .. } => {
                let (given, turn) = (given.clone(), turn.take());
                Run::current().before_the_end(async move {
                    remove_streams(&given).await;
                    drop(turn);
                });
            }
        }
    }
}

async fn remove_streams(url: &str) {
    let Ok(client) = options(url).connect(url).await else { return };
    for stream in STREAMS {
        // One that the test did not need is not there.
        let _ = jetstream::new(client.clone()).delete_stream(stream).await;
    }
}

impl Given for OwnNats {
    const BACKENDS: &'static [Backend] = &[Backend::Sqlite];

    async fn given(_: Backend) -> Result<Self, String> {
        Self::new().await
    }
}

impl Given for WithNats {
    const BACKENDS: &'static [Backend] = Backend::ALL;

    /// Both empty.
    async fn given(on: Backend) -> Result<Self, String> {
        Ok(Self(Database::empty(on).await?, OwnNats::new().await?))
    }
}

impl Given for OnPostgresWithNats {
    const BACKENDS: &'static [Backend] = &[Backend::Postgres];

    /// Both empty.
    async fn given(on: Backend) -> Result<Self, String> {
        Ok(Self(Database::empty(on).await?, OwnNats::new().await?))
    }
}
