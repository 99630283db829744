use std::path::PathBuf;
use std::time::Duration;

/// Which file to keep users in, and how long to wait for it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SqliteConfig {
    /// The file, made where there is none; its folder has to be there. Beside it SQLite keeps two more, of
    /// the same name with `-wal` and `-shm`, and whoever publishes its events locks one with `-lead`. Where
    /// the name is a link, those are beside what it leads to.
    ///
    /// `:memory:` is refused: each of the connections would have a database of its own.
    pub path: PathBuf,
    /// How many connections read at once: 1 or more. Half of them, or the only one, search by a name or count. Beside
    /// them half as many export, and there are some for what runs beside requests, and the one that writes.
    pub readers: usize,
    /// How long a request waits for a connection when all are in use: longer than `busy_timeout`.
    pub pool_wait: Duration,
    /// How long a statement waits for another process that writes to the file, to the millisecond.
    pub busy_timeout: Duration,
}

impl SqliteConfig {
    /// Four readers; 5 s of waiting for another process, 6 s for a connection.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            readers: 4,
            pool_wait: Duration::from_secs(6),
            busy_timeout: Duration::from_secs(5),
        }
    }
}
