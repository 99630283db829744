//! The pool that all work with, and for each runtime a connection of its own.

use std::time::Duration;

use crate::connector::Connector;
use crate::per_runtime::PerRuntime;
use crate::pool::Pool;

/// Pools of connections. A clone is the same.
#[derive(Clone)]
pub(crate) struct Pools {
    /// Of connections that live where the program began.
    pub(crate) common: Pool,
    /// Opens what is a runtime's own.
    connector: Connector,
    wait: Duration,
    own: PerRuntime<Pool>,
}

impl Pools {
    /// Opens nothing yet.
    pub(crate) fn new(common: Pool, connector: &Connector, wait: Duration) -> Self {
        Self { common, connector: connector.here(), wait, own: PerRuntime::default() }
    }

    /// The pool of the one connection that lives on this runtime, where no other thread is woken for it.
    pub(crate) fn own(&self) -> Pool {
        let own = || Pool::new(self.connector.clone(), 1, self.wait).unwrap_or_else(|_| self.common.clone());
        Pool::clone(&self.own.get(own))
    }
}
