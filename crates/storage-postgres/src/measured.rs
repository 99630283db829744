//! What is measured of connections: how many there are and are lent, what waits for one, and for how long.

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
