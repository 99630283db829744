//! The PostgreSQL server of a run: found in the environment, or started.

use std::env;
use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use reqwest::Url;
use testcontainers_modules::postgres::Postgres;
use testcontainers_modules::testcontainers::ImageExt;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep};
use tokio_postgres::{Client, NoTls};

use super::PLAIN;
use super::docker::Container;
use super::programs::Cluster;
use crate::kit::folder::Folder;

/// A server to use, by the URL of a user who may create databases.
const URL: &str = "ROSTER_TEST_POSTGRES_URL";
/// Which way of finding one to take, where not all are to be tried: `docker`, `programs` or `none`.
const WAY: &str = "ROSTER_TEST_POSTGRES";

const STARTUP: Duration = Duration::from_secs(60);

/// A server, and how it came to be there.
pub(crate) struct PostgresServer {
    url: Url,
    origin: Origin,
    run: String,
    template: OnceCell<String>,
}

enum Origin {
    Given,
    Container(Box<Container<Postgres>>),
    Cluster(Cluster),
}

impl PostgresServer {
    /// Tests connect from many processes at once, and nothing on a server has to outlive a power cut.
    pub(crate) const OF_TESTS: &[&str] = &["max_connections=400", "fsync=off", "full_page_writes=off"];

    /// A server from the environment; else a container; else a cluster of the programs on this machine, both
    /// with these settings; else why none of these.
    pub(crate) async fn find(folder: &Folder, settings: &[&str]) -> Result<Self, String> {
        if let Ok(given) = env::var(URL) {
            let url = Url::parse(&given).map_err(|error| format!("{URL}: {error}"))?;
            let server = Self { url, origin: Origin::Given, run: folder.run(), template: OnceCell::new() };
            let reached = connect(&server.url).await.map(drop);
            return reached.map(|()| server).map_err(|error| format!("PostgreSQL at {URL}: {error}."));
        }
        Self::start(folder, settings).await
    }

    /// A server that one test may stop and start; `None` where servers are not started but given.
    pub(crate) async fn own(folder: &Folder) -> Result<Option<Self>, String> {
        if env::var_os(URL).is_some() {
            Ok(None)
        } else {
            Self::start(folder, Self::OF_TESTS).await.map(Some)
        }
    }

    /// A cluster of the programs on this machine, with these settings too, and with the languages of a folder.
    pub(crate) async fn programs(
        folder: &Folder,
        settings: &[&str],
        locales: Option<&Path>,
    ) -> Result<Self, String> {
        let settings = [Self::OF_TESTS, settings].concat();
        let cluster = Cluster::start(folder.path(), &password(&folder.run()), &arguments(&settings), locales);
        Self::of_programs(folder, cluster).await
    }

    /// A standby that follows this one, which is a cluster of the programs on this machine.
    pub(crate) async fn follower(&self, folder: &Folder) -> Result<Self, String> {
        let Origin::Cluster(cluster) = &self.origin else { panic!("only a cluster has a follower") };
        Self::of_programs(folder, cluster.follower(folder.path(), &password(&folder.run()))).await
    }

    async fn of_programs(folder: &Folder, cluster: Result<Cluster, String>) -> Result<Self, String> {
        let started = cluster.map(|cluster| (cluster.port(), Origin::Cluster(cluster)));
        let ready = Self::ready(folder, started).await;
        ready.map_err(|reason| format!("They need the programs of PostgreSQL on this machine: {reason}."))
    }

    /// The URL of a database on this server.
    pub(crate) fn url(&self, database: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(database);
        url
    }

