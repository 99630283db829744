use std::fmt;
use std::time::Duration;

/// How to reach a PostgreSQL server, and how long to wait for it.
#[derive(Clone)]
#[non_exhaustive]
pub struct PostgresConfig {
    /// `postgres://user:password@host:port/database?options`, as [`tokio_postgres::Config`] takes it, and with
    /// libpq's `sslmode` (`disable`, `prefer`, `require`, `verify-ca`, `verify-full`; `prefer` by default) and
    /// `sslrootcert` (a PEM file, or `system`).
    ///
    /// `verify-ca` and `verify-full` without `sslrootcert` trust the system's roots. Of several hosts
    /// (`host1:port,host2:port`) the one that takes writes is connected to, as with
    /// `target_session_attrs=read-write`, unless that option says otherwise. Where several do, it is the first, or the one
    /// that answered last, for as long as it does.
    pub url: String,
    /// The same by a way around a proxy, for what needs a session of its own: migrations, and the lock of
    /// whoever publishes events.
    pub direct_url: Option<String>,
    /// How many connections there are at the most, 1 or more; beside one for health checks, two for those who number
    /// events, publish them and forget them, one for the lock of whoever publishes, one for a migration, and of each runtime
    /// one for creates and, with a [`statement_cache`](Self::statement_cache), one for short reads.
    pub pool_size: usize,
    /// How long a request waits for a connection when all are in use. A short read waits twice as long for its answer
    /// on the one of its runtime, or as long as a statement may take, before it asks for another.
    pub pool_wait: Duration,
    /// How long opening a connection may take at each address of the hosts that there are, log-in included; unless the
    /// URL says how long, by a `connect_timeout` that is not 0.
    pub connect_timeout: Duration,
    /// How long a statement may run on the server, to the millisecond. A wait for a lock ends after three
    /// quarters of it. A connection is closed whose server says nothing for twice as long and a second, unless the URL's options
    /// ask for a time-out of their own. Zero is without limit.
    pub statement_timeout: Duration,
    /// Whether statements are prepared once for each connection. `false` is for a proxy that pools by
    /// transaction (`PgBouncer`), of any version: then each statement is prepared in the transaction that it
    /// is done in, and time-outs are set there, too. Without a [`direct_url`](Self::direct_url) migrations are
    /// one transaction, and whoever publishes events keeps one open.
    pub statement_cache: bool,
}

impl PostgresConfig {
    /// Sixteen connections; half a second of waiting for one, 3 s for opening one, 2 s for a statement.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            direct_url: None,
            pool_size: 16,
            pool_wait: Duration::from_millis(500),
            connect_timeout: Duration::from_secs(3),
            statement_timeout: Duration::from_secs(2),
            statement_cache: true,
        }
    }
}

impl fmt::Debug for PostgresConfig {
    /// Leaves out the URLs, which may hold a password.
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
