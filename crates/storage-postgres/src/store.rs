use std::time::Duration;

use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_async::RunQueryDsl;
use roster_domain::ports::{HealthCheck, Unhealthy};
use tokio::time::timeout;

use crate::connector::Connector;
use crate::export::Exports;
use crate::lead::Candidate;
use crate::pool::{Lease, Pool};
use crate::{PgEvents, PgOutbox, PgUsers, PostgresConfig, SetupError, migrations, url};

/// How long a health check waits for an answer.
const HEALTH: Duration = Duration::from_secs(2);

/// A PostgreSQL database. A clone is another handle of the same connections.
#[derive(Clone)]
pub struct Postgres {
    pub(crate) connector: Connector,
    pool: Pool,
    /// One connection beside the pool, so that a health check never waits behind requests.
    probe: Pool,
    exports: Exports,
}

impl Postgres {
    /// Checks the configuration, and opens no connection.
    #[expect(clippy::needless_pass_by_value, reason = "a configuration is for one store")]
    pub fn new(config: PostgresConfig) -> Result<Self, SetupError> {
        if config.pool_size == 0 {
            return Err(SetupError::Setting { name: "pool_size", reason: "it is to be 1 or more" });
        }
        let connector = Connector::new(&config)?;
        Ok(Self {
            pool: Pool::new(connector.clone(), config.pool_size, config.pool_wait)?,
            probe: Pool::new(connector.clone(), 1, HEALTH)?,
            exports: Exports::of_pool(config.pool_size, config.pool_wait),
            connector,
        })
    }

    /// Runs the migrations that the database lacks, and tells their names. Any number of instances may call
    /// it at once: one runs them, the others wait up to a minute for it.
    ///
    /// # Errors
    ///
    /// Also where a newer version of Roster made the schema: it is left as it is.
    pub async fn migrate(&self) -> Result<Vec<String>, SetupError> {
        migrations::migrate(&self.connector).await
    }

    /// Whether the schema is the one that this version of Roster knows; changes nothing.
    pub async fn check_schema(&self) -> Result<(), SetupError> {
        migrations::check(&self.connector).await
    }

    /// The users in this database.
    pub fn users(&self) -> PgUsers {
        PgUsers { pool: self.pool.clone(), exports: self.exports.clone() }
    }

    /// The events in this database.
    pub fn events(&self) -> PgEvents {
        PgEvents(self.pool.clone())
    }

    /// How far the events in this database were told to others.
    pub fn outbox(&self) -> PgOutbox {
        PgOutbox { pool: self.pool.clone(), candidate: Candidate::new(self.connector.clone()) }
    }
}

#[async_trait]
impl HealthCheck for Postgres {
    /// Asks the server whether it takes writes.
    async fn check(&self) -> Result<(), Unhealthy> {
        let mut conn = timeout(HEALTH, self.probe.get())
            .await
            .map_err(|_| Unhealthy("there is no connection in time".into()))?
            .map_err(|error| Unhealthy(url::chain(&error).into()))?;
        match timeout(HEALTH, takes_writes(&mut conn)).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(discarded(conn, "it takes no writes")),
            Ok(Err(error)) => Err(discarded(conn, &error.to_string())),
            Err(_) => Err(discarded(conn, "it does not answer in time")),
        }
    }
}

async fn takes_writes(conn: &mut Lease) -> QueryResult<bool> {
    #[derive(QueryableByName)]
    struct Answer {
        #[diesel(sql_type = Bool)]
        takes_writes: bool,
    }
    let asked =
        diesel::sql_query("SELECT NOT current_setting('transaction_read_only')::bool AS takes_writes");
    let answer: Answer = asked.get_result(&mut **conn).await?;
    Ok(answer.takes_writes)
}

/// What a check found, with a new connection for the next one.
fn discarded(conn: Lease, found: &str) -> Unhealthy {
    conn.discard();
    Unhealthy(found.into())
}