    /// Creates a database, empty or with the schema, under a name that no other has.
    pub(crate) async fn create(&self, name: &str, with_schema: bool) -> String {
        let name = format!("{}_{name}", prefix(&self.run));
        let template = if with_schema { self.template().await } else { "template0" };
        let created = self.execute(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        created.expect("a database can be created");
        name
    }

    /// Drops a database, whoever is still connected to it.
    pub(crate) async fn drop_database(&self, name: &str) {
        if let Err(error) = self.execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await {
            eprintln!("database {name} is left: {error}");
        }
    }

    /// Executes one statement as the server's administrator.
    pub(crate) async fn execute(&self, statement: &str) -> Result<(), String> {
        let client = connect(&self.url).await?;
        client.batch_execute(statement).await.map_err(|error| error.to_string())
    }

    /// The number that a query finds, asked by the server's administrator.
    pub(crate) async fn count(&self, query: &str) -> i64 {
        let client = connect(&self.url).await.expect("the server answers");
        client.query_one(query, &[]).await.expect("the query is right").get(0)
    }

    /// A connection to one of its databases.
    pub(crate) async fn client(&self, database: &str) -> Result<Client, String> {
        connect(&self.url(database)).await
    }

    /// Executes statements in one of its databases.
    pub(crate) async fn execute_in(&self, database: &str, statements: &str) {
        let client = self.client(database).await.expect("the server answers");
        client.batch_execute(statements).await.expect("the statements are right");
    }

    /// Stops the server, if it is this run's own.
    pub(crate) async fn stop(&self) {
        match &self.origin {
            Origin::Given => panic!("a server that was given is not to be stopped"),
            Origin::Container(container) => container.stop().await,
            Origin::Cluster(cluster) => cluster.stop(),
        }
    }

    /// Ends the server as a crash would, if it is this run's own.
    pub(crate) async fn kill(&self) {
        match &self.origin {
            Origin::Given => panic!("a server that was given is not to be killed"),
            Origin::Container(container) => container.kill().await,
            Origin::Cluster(cluster) => cluster.kill(),
        }
    }

    /// Starts the server again, and waits until it answers.
    pub(crate) async fn resume(&self) {
        match &self.origin {
            Origin::Given => {}
            Origin::Container(container) => container.resume().await,
            Origin::Cluster(cluster) => resume(cluster).await,
        }
        self.is_ready().await.expect("the server answers again");
    }

    /// Ends the server, if it is this run's own, and whatever the run made on it.
    pub(crate) async fn remove(&self) {
        match &self.origin {
            Origin::Given => drop_databases(&self.url, &self.run).await,
            Origin::Container(container) => container.remove().await,
            Origin::Cluster(cluster) => cluster.remove(),
        }
    }

    async fn start(folder: &Folder, settings: &[&str]) -> Result<Self, String> {
        let way = env::var(WAY).ok();
        let wanted = |one: &str| way.as_deref().is_none_or(|way| way == one);
        let not_wanted = || format!("not tried, as {WAY} says");
        let settings = arguments(settings);
        let container = if wanted("docker") {
            let image = Postgres::default()
                .with_password(&password(&folder.run()))
                .with_tag("15")
                .with_env_var("POSTGRES_HOST_AUTH_METHOD", PLAIN)
                .with_cmd(&settings);
            let started = Container::start(folder, image, 5432).await;
            started.map(|container| (container.port(), Origin::Container(Box::new(container))))
        } else {
            Err(not_wanted())
        };
        let docker = match Self::ready(folder, container).await {
            Ok(server) => return Ok(server),
            Err(reason) => reason,
        };
        let cluster = if wanted("programs") {
            let started = Cluster::start(folder.path(), &password(&folder.run()), &settings, None);
            started.map(|cluster| (cluster.port(), Origin::Cluster(cluster)))
        } else {
            Err(not_wanted())
        };
        Self::ready(folder, cluster).await.map_err(|programs| {
            format!(
                "They need PostgreSQL. {URL} is not set. Docker: {docker}. \
                 Programs on this machine: {programs}."
            )
        })
    }

    /// Once it answers; or what was started is removed again.
    async fn ready(folder: &Folder, started: Result<(u16, Origin), String>) -> Result<Self, String> {
        let (port, origin) = started?;
        let run = folder.run();
        let url = Url::parse(&format!("postgres://postgres:{}@127.0.0.1:{port}/postgres", password(&run)));
        let url = url.map_err(|error| error.to_string())?;
        let server = Self { url, origin, run, template: OnceCell::new() };
        match server.is_ready().await {
            Ok(()) => Ok(server),
            Err(reason) => {
                server.remove().await;
                Err(reason)
            }
        }
    }

    async fn is_ready(&self) -> Result<(), String> {
        let deadline = Instant::now() + STARTUP;
        loop {
            let Err(error) = self.execute("SELECT 1").await else { return Ok(()) };
            if let Origin::Cluster(cluster) = &self.origin
                && let Some(failure) = cluster.failure()
            {
                return Err(failure);
            }
            if Instant::now() > deadline {
                return Err(format!("started, but does not answer: {error}"));
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// A database with the schema, which others are copies of.
    async fn template(&self) -> &str {
        let migrated = || async {
            let name = format!("{}_template", prefix(&self.run));
            self.execute(&format!("CREATE DATABASE {name} TEMPLATE template0"))
                .await
                .expect("a template is created");
            crate::kit::database::migrate_postgres(self.url(&name).as_str()).await;
            name
        };
        self.template.get_or_init(migrated).await
    }
}

/// Starts a server again. What was left of one that was killed may take a moment to be gone.
async fn resume(cluster: &Cluster) {
    let deadline = Instant::now() + STARTUP;
    loop {
        cluster.resume().expect("the server can be started");
        sleep(Duration::from_millis(100)).await;
        let Some(failure) = cluster.failure() else { return };
        assert!(Instant::now() < deadline, "the server does not start again: {failure}");
    }
}

/// Settings, as the server's command line takes them.
fn arguments(settings: &[&str]) -> Vec<String> {
    settings.iter().flat_map(|setting| ["-c".to_owned(), (*setting).to_owned()]).collect()
}

/// Drops what dead runs left on the server from the environment.
pub(super) async fn sweep(dead: &[String]) {
    let Some(url) = env::var(URL).ok().and_then(|url| Url::parse(&url).ok()) else { return };
    for run in dead {
        drop_databases(&url, run).await;
    }
}

async fn drop_databases(url: &Url, run: &str) {
    let prefix = prefix(run);
    let named = "SELECT datname FROM pg_database WHERE starts_with(datname, $1)";
    let Ok(client) = connect(url).await else { return };
    for row in client.query(named, &[&prefix]).await.unwrap_or_default() {
        let name: String = row.get(0);
        if let Err(error) = client.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await {
            eprintln!("database {name} is left: {error}");
        }
    }
}

fn prefix(run: impl Display) -> String {
    format!("roster_tests_{run}")
}

fn password(run: &str) -> String {
    format!("secret-of-{run}")
}

async fn connect(url: &Url) -> Result<Client, String> {
    let told = |error: tokio_postgres::Error| match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    let (client, connection) = tokio_postgres::connect(url.as_str(), NoTls).await.map_err(told)?;
    // It ends with its client; what went wrong is told there.
    tokio::spawn(connection);
    Ok(client)
}
