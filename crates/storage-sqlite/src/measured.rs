//! What is measured of connections: how many there are and are lent, what waits for one, and for how long.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use metrics::{Histogram, gauge, histogram};

/// How connections of one kind are, at a moment.
pub(crate) struct State {
    pub(crate) max: usize,
    pub(crate) used: usize,
    pub(crate) idle: usize,
    pub(crate) pending: usize,
}

/// Measures what was read of the connections of a pool.
pub(crate) fn measure(pool: &'static str, state: &State) {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    for (name, count) in [("used", state.used), ("idle", state.idle)] {
        gauge!("roster_database_connections", "pool" => pool, "state" => name).set(number(count));
    }
    gauge!("roster_database_connections_max", "pool" => pool).set(number(state.max));
    gauge!("roster_database_connections_pending", "pool" => pool).set(number(state.pending));
}

/// How long a connection of a pool was waited for.
pub(crate) fn waited(pool: &'static str) -> Histogram {
    histogram!("roster_database_connection_wait_seconds", "pool" => pool)
}

/// What waits for the only connection that writes, and whether that is at work.
pub(crate) struct Line {
    pending: AtomicUsize,
    is_busy: AtomicBool,
    waited: Histogram,
}

impl Line {
    pub(crate) fn new(pool: &'static str) -> Self {
        Self { pending: AtomicUsize::new(0), is_busy: AtomicBool::new(false), waited: waited(pool) }
    }

    /// Something waits.
    pub(crate) fn joined(&self) {
        self.pending.fetch_add(1, Ordering::Relaxed);
    }

    /// Something was turned away.
    pub(crate) fn refused(&self) {
        self.pending.fetch_sub(1, Ordering::Relaxed);
    }

    /// The next one's turn has come.
    pub(crate) fn served(&self, waited: Duration) {
        self.pending.fetch_sub(1, Ordering::Relaxed);
        self.is_busy.store(true, Ordering::Relaxed);
        self.waited.record(waited);
    }

    /// There is nothing to do.
    pub(crate) fn idle(&self) {
        self.is_busy.store(false, Ordering::Relaxed);
    }

    pub(crate) fn state(&self) -> State {
        let used = usize::from(self.is_busy.load(Ordering::Relaxed));
        State { max: 1, used, idle: 1 - used, pending: self.pending.load(Ordering::Relaxed) }
    }
}
