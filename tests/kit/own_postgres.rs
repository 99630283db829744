//! A PostgreSQL that one test may stop and start.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use tokio_postgres::Client;

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
    Server(Arc<PostgresServer>),
    Way(Gateway, Database),
}

/// A primary, and a standby that follows it and acknowledges what it commits.
pub(crate) struct Replicated {
    pub(crate) primary: OwnPostgres,
    pub(crate) standby: OwnPostgres,
}

/// A server of its own with few connections: twenty, three of them for administrators.
pub(crate) struct OfFewConnections(pub(crate) OwnPostgres);

/// A server of its own that takes a tenth of a second for each commit.
pub(crate) struct OfSlowCommits(pub(crate) OwnPostgres);

/// A server of its own that speaks German.
pub(crate) struct InGerman(pub(crate) OwnPostgres);

/// The name of the database on it.
const NAME: &str = "own";

impl OwnPostgres {
    /// The URL of an empty database.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Stops it.
    pub(crate) async fn stop(&self) {
        match &self.kind {
            Kind::Server(server) => server.stop().await,
            Kind::Way(gateway, _) => gateway.cut(),
        }
    }

    /// Ends it as a crash would; its data stay.
    pub(crate) async fn kill(&self) {
        match &self.kind {
            Kind::Server(server) => server.kill().await,
            Kind::Way(gateway, _) => gateway.cut(),
        }
    }

    /// Starts it again.
    pub(crate) async fn resume(&self) {
        match &self.kind {
            Kind::Server(server) => server.resume().await,
            Kind::Way(gateway, _) => gateway.open(),
        }
    }

    /// A connection to the database.
    pub(crate) async fn client(&self) -> Result<Client, String> {
        let (server, name) = self.place();
        server.client(&name).await
    }

    /// Executes statements in the database, each by itself.
    pub(crate) async fn execute(&self, statements: &[&str]) {
        let client = self.client().await.expect("the server answers");
        for statement in statements {
            client.batch_execute(statement).await.expect("the statement is right");
        }
    }

    /// The number that a query finds.
    pub(crate) async fn count(&self, query: &str) -> i64 {
        let client = self.client().await.expect("the server answers");
        client.query_one(query, &[]).await.expect("the query is right").get(0)
    }

    fn place(&self) -> (&PostgresServer, String) {
        match &self.kind {
            Kind::Server(server) => {
                let path = reqwest::Url::parse(&self.url).expect("a URL").path().to_owned();
                (server, path.trim_start_matches('/').to_owned())
            }
            Kind::Way(_, database) => {
                let (server, name) = database.server();
                (server, name.to_owned())
            }
        }
    }

    /// The database on a server of its own.
    fn on(server: PostgresServer, name: &str) -> Self {
        Self { url: server.url(name).into(), kind: Kind::Server(Arc::new(server)) }
    }

    /// With these settings, on a cluster of the programs on this machine.
    async fn with(settings: &[&str], locales: Option<PathBuf>) -> Result<Self, String> {
        let server = PostgresServer::programs(Run::current().folder(), settings, locales.as_deref()).await?;
        let name = server.create(NAME, false).await;
        Ok(Self::on(server, &name))
    }
}

impl Replicated {
    /// Both, for whoever connects to the one that takes writes.
    pub(crate) fn url(&self) -> String {
        self.url_with(self.primary.url())
    }

    /// The same with another way to the primary.
    pub(crate) fn url_with(&self, primary: &str) -> String {
        let server = |url: &str| reqwest::Url::parse(url).expect("a URL");
        let (primary, standby) = (server(primary), server(self.standby.url()));
        let port = |one: &reqwest::Url| one.port().expect("a port");
        let both = format!("127.0.0.1:{},127.0.0.1:{}", port(&primary), port(&standby));
        primary.as_str().replace(&format!("127.0.0.1:{}", port(&primary)), &both)
    }
}

impl Given for OwnPostgres {
    const BACKENDS: &'static [Backend] = &[Backend::Postgres];

    async fn given(on: Backend) -> Result<Self, String> {
        if let Some(server) = PostgresServer::own(Run::current().folder()).await? {
            let name = server.create(NAME, false).await;
            return Ok(Self::on(server, &name));
        }
        let database = Database::empty(on).await?;
        let gateway = Gateway::to(database.url()).await;
        Ok(Self { url: gateway.url(database.url()), kind: Kind::Way(gateway, database) })
    }
}

impl Given for Replicated {
    const BACKENDS: &'static [Backend] = &[Backend::Postgres];

    async fn given(_: Backend) -> Result<Self, String> {
        let primary = OwnPostgres::with(&[], None).await?;
        let (server, name) = primary.place();
        let standby = OwnPostgres::on(server.follower(Run::current().folder()).await?, &name);
        primary
            .execute(&["ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"])
            .await;
        Ok(Self { primary, standby })
    }
}

impl Given for OfFewConnections {
    const BACKENDS: &'static [Backend] = &[Backend::Postgres];

    async fn given(_: Backend) -> Result<Self, String> {
        let settings = ["max_connections=20", "superuser_reserved_connections=3"];
        OwnPostgres::with(&settings, None).await.map(Self)
    }
}

impl Given for OfSlowCommits {
    const BACKENDS: &'static [Backend] = &[Backend::Postgres];

    async fn given(_: Backend) -> Result<Self, String> {
        OwnPostgres::with(&["fsync=on", "commit_delay=100000", "commit_siblings=0"], None).await.map(Self)
    }
}

impl Given for InGerman {
    const BACKENDS: &'static [Backend] = &[Backend::Postgres];

    async fn given(_: Backend) -> Result<Self, String> {
        let locales = Run::current().folder().path().join("locales");
        std::fs::create_dir_all(&locales).map_err(|error| error.to_string())?;
        let mut make = Command::new("localedef");
        make.args(["-i", "de_DE", "-f", "UTF-8", "--no-archive"]).arg(locales.join("de_DE.UTF-8"));
        if !make.output().is_ok_and(|done| done.status.success()) {
            return Err(
                "They need `localedef` and the locales' sources: Debian's package `locales`.".to_owned()
            );
        }
        OwnPostgres::with(&["lc_messages=de_DE.UTF-8"], Some(locales)).await.map(Self)
    }
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        if let Kind::Server(server) = &self.kind {
            let server = Arc::clone(server);
            Run::current().before_the_end(async move { server.remove().await });
        }
    }
}
