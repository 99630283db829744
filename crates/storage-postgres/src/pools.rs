//! The pool that all work with, and for each runtime a connection of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Id;

use crate::connector::Connector;
use crate::pool::Pool;

/// Pools of connections. A clone is the same.
#[derive(Clone)]
pub(crate) struct Pools {
    /// Of connections that live where the program began.
    pub(crate) common: Pool,
    /// Opens what is a runtime's own.
    connector: Connector,
    wait: Duration,
    own: Arc<Mutex<HashMap<Id, Pool>>>,
}

impl Pools {
    /// Opens nothing yet.
    pub(crate) fn new(common: Pool, connector: &Connector, wait: Duration) -> Self {
        Self { common, connector: connector.here(), wait, own: Arc::default() }
    }

    /// The pool of the one connection that lives on this runtime, where no other thread is woken for it.
    pub(crate) fn own(&self, here: Id) -> Pool {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = own.get(&here) {
            return pool.clone();
        }
        let Ok(pool) = Pool::new(self.connector.clone(), 1, self.wait) else {
            return self.common.clone();
        };
        own.insert(here, pool.clone());
        pool
    }
}
