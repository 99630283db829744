use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use diesel_async::AsyncPgConnection;
use roster_domain::ports::{HealthCheck, Unhealthy};
use roster_domain::{Page, User, UserId, UserQuery, chain};
use tokio::time::timeout;

use crate::batched::Batched;
use crate::connector::Connector;
use crate::error::Error;
use crate::export::Exports;
use crate::group_commit::GroupCommit;
use crate::lead::{Candidate, check_takes_writes};
use crate::pipelines::Pipelines;
use crate::pool::Pool;
use crate::pools::Pools;
use crate::turns::Turns;
use crate::{PgEvents, PgOutbox, PgUsers, PostgresConfig, SetupError, find, list, migrations};

/// How long a health check waits for a connection, and for an answer.
const HEALTH: Duration = Duration::from_secs(2);

/// How many connections those have who run beside requests.
const BESIDE: usize = 2;

/// How many users are found, and how many pages read, by one statement at the most.
const FINDS: usize = 64;
const PAGES: usize = 16;

/// How long a short read waits for its answer on the connection of its runtime: no longer than the server lets it take.
fn patience(config: &PostgresConfig) -> Duration {
    let patience = config.pool_wait.saturating_mul(2);
    if config.statement_timeout.is_zero() { patience } else { patience.min(config.statement_timeout) }
}

/// A PostgreSQL database. A clone is another handle of the same connections.
#[derive(Clone)]
pub struct Postgres {
    pub(crate) connector: Connector,
    /// Opens what needs a session of its own.
    direct: Connector,
    pool: Pool,
    pipelines: Arc<Pipelines>,
    finds: Batched<UserId, Option<User>>,
    pages: Batched<UserQuery, Page<User>>,
    creates: GroupCommit,
    /// Two connections beside the pool, for those who number events, publish them and forget them, so that they never
    /// wait behind requests.
    beside: Pool,
    /// One more, so that neither does a health check.
    probe: Pool,
    searches: Turns,
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
        let pool = Pool::new(connector.clone(), config.pool_size, config.pool_wait)?;
        let pool = pool.measured();
        let pipelines = Arc::new(Pipelines::new(pool.clone(), connector.for_pipelines(), patience(&config)));
        Ok(Self {
            finds: Batched::new(pipelines.clone(), find::find_each, FINDS),
            pages: Batched::new(pipelines.clone(), list::usual_pages, PAGES),
            pipelines,
            creates: GroupCommit::new(Pools::new(pool.clone(), &connector, config.pool_wait)),
            pool,
            beside: Pool::new(connector.clone(), BESIDE, config.pool_wait)?,
            probe: Pool::new(connector.for_checks(), 1, HEALTH)?,
            searches: Turns::new(config.pool_size / 2, config.pool_wait, "searches"),
            exports: Exports::of_pool(config.pool_size, config.pool_wait, &connector),
            direct: Connector::direct(&config)?,
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
        migrations::migrate(&self.direct).await
    }

    /// Whether the schema has all that this version of Roster needs; changes nothing. It tells which
    /// migrations of newer versions there are beside: those leave in place what this version works with.
    pub async fn check_schema(&self) -> Result<Vec<String>, SetupError> {
        migrations::check(&self.direct).await
    }

    /// Measures how its connections are; not those beside the pool.
    pub fn measure(&self) {
        self.pool.measure();
    }

    /// The users in this database.
    pub fn users(&self) -> PgUsers {
        PgUsers {
            pool: self.pool.clone(),
            pipelines: self.pipelines.clone(),
            finds: self.finds.clone(),
            pages: self.pages.clone(),
            creates: self.creates.clone(),
            searches: self.searches.clone(),
            exports: self.exports.clone(),
        }
    }

    /// The events in this database.
    pub fn events(&self) -> PgEvents {
        PgEvents {
            pool: self.pool.clone(),
            beside: self.beside.clone(),
            pipelines: self.pipelines.clone(),
            is_first: Arc::new(true.into()),
            pruned: Arc::default(),
        }
    }

    /// How far the events in this database were told to others.
    pub fn outbox(&self) -> PgOutbox {
        PgOutbox { pool: self.beside.clone(), candidate: Candidate::new(self.direct.clone()) }
    }
}

#[async_trait]
impl HealthCheck for Postgres {
    /// Asks the server whether it takes writes; where it does not, no connection to it is of use.
    async fn check(&self) -> Result<(), Unhealthy> {
        in_time(self.probe.open()).await?;
        in_time(self.probe.read(takes_writes, ())).await
    }
}

async fn in_time(asked: impl Future<Output = Result<(), Error>>) -> Result<(), Unhealthy> {
    let answer = timeout(HEALTH, asked).await.map_err(|_| Unhealthy("it does not answer in time".into()))?;
    answer.map_err(|error| Unhealthy(chain(&error).into()))
}

async fn takes_writes(conn: &mut AsyncPgConnection, (): ()) -> Result<(), Error> {
    check_takes_writes(conn).await
}
