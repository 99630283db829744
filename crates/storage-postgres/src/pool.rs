//! Connections, kept open and lent out one at a time.
//!
//! Lending costs no round trip: whether a connection is closed, or was left amid its work, is known without
//! asking the server, and one that failed otherwise is not taken back.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool::Runtime;
use deadpool::managed::{Hook, HookError, Metrics, PoolError, TimeoutType};
use diesel_async::pooled_connection::deadpool::{Object, Pool as Connections};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AnsiTransactionManager, AsyncPgConnection, TransactionManager};
use futures_util::FutureExt;
use metrics::Histogram;
use tokio::time::timeout;

use crate::SetupError;
use crate::connector::Connector;
use crate::error::{Error, Fault};
use crate::measured::{self, State};
use crate::turnover::Turnover;

/// The age at which a connection is replaced, so that a server that was added, or a role whose settings
/// were changed, comes into use. Up to half as much comes to it, another for each connection: those that
/// were opened at once are not to be replaced at once.
const OLD: Duration = Duration::from_secs(15 * 60);

/// What it is called where it is measured: here reads and writes have one pool.
const POOL: &str = "read_write";

#[derive(Clone)]
pub(crate) struct Pool {
    connections: Connections<AsyncPgConnection>,
    turnover: Turnover,
    waited: Histogram,
    /// How a transaction begins.
    begin: Arc<str>,
    /// Whether each statement needs one.
    pub(crate) by_transaction: bool,
    /// How long a server may say nothing.
    silence: Option<Duration>,
}

/// How many statements a read makes at the most.
const STATEMENTS: u32 = 6;

/// How soon a connection that is dead turns out to be so. Whoever waited for longer has mostly given up by now.
const SOON: Duration = Duration::from_secs(1);

impl Pool {
    /// Opens nothing yet. `wait` is for a connection that is in use by others.
    pub(crate) fn new(connector: Connector, size: usize, wait: Duration) -> Result<Self, SetupError> {
        let (begin, by_transaction) = (connector.begin("BEGIN").into(), connector.is_by_transaction());
        let (silence, turnover) = (connector.silence(), connector.turnover.clone());
        let mut config = ManagerConfig::default();
        config.recycling_method = RecyclingMethod::Fast;
        config.custom_setup = Box::new(move |_| {
            let connector = connector.clone();
            async move { connector.connect().await }.boxed()
        });
        let (made, watched) = (Instant::now(), turnover.clone());
        let connections = Connections::builder(AsyncDieselConnectionManager::new_with_config("", config))
            .max_size(size)
            .wait_timeout(Some(wait))
            .pre_recycle(Hook::sync_fn(move |_, metrics| {
                if is_old(metrics, made) {
                    Err(HookError::message("it is old"))
                } else if watched.is_past(metrics.created) {
                    Err(HookError::message("its server took no writes, or hung"))
                } else {
                    Ok(())
                }
            }))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|_| SetupError::Setting {
                name: "pool_wait",
                reason: "it needs a runtime with timers",
            })?;
        Ok(Self { connections, turnover, waited: Histogram::noop(), begin, by_transaction, silence })
    }

    /// The same, whose waiting is measured.
    pub(crate) fn measured(self) -> Self {
        Self { waited: measured::waited(POOL), ..self }
    }

    /// Measures how its connections are.
    pub(crate) fn measure(&self) {
        let status = self.connections.status();
        let (max, idle) = (status.max_size, status.available);
        let used = status.size.saturating_sub(idle);
        measured::measure(POOL, &State { max, used, idle, pending: status.waiting });
    }

    /// Whether no connection is lent, or being opened for whoever is to have it.
    pub(crate) fn is_free(&self) -> bool {
        let status = self.connections.status();
        status.waiting == 0 && status.available == status.size
    }

    pub(crate) async fn get(&self) -> Result<Lease, Error> {
        let asked = Instant::now();
        let lent = self.connections.get().await;
        self.waited.record(asked.elapsed());
        let connection = lent.map_err(|error| match error {
            PoolError::Backend(error) => Error::Unavailable(error.into()),
            PoolError::Timeout(TimeoutType::Wait) => Error::Unavailable("all connections are in use".into()),
            other => Error::Unavailable(other.into()),
        })?;
        Ok(Lease { connection, turnover: self.turnover.clone(), in_transaction: false, is_done: false })
    }

    /// Has a connection open. It goes on being opened where nobody waits for it any more, so that a server which is
    /// slow to let anybody in does so some time.
    pub(crate) async fn open(&self) -> Result<(), Error> {
        let pool = self.clone();
        let opened = tokio::spawn(async move { pool.get().await?.end(Ok(())) }).await;
        opened.unwrap_or_else(|ended| Err(Error::Unavailable(ended.into())))
    }

    /// A connection with a transaction on it. Where the first turns out to be dead at once nothing was done yet, and
    /// another one is taken.
    pub(crate) async fn begin(&self) -> Result<Lease, Error> {
        self.begin_by(&self.begin).await
    }

    /// The same for a transaction that begins by another statement.
    pub(crate) async fn begin_by(&self, statement: &str) -> Result<Lease, Error> {
        let conn = self.get().await?;
        let asked = Instant::now();
        match conn.begin(statement).await {
            Err(error) if error.fault() == Fault::Lost && asked.elapsed() < SOON => {
                self.get().await?.begin(statement).await
            }
            begun => begun,
        }
    }

    /// Reads what is asked for, and once more on another connection where the first turned out to be dead: to
    /// read twice does no harm.
    pub(crate) async fn read<Asked: Copy, T>(
        &self,
        read: impl AsyncFn(&mut AsyncPgConnection, Asked) -> Result<T, Error>,
        asked: Asked,
    ) -> Result<T, Error> {
        match self.read_once(&read, asked).await {
            Err(error) if error.fault() == Fault::Lost => self.read_once(&read, asked).await,
            outcome => outcome,
        }
    }

    async fn read_once<Asked, T>(
        &self,
        read: &impl AsyncFn(&mut AsyncPgConnection, Asked) -> Result<T, Error>,
        asked: Asked,
    ) -> Result<T, Error> {
        let mut conn = self.lend().await?;
        let outcome = self.in_time(read(&mut conn, asked)).await;
        conn.finish(outcome).await
    }

    /// What a read finds, all its rows: some statements, each in the time that a server may say nothing.
    pub(crate) async fn in_time<T>(&self, read: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let Some(silence) = self.silence else { return read.await };
        timeout(silence.saturating_mul(STATEMENTS), read).await.unwrap_or(Err(Error::Silent))
    }

    /// A connection for one statement.
    pub(crate) async fn lend(&self) -> Result<Lease, Error> {
        if self.by_transaction { self.begin().await } else { self.get().await }
    }
}

