//! How many files and sockets the system lets the program have open. Where that is less than it would take for all
//! connections of clients, fewer of them are served: a program that can open nothing more cannot reach its database
//! either, and accepts clients only to leave them.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

use super::ops;
use crate::config::Config;

/// What a connection of a client takes: the server's socket, and the one by which it is looked after.
const OF_A_CLIENT: u64 = 2;

/// What a connection of the database takes: SQLite has a file, its log and its index.
const OF_THE_DATABASE: u64 = 3;

/// What a worker of the server takes: what it waits with, and its own connections to the database.
const OF_A_WORKER: u64 = 8;

/// What there is beside those: listeners, the broker, the directory, a collector, files of credentials.
const REST: u64 = 128;

/// Takes all that the system lets it have, and tells how many connections of clients that is good for, of as many as
/// the settings want, beside so many workers.
pub(super) fn connections(config: &Config, workers: usize) -> usize {
    let wanted = config.limits.max_connections.get();
    let Some(limit) = raised() else { return wanted };
    let fit = fit(limit, reserved(config, workers));
    if fit < wanted {
        warn!(
            open_files = limit,
            "--max-connections (ROSTER_MAX_CONNECTIONS): {fit} connections are served at once, and not {wanted}: \
             the system does not let the program have more files and sockets open (ulimit -n)"
        );
    }
    wanted.min(fit)
}

/// Raises the limit of open files as far as that may be done without being root; tells how many there may be, or
/// nothing where that is any number.
fn raised() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        // On some systems nobody may have as many as the limit says.
        Err(_) => current,
    }
}

/// What is not there for clients of the API.
fn reserved(config: &Config, workers: usize) -> u64 {
    // Exports of SQLite have half as many beside those.
    let pool = config.database.pool_size.map_or(0, |size| usize::from(size).saturating_mul(3) / 2);
    let ops = config.http.ops_listen.map_or(0, |_| ops::CONNECTIONS);
    REST + of(workers, OF_A_WORKER) + of(pool, OF_THE_DATABASE) + of(ops, OF_A_CLIENT)
}

fn of(count: usize, each: u64) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(each)
}

/// How many connections of clients fit into a limit: at least one.
fn fit(limit: u64, reserved: u64) -> usize {
    let fit = limit.saturating_sub(reserved) / OF_A_CLIENT;
    usize::try_from(fit).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_of_a_client_takes_two_and_there_is_always_one() {
        assert_eq!((fit(1_024, 192), fit(193, 192), fit(64, 192)), (416, 1, 1));
    }
}
