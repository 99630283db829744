//! The connections that read, each lent to one closure at a time on a thread that may block; or, for what is over at
//! once, on the thread that asks.

use std::time::{Duration, Instant};

use deadpool::Runtime;
use deadpool::managed::{Manager, Metrics, Object, Pool, PoolError, RecycleResult, Status, TimeoutType};
use diesel::SqliteConnection;
use metrics::Histogram;
use tokio::task::spawn_blocking;

use crate::SetupError;
use crate::brief::Brief;
use crate::connector::Connector;
use crate::error::Error;
use crate::measured::{self, State};

/// How long opening a connection may take.
const OPEN: Duration = Duration::from_secs(5);

/// What they are called where they are measured.
const POOL: &str = "read";

#[derive(Clone)]
pub(crate) struct Readers {
    pool: Pool<Connector>,
    brief: Brief,
    waited: Histogram,
}

impl Readers {
    /// Opens nothing yet. `wait` is for a connection that is in use by others.
    pub(crate) fn new(connector: Connector, size: usize, wait: Duration) -> Result<Self, SetupError> {
        let brief = Brief::new(&connector);
        let pool = Pool::builder(connector)
            .max_size(size)
            .wait_timeout(Some(wait))
            .create_timeout(Some(wait.max(OPEN)))
            .recycle_timeout(Some(wait))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|_| SetupError::Setting {
                name: "pool_wait",
                reason: "it needs a runtime with timers",
            })?;
        Ok(Self { pool, brief, waited: Histogram::noop() })
    }

    /// The same, whose waiting is measured.
    pub(crate) fn measured(self) -> Self {
        Self { waited: measured::waited(POOL), ..self }
    }

    /// Measures how they are.
    pub(crate) fn measure(&self) {
        let Status { max_size: max, size, available: idle, waiting: pending } = self.pool.status();
        measured::measure(POOL, &State { max, used: size.saturating_sub(idle), idle, pending });
    }

    /// Runs a `read` of few rows, found by an index. It may be run twice.
    pub(crate) async fn read_few<T: Send + 'static>(
        &self,
        read: impl Fn(&mut SqliteConnection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        match self.brief.read(&read) {
            Some(done) => done,
            None => self.read(read).await,
        }
    }

    /// Runs `read` on a connection. It is run whole, also where nobody waits for it any more.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut SqliteConnection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let asked = Instant::now();
        let lent = self.pool.get().await;
        self.waited.record(asked.elapsed());
        let mut conn = lent.map_err(|error| match error {
            PoolError::Backend(error) => error,
            PoolError::Timeout(TimeoutType::Wait) => Error::Unavailable("all readers are in use".into()),
            other => Error::Unavailable(other.into()),
        })?;
        let task = spawn_blocking(move || {
            let outcome = read(&mut conn);
            if outcome.as_ref().is_err_and(|error| !error.spares_connection()) {
                drop(Object::take(conn));
            }
            outcome
        });
        task.await.unwrap_or_else(|stopped| Err(stopped.into()))
    }
}

impl Manager for Connector {
    type Type = SqliteConnection;
    type Error = Error;

    async fn create(&self) -> Result<SqliteConnection, Error> {
        let connector = self.clone();
        let opened = spawn_blocking(move || connector.reader_of_many()).await;
        opened.map_err(|stopped| Error::Internal(stopped.into()))?
    }

    /// A connection that a panic left amid a transaction is closed.
    async fn recycle(&self, conn: &mut SqliteConnection, _: &Metrics) -> RecycleResult<Error> {
        use diesel::connection::{AnsiTransactionManager, TransactionManager};
        if AnsiTransactionManager::is_broken_transaction_manager(conn) {
            return Err(Error::Internal("it is in a transaction".into()).into());
        }
        Ok(())
    }
}
