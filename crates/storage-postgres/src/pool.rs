//! Connections, kept open and lent out one at a time.
//!
//! Lending costs no round trip: whether a connection is closed, or was left amid a transaction, is known
//! without asking the server, and one that failed otherwise is not taken back.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{Hook, HookError, PoolError, TimeoutType};
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::deadpool::{Object, Pool as Connections};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use futures_util::FutureExt;

use crate::SetupError;
use crate::connector::Connector;
use crate::error::{Error, Fault};

/// The age at which a connection is replaced, so that a server that was added, or a role whose settings
/// were changed, comes into use.
const OLD: Duration = Duration::from_secs(20 * 60);

#[derive(Clone)]
pub(crate) struct Pool(Connections<AsyncPgConnection>);

impl Pool {
    /// Opens nothing yet. `wait` is for a connection that is in use by others.
    pub(crate) fn new(connector: Connector, size: usize, wait: Duration) -> Result<Self, SetupError> {
        let within = connector.within;
        let mut config = ManagerConfig::default();
        config.recycling_method = RecyclingMethod::Fast;
        config.custom_setup = Box::new(move |_| {
            let connector = connector.clone();
            async move { connector.connect().await }.boxed()
        });
        let pool = Connections::builder(AsyncDieselConnectionManager::new_with_config("", config))
            .max_size(size)
            .wait_timeout(Some(wait))
            .create_timeout(Some(within))
            .recycle_timeout(Some(within))
            .pre_recycle(Hook::sync_fn(|_, metrics| {
                if metrics.age() > OLD { Err(HookError::message("it is old")) } else { Ok(()) }
            }))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|_| SetupError::Setting {
                name: "pool_wait",
                reason: "it needs a runtime with timers",
            })?;
        Ok(Self(pool))
    }

    pub(crate) async fn get(&self) -> Result<Lease, Error> {
        let connection = self.0.get().await.map_err(|error| match error {
            PoolError::Backend(error) => Error::Unavailable(error.into()),
            PoolError::Timeout(TimeoutType::Wait) => Error::Unavailable("all connections are in use".into()),
            other => Error::Unavailable(other.into()),
        })?;
        Ok(Lease(connection))
    }
}

/// A connection that is lent out, and goes back when this is dropped.
pub(crate) struct Lease(Object<AsyncPgConnection>);

impl Lease {
    /// Gives the connection back, or away where the outcome says that it is lost.
    pub(crate) fn settle<T>(self, outcome: QueryResult<T>) -> Result<T, Error> {
        self.end(outcome.map_err(Error::from))
    }

    /// The same for the outcome of several statements.
    pub(crate) fn end<T>(self, outcome: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &outcome
            && error.fault() == Fault::Lost
        {
            self.discard();
        }
        outcome
    }

    /// Closes the connection and whatever others are idle: what ended this one, a server that restarts or
    /// that became a standby, mostly ends them too.
    pub(crate) fn discard(self) {
        if let Some(pool) = Object::pool(&self.0) {
            pool.retain(|_, _| false);
        }
        drop(Object::take(self.0));
    }
}

impl Deref for Lease {
    type Target = AsyncPgConnection;

    fn deref(&self) -> &AsyncPgConnection {
        &self.0
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut AsyncPgConnection {
        &mut self.0
    }
}
