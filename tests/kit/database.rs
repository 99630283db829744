//! A database for each test.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::sql_types::Text;
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection};
use roster_domain::ports::{EventLog, Outbox, UserRepository};
use roster_domain::{Event, Position};
use roster_storage_postgres::{Postgres, PostgresConfig};
use roster_storage_sqlite::{Sqlite, SqliteConfig};

use super::run::Run;
use super::servers::PostgresServer;
use super::suite::Given;

/// Generous: it is there to end what hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many events are read at once.
const AT_ONCE: usize = 10_000;

/// What a database is kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

impl Backend {
    /// Each of them: whatever is asked over HTTP, and what the contract says, is tried on all.
    pub(crate) const ALL: &'static [Self] = &[Self::Sqlite, Self::Postgres];

    /// Whether it keeps a database in a file, which has one writer at a time.
    pub(crate) fn is_file(self) -> bool {
        match self {
            Self::Sqlite => true,
            Self::Postgres => false,
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        })
    }
}

/// A database that one test has for itself. A clone is the same database, which is removed with the last of
/// them.
#[derive(Clone)]
pub(crate) struct Database(Arc<Place>);

/// A database on PostgreSQL.
pub(crate) struct OnPostgres(pub(crate) Database);

/// A database in a file.
pub(crate) struct OnSqlite(pub(crate) Database);

struct Place {
    url: String,
    kept: Kept,
}

enum Kept {
    Folder(PathBuf),
    Server(&'static PostgresServer, String),
}

#[derive(QueryableByName)]
struct Integrity {
    #[diesel(sql_type = Text)]
    told: String,
}

/// The ports on one database.
pub(crate) struct Ports {
    pub(crate) users: Arc<dyn UserRepository>,
    pub(crate) events: Arc<dyn EventLog>,
    pub(crate) outbox: Arc<dyn Outbox>,
}

impl Database {
    /// A database without the schema, which the program brings in when it starts.
    pub(crate) async fn empty(on: Backend) -> Result<Self, String> {
        Self::new(on, false).await
    }

    /// A database with the schema.
    pub(crate) async fn migrated(on: Backend) -> Result<Self, String> {
        Self::new(on, true).await
    }

    /// As the setting `--database-url` names it.
    pub(crate) fn url(&self) -> &str {
        &self.0.url
    }

    /// What it is kept in.
    pub(crate) fn backend(&self) -> Backend {
        match self.0.kept {
            Kept::Folder(_) => Backend::Sqlite,
            Kept::Server(..) => Backend::Postgres,
        }
    }

    /// The file, where it is one.
    pub(crate) fn path(&self) -> PathBuf {
        match &self.0.kept {
            Kept::Folder(folder) => folder.join("roster.db"),
            Kept::Server(..) => panic!("this database is on a server"),
        }
    }

    /// The server and the name on it, where it is on one.
    pub(crate) fn server(&self) -> (&PostgresServer, &str) {
        match &self.0.kept {
            Kept::Folder(_) => panic!("this database is a file"),
            Kept::Server(server, name) => (server, name),
        }
    }

    /// How many sessions in it wait for a lock that somebody else has.
    pub(crate) async fn waiting(&self) -> i64 {
        let (server, name) = self.server();
        let waiting = format!("datname = '{name}' AND wait_event_type = 'Lock'");
        server.count(&format!("SELECT count(*) FROM pg_stat_activity WHERE {waiting}")).await
    }

    /// What is in it, past the program.
    pub(crate) fn ports(&self) -> Ports {
        match self.backend() {
            Backend::Sqlite => {
                let sqlite = Sqlite::open(SqliteConfig::new(self.path())).expect("the file can be opened");
                Ports {
                    users: Arc::new(sqlite.users()),
                    events: Arc::new(sqlite.events()),
                    outbox: Arc::new(sqlite.outbox()),
                }
            }
            Backend::Postgres => Ports::of_postgres(self.url()),
        }
    }

    /// Executes statements in it, past the program.
    pub(crate) async fn execute(&self, statements: &str) {
        match &self.0.kept {
            Kept::Folder(_) => {
                let path = self.path();
                let mut file =
                    SqliteConnection::establish(&path.to_string_lossy()).expect("the file can be opened");
                let waiting = "PRAGMA busy_timeout = 5000;";
                file.batch_execute(&format!("{waiting}{statements}")).expect("the statements are right");
            }
            Kept::Server(server, name) => server.execute_in(name, statements).await,
        }
    }

