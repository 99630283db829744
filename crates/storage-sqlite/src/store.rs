use std::io;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use diesel::connection::SimpleConnection;
use roster_domain::ports::{HealthCheck, Unhealthy};
use tokio::time::timeout;

use crate::connector::Connector;
use crate::error::Error;
use crate::export::Exports;
use crate::lead::SqliteLead;
use crate::migrations;
use crate::readers::Readers;
use crate::turns::Turns;
use crate::writer::Writer;
use crate::{SetupError, SqliteConfig, SqliteEvents, SqliteOutbox, SqliteUsers};

/// How long a health check waits for an answer.
const HEALTH: Duration = Duration::from_secs(2);

/// A SQLite file. A clone is another handle of the same connections. Several processes may have it open.
#[derive(Clone)]
pub struct Sqlite {
    writer: Writer,
    readers: Readers,
    /// For lists that may be no short walk.
    searches: Turns,
    exports: Exports,
    /// One connection for whoever publishes events, and one for health checks, which never wait behind requests.
    beside: Readers,
    probe: Readers,
    connector: Connector,
    lead: PathBuf,
}

impl Sqlite {
    /// Opens the file, or makes it. May wait, as long as `busy_timeout`, for another process that writes.
    #[expect(clippy::needless_pass_by_value, reason = "a configuration is for one store")]
    pub fn open(config: SqliteConfig) -> Result<Self, SetupError> {
        if config.readers == 0 {
            return Err(SetupError::Setting { name: "readers", reason: "it is to be 1 or more" });
        }
        if config.pool_wait <= config.busy_timeout {
            return Err(SetupError::Setting {
                name: "pool_wait",
                reason: "it is to be longer than busy_timeout, or requests end before those that they wait for",
            });
        }
        let (connector, writer) = Connector::make(&config)?;
        let readers = Readers::new(connector.clone(), config.readers, config.pool_wait)?.measured();
        let searches = Turns::new(config.readers / 2, config.pool_wait, "searches");
        let exports = Exports::new(&connector, config.readers, config.pool_wait)?;
        let beside = Readers::new(connector.clone(), 1, config.pool_wait)?;
        let probe = Readers::new(connector.clone(), 1, HEALTH)?;
        let refused =
            |error: io::Error| SetupError::Open { path: config.path.clone(), reason: error.to_string() };
        let lead = connector.beside(SqliteLead::FILE);
        let writer = Writer::start(connector.clone(), writer).map_err(refused)?;
        Ok(Self { writer, readers, searches, exports, beside, probe, connector, lead })
    }

    /// Runs the migrations that the database lacks, and tells their names. Any number of instances may call
    /// it at once: one runs them, the others wait for it.
    ///
    /// # Errors
    ///
    /// Also where a newer version of Roster made the schema: it is left as it is.
    pub async fn migrate(&self) -> Result<Vec<String>, SetupError> {
        setup(self.writer.transaction(|conn| Ok(migrations::migrate(conn))).await)
    }

    /// Whether the schema has all that this version of Roster needs; changes nothing. It tells which
    /// migrations of newer versions there are beside: those leave in place what this version works with.
    pub async fn check_schema(&self) -> Result<Vec<String>, SetupError> {
        setup(self.readers.read(|conn| Ok(migrations::check(conn))).await)
    }

    /// Measures how its connections are.
    pub fn measure(&self) {
        self.readers.measure();
        self.writer.measure();
    }

    /// The users in this file.
    pub fn users(&self) -> SqliteUsers {
        SqliteUsers {
            writer: self.writer.clone(),
            readers: self.readers.clone(),
            searches: self.searches.clone(),
            exports: self.exports.clone(),
        }
    }

    /// The events in this file.
    pub fn events(&self) -> SqliteEvents {
        SqliteEvents(self.readers.clone())
    }

    /// How far the events in this file were told to others.
    pub fn outbox(&self) -> SqliteOutbox {
        SqliteOutbox { writer: self.writer.clone(), readers: self.beside.clone(), lead: self.lead.clone() }
    }
}

fn setup<T>(outcome: Result<Result<T, SetupError>, Error>) -> Result<T, SetupError> {
    outcome.map_err(|error| match error {
        Error::Database(error) => migrations::failed(error.into()),
        Error::Unavailable(source) => migrations::failed(source),
        other => migrations::failed(other.into()),
    })?
}

#[async_trait]
impl HealthCheck for Sqlite {
    /// Reads from the file, if it is still the one that others find.
    async fn check(&self) -> Result<(), Unhealthy> {
        self.connector.check_place().map_err(|error| Unhealthy(error.into()))?;
        let read = self.probe.read(|conn| Ok(conn.batch_execute("SELECT count(*) FROM sqlite_schema")?));
        match timeout(HEALTH, read).await {
            Ok(read) => read.map_err(|error| Unhealthy(error.into())),
            Err(_) => Err(Unhealthy("it does not answer in time".into())),
        }
    }
}
