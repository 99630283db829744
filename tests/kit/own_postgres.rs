//! A PostgreSQL that one test may stop and start.

use super::database::{Backend, Database};
use super::gateway::Gateway;
use super::run::Run;
use super::servers::PostgresServer;
use super::suite::Given;

/// A server that no other test uses; or, where the server was given and is not ours to stop, a way to it that
/// can be closed.
pub(crate) struct OwnPostgres {
    url: String,
    kind: Kind,
}

enum Kind {
    Server(Option<Box<PostgresServer>>),
    Way(Gateway, #[expect(dead_code, reason = "it is kept for as long as it is used")] Database),
}

impl OwnPostgres {
    /// The URL of an empty database.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Stops it.
    pub(crate) async fn stop(&self) {
        match &self.kind {
            Kind::Server(server) => server.as_ref().expect("it is there until the end").stop().await,
            Kind::Way(gateway, _) => gateway.cut(),
        }
    }

    /// Starts it again.
    pub(crate) async fn resume(&self) {
        match &self.kind {
            Kind::Server(server) => server.as_ref().expect("it is there until the end").resume().await,
            Kind::Way(gateway, _) => gateway.open(),
        }
    }
}

impl Given for OwnPostgres {
    const BACKENDS: &'static [Backend] = &[Backend::Postgres];

    async fn given(on: Backend) -> Result<Self, String> {
        if let Some(server) = PostgresServer::own(Run::current().folder()).await? {
            let name = server.create("own", false).await;
            return Ok(Self { url: server.url(&name).into(), kind: Kind::Server(Some(Box::new(server))) });
        }
        let database = Database::empty(on).await?;
        let gateway = Gateway::to(database.url()).await;
        Ok(Self { url: gateway.url(database.url()), kind: Kind::Way(gateway, database) })
    }
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        if let Kind::Server(server) = &mut self.kind
            && let Some(server) = server.take()
        {
            Run::current().before_the_end(async move { server.remove().await });
        }
    }
}