    /// Holds a file to what SQLite itself says of it. PostgreSQL would not start on one that is not sound.
    pub(crate) fn assert_sound(&self) {
        match self.backend() {
            Backend::Sqlite => {}
            Backend::Postgres => return,
        }
        let path = self.path();
        let mut file = SqliteConnection::establish(&path.to_string_lossy()).expect("the file can be opened");
        let found: Integrity =
            diesel::sql_query("SELECT integrity_check AS told FROM pragma_integrity_check")
                .get_result(&mut file)
                .expect("the file can be read");
        assert_eq!(found.told, "ok");
    }

    /// Keeps all others from writing to the file, as another program does that is amid a transaction.
    pub(crate) fn hold_for_writing(&self) -> SqliteConnection {
        let path = self.path();
        let mut file = SqliteConnection::establish(&path.to_string_lossy()).expect("the file can be opened");
        file.batch_execute("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE").expect("nobody else writes");
        file
    }

    async fn new(on: Backend, with_schema: bool) -> Result<Self, String> {
        static COUNT: AtomicUsize = AtomicUsize::new(1);
        let name = format!("test{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let run = Run::current();
        let place = match on {
            Backend::Sqlite => {
                let folder = run.folder().path().join(name);
                std::fs::create_dir(&folder).expect("a folder can be made");
                let path = folder.join("roster.db");
                if with_schema {
                    let sqlite = Sqlite::open(SqliteConfig::new(&path)).expect("a file can be opened");
                    sqlite.migrate().await.expect("the file can be migrated");
                }
                Place { url: format!("sqlite:{}", path.display()), kept: Kept::Folder(folder) }
            }
            Backend::Postgres => {
                let server = run.postgres().await.map_err(str::to_owned)?;
                let name = server.create(&name, with_schema).await;
                Place { url: server.url(&name).into(), kept: Kept::Server(server, name) }
            }
        };
        Ok(Self(Arc::new(place)))
    }
}

impl Ports {
    /// Those on the PostgreSQL of this URL.
    pub(crate) fn of_postgres(url: &str) -> Self {
        let postgres = Postgres::new(patient(url)).expect("the URL is one");
        Self {
            users: Arc::new(postgres.users()),
            events: Arc::new(postgres.events()),
            outbox: Arc::new(postgres.outbox()),
        }
    }

    /// The events that are recorded there.
    pub(crate) async fn recorded(&self) -> Vec<Event> {
        self.events.sequence().await.expect("committed events get their positions");
        let mut recorded = Vec::new();
        loop {
            let last = recorded.last().map_or(Position::START, |event: &Event| event.position);
            let more = self.events.read(last, AT_ONCE).await.expect("events can be read");
            if more.is_empty() {
                return recorded;
            }
            recorded.extend(more);
        }
    }
}

/// The same database for whoever waits longer than others for a connection.
pub(crate) fn patient_url(url: &str) -> String {
    if !url.starts_with("postgres") {
        return url.to_owned();
    }
    let sign = if url.contains('?') { '&' } else { '?' };
    format!("{url}{sign}connect_timeout={}", PATIENCE.as_secs())
}

/// What a repository promises does not depend on how busy this machine is.
pub(crate) fn patient(url: &str) -> PostgresConfig {
    let mut config = PostgresConfig::new(url);
    for time in [&mut config.pool_wait, &mut config.connect_timeout, &mut config.statement_timeout] {
        *time = PATIENCE;
    }
    config
}

/// Brings the schema into a database on PostgreSQL.
pub(super) async fn migrate_postgres(url: &str) {
    let postgres = Postgres::new(patient(url)).expect("the URL is one");
    postgres.migrate().await.expect("the database can be migrated");
}

impl Drop for Place {
    fn drop(&mut self) {
        match &self.kept {
            // A folder that cannot be removed now is removed with the run's.
            Kept::Folder(folder) => drop(std::fs::remove_dir_all(folder)),
            Kept::Server(server, name) => {
                let (server, name) = (*server, name.clone());
                Run::current().before_the_end(async move { server.drop_database(&name).await });
            }
        }
    }
}

impl Given for Database {
    const BACKENDS: &'static [Backend] = Backend::ALL;

    /// An empty one.
    async fn given(on: Backend) -> Result<Self, String> {
        Self::empty(on).await
    }
}

impl Given for OnSqlite {
    const BACKENDS: &'static [Backend] = &[Backend::Sqlite];

    /// An empty one.
    async fn given(on: Backend) -> Result<Self, String> {
        Database::empty(on).await.map(Self)
    }
}

impl Given for OnPostgres {
    const BACKENDS: &'static [Backend] = &[Backend::Postgres];

    /// An empty one.
    async fn given(on: Backend) -> Result<Self, String> {
        Database::empty(on).await.map(Self)
    }
}