fn is_old(metrics: &Metrics, pool_made: Instant) -> bool {
    metrics.age() > life(metrics.created, pool_made)
}

/// How long a connection is kept. How much comes to its life depends on when it was opened, to the microsecond.
pub(crate) fn life(opened: Instant, pool_made: Instant) -> Duration {
    let after = opened.saturating_duration_since(pool_made);
    OLD + OLD * (after.subsec_micros() % 1_000) / 2_000
}

/// A connection that is lent out, and goes back when this is dropped; to be lent again only once its work has
/// come to an [end](Self::end), as the server may still be at it.
pub(crate) struct Lease {
    connection: Object<AsyncPgConnection>,
    turnover: Turnover,
    in_transaction: bool,
    is_done: bool,
}

impl Lease {
    /// Begins a transaction. A connection on which that failed, in part or whole, is not lent again.
    async fn begin(mut self, statement: &str) -> Result<Self, Error> {
        match AnsiTransactionManager::begin_transaction_sql(&mut *self, statement).await {
            Ok(()) => {
                self.in_transaction = true;
                Ok(self)
            }
            Err(error) => {
                let error = Error::from(error);
                if error.fault() == Fault::Lost {
                    self.discard();
                }
                Err(error)
            }
        }
    }

    /// Ends the transaction, if there is one: commits it where the outcome is a good one.
    pub(crate) async fn finish<T>(mut self, outcome: Result<T, Error>) -> Result<T, Error> {
        if !self.in_transaction {
            return self.end(outcome);
        }
        let outcome = match outcome {
            Ok(done) => {
                let committed = AnsiTransactionManager::commit_transaction(&mut *self).await;
                committed.map(|()| done).map_err(Error::of_commit)
            }
            // There is nobody to be told.
            Err(error) if error.fault() == Fault::Lost => Err(error),
            Err(error) => {
                // Where this fails, too, the connection is known to be broken.
                let _ = AnsiTransactionManager::rollback_transaction(&mut *self).await;
                Err(error)
            }
        };
        self.end(outcome)
    }

    /// Gives the connection back, or away where the outcome says that it is lost.
    pub(crate) fn end<T>(mut self, outcome: Result<T, Error>) -> Result<T, Error> {
        match outcome.as_ref().map_err(Error::fault) {
            Err(Fault::Lost) => self.discard(),
            Err(Fault::ReadOnly) => {
                self.turnover.begin();
                self.discard();
            }
            Ok(_) | Err(Fault::Busy | Fault::Conflict | Fault::Other) => self.is_done = true,
        }
        outcome
    }

    /// Closes the connection and whatever others are idle: what ended this one, a server that restarts or
    /// that became a standby, mostly ends them too.
    fn discard(self) {
        let pool = Object::pool(&self.connection);
        // It goes back as one of no use, and so is among the idle ones.
        drop(self);
        if let Some(pool) = pool {
            pool.retain(|_, _| false);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.is_done {
            AnsiTransactionManager::transaction_manager_status_mut(&mut *self.connection).set_in_error();
        }
    }
}

impl Deref for Lease {
    type Target = AsyncPgConnection;

    fn deref(&self) -> &AsyncPgConnection {
        &self.connection
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut AsyncPgConnection {
        &mut self.connection
    }
}
