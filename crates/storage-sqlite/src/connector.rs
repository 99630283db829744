//! Opens connections to the file, and says clearly why it cannot.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::error::{Error, Fault};
use crate::{SetupError, SqliteConfig};

/// How often the first connection asks for the write-ahead log. Two that do so at once may refuse each
/// other without waiting.
const TRIES: u32 = 50;

/// Finds out whether the file can be written, and leaves it as it is. To begin is not enough: of a file that may
/// only be read, SQLite lets a transaction begin that would write, and refuses the first write in it.
pub(crate) const TRY_TO_WRITE: &str =
    "BEGIN IMMEDIATE; CREATE TABLE it_can_be_written (yes INTEGER); ROLLBACK";

/// What is left of the write-ahead log once all of it is in the file. It grows while somebody reads what was before.
const LOG_BYTES: u64 = 64 * 1024 * 1024;

/// Opens connections to one file.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    url: String,
    busy_timeout: Duration,
    path: PathBuf,
    /// Where it is, whatever leads there, and which file it is, once it is known to be there.
    real: PathBuf,
    file: Option<FileId>,
}

/// The device and the number of a file there.
type FileId = (u64, u64);

fn file_id(path: &Path) -> io::Result<FileId> {
    path.metadata().map(|metadata| (metadata.dev(), metadata.ino()))
}

impl Connector {
    /// Opens nothing yet.
    pub(crate) fn of(settings: &SqliteConfig) -> Result<Self, SetupError> {
        let path = &settings.path;
        let refused = |reason: &str| SetupError::Open { path: path.clone(), reason: reason.to_owned() };
        let (url, path) = (url(path).map_err(refused)?, path.clone());
        let real = path.clone();
        Ok(Self { url, busy_timeout: settings.busy_timeout, path, real, file: None })
    }

    /// Makes the file where there is none, and brings back the connection that writes to it.
    pub(crate) fn make(settings: &SqliteConfig) -> Result<(Self, SqliteConnection), SetupError> {
        let path = &settings.path;
        let refused = |reason: &str| SetupError::Open { path: path.clone(), reason: reason.to_owned() };
        let mut connector = Self::of(settings)?;
        let first = connector.first();
        connector.file = file_id(path).ok();
        connector.real = path.canonicalize().unwrap_or(connector.real);
        first.map(|conn| (connector, conn)).map_err(|error| match error {
            Error::Database(error) if error.to_string() == "file is not a database" => {
                SetupError::NotADatabase { path: path.clone() }
            }
            Error::Database(error) => refused(&error.to_string()),
            Error::Unavailable(source) => refused(&source.to_string()),
            other => refused(&other.to_string()),
        })
    }

    /// Whether the file is still there, and the same: what was removed, or replaced, is not what whoever looks there
    /// finds.
    pub(crate) fn check_place(&self) -> Result<(), Error> {
        if self.file.is_none() || self.file == file_id(&self.path).ok() {
            return Ok(());
        }
        let path = self.path.display();
        Err(Error::Unavailable(
            format!("{path} was removed or replaced while it was in use: start the program again").into(),
        ))
    }

    /// A connection to a file that is there.
    pub(crate) fn there(&self) -> Result<SqliteConnection, Error> {
        self.open("rw")
    }

    /// The connection that writes.
    pub(crate) fn writer(&self) -> Result<SqliteConnection, Error> {
        let mut conn = self.open("rw")?;
        conn.batch_execute("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")?;
        conn.batch_execute(&format!("PRAGMA journal_size_limit = {LOG_BYTES}"))?;
        Ok(conn)
    }

    /// A connection that reads, and cannot write. It is never one to another file, which would be read with the log of
    /// this one.
    pub(crate) fn reader(&self) -> Result<SqliteConnection, Error> {
        self.check_place()?;
        let mut conn = self.open("rw")?;
        conn.batch_execute("PRAGMA query_only = ON")?;
        Ok(conn)
    }

