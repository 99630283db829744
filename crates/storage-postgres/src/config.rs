use std::fmt;
use std::time::Duration;

/// How to reach a PostgreSQL server, and how long to wait for it.
#[derive(Clone)]
pub struct PostgresConfig {
    /// `postgres://user:password@host:port/database?options`, as [`tokio_postgres::Config`] takes it, with
    /// several hosts too, and with libpq's `sslmode` (`disable`, `prefer`, `require`, `verify-ca`,
    /// `verify-full`; `prefer` by default) and `sslrootcert` (a PEM file, or `system`).
    ///
    /// `verify-ca` and `verify-full` without `sslrootcert` trust the system's roots.
    pub url: String,
    /// How many connections there are at the most, beside one for health checks: 1 or more.
    pub pool_size: usize,
    /// How long a request waits for a connection when all are in use.
    pub pool_wait: Duration,
    /// How long opening a connection may take for each host, log-in included.
    pub connect_timeout: Duration,
    /// How long a statement may run on the server, to the millisecond. A wait for a lock ends after half of
    /// it. Zero is without limit.
    pub statement_timeout: Duration,
    /// Whether statements are prepared once for each connection. `false` is for a proxy that pools by
    /// transaction (`PgBouncer`): then no time-outs are asked for at connect either, as such a proxy refuses
    /// them; give them to the role (`ALTER ROLE … SET statement_timeout`, `lock_timeout`,
    /// `idle_in_transaction_session_timeout`). The proxy must know prepared statements all the same
    /// (`PgBouncer` 1.21 with `max_prepared_statements`), and migrations need a URL that goes around it.
    pub statement_cache: bool,
}

impl PostgresConfig {
    /// Sixteen connections; 2 s of waiting for one, 3 s for opening one, 5 s for a statement.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            pool_size: 16,
            pool_wait: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(3),
            statement_timeout: Duration::from_secs(5),
            statement_cache: true,
        }
    }
}

impl fmt::Debug for PostgresConfig {
    /// Leaves out the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresConfig")
            .field("pool_size", &self.pool_size)
            .field("pool_wait", &self.pool_wait)
            .field("connect_timeout", &self.connect_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .field("statement_cache", &self.statement_cache)
            .finish_non_exhaustive()
    }
}