    /// The same for one of many, which keeps little of the file in memory: the system keeps it once for all of them.
    pub(crate) fn reader_of_many(&self) -> Result<SqliteConnection, Error> {
        let mut conn = self.reader()?;
        conn.batch_execute("PRAGMA cache_size = -512")?;
        Ok(conn)
    }

    /// A file beside it, by the end of its name: the same for all names that lead to it.
    pub(crate) fn beside(&self, end: &str) -> PathBuf {
        let mut name = self.real.clone().into_os_string();
        name.push(end);
        name.into()
    }

    /// How large the write-ahead log is.
    pub(crate) fn log_bytes(&self) -> u64 {
        fs::metadata(self.beside("-wal")).map_or(0, |metadata| metadata.len())
    }

    /// The same for connections that fail where they would have to wait for another process.
    pub(crate) fn waiting_for_nobody(&self) -> Self {
        Self { busy_timeout: Duration::ZERO, ..self.clone() }
    }

    /// Makes the file, turns its write-ahead log on, which lasts, and finds out whether it can be written.
    fn first(&self) -> Result<SqliteConnection, Error> {
        let mut conn = self.open("rwc")?;
        let mut tries = 1;
        while let Err(error) = conn.batch_execute("PRAGMA journal_mode = WAL") {
            if Fault::of(&error) != Fault::Busy || tries == TRIES {
                return Err(error.into());
            }
            tries += 1;
            thread::sleep(self.busy_timeout / TRIES);
        }
        let mode: JournalMode = diesel::sql_query("PRAGMA journal_mode").get_result(&mut conn)?;
        if mode.journal_mode != "wal" {
            return Err(Error::Unavailable("the file system has no write-ahead log".into()));
        }
        conn.batch_execute(TRY_TO_WRITE)?;
        drop(conn);
        self.writer()
    }

    /// The time-out comes first: what follows may already have to wait.
    fn open(&self, mode: &str) -> Result<SqliteConnection, Error> {
        let opened = SqliteConnection::establish(&format!("{}?mode={mode}", self.url));
        let mut conn = opened.map_err(|error| Error::Unavailable(error.into()))?;
        conn.batch_execute(&format!("PRAGMA busy_timeout = {}", self.busy_timeout.as_millis()))?;
        Ok(conn)
    }
}

#[derive(QueryableByName)]
struct JournalMode {
    #[diesel(sql_type = Text)]
    journal_mode: String,
}

/// The file as a URI, in which no name has a meaning of its own; or why it can be none.
fn url(path: &Path) -> Result<String, &'static str> {
    let name = path.to_str().ok_or("its name is not UTF-8")?;
    if name.is_empty() || name == ":memory:" {
        return Err("a database in memory is not supported; name a file");
    }
    if path.is_dir() {
        return Err("it is a folder; name a file in it");
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if folder.is_some_and(|folder| !folder.is_dir()) {
        return Err("its folder does not exist");
    }
    let encoded = name.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    Ok(format!("file:{encoded}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_of_a_file_has_a_meaning_of_its_own() {
        assert_eq!(url(Path::new("a?mode=memory#%20.db")).unwrap(), "file:a%3fmode=memory%23%2520.db");
        assert_eq!(url(Path::new("file:x")).unwrap(), "file:file:x");
    }

    /// Seen to fail where the name was taken as it was given.
    #[test]
    fn what_is_beside_a_file_is_so_by_all_of_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real.db"), folder.path().join("link.db"));
        let beside = |path: &Path| Connector::make(&SqliteConfig::new(path)).unwrap().0.beside("-lead");
        let lead = beside(&real);
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert_eq!(beside(&link), lead);
    }

    #[test]
    fn what_can_be_no_database_is_refused() {
        for (path, reason) in [
            (":memory:", "a database in memory is not supported; name a file"),
            ("", "a database in memory is not supported; name a file"),
            (".", "it is a folder; name a file in it"),
            ("no/such/folder/roster.db", "its folder does not exist"),
        ] {
            assert_eq!(url(Path::new(path)), Err(reason), "{path}");
        }
    }
}
