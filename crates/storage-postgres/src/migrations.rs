//! The schema: made, or found to be the one that this program knows.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::result::Error as DieselError;
use diesel::sql_types::{BigInt, Integer, Nullable, Text};
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use roster_domain::BoxError;

use crate::SetupError;
use crate::connector::Connector;
use crate::error::Fault;
use crate::schema::__diesel_schema_migrations as applied;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// The oldest version of PostgreSQL that knows all that is asked of it.
const OLDEST: i32 = 13;

/// How long an instance waits for another that migrates.
const WAIT: Duration = Duration::from_secs(60);

/// How long a step waits for those who use what it changes: all who come after it wait for it meanwhile.
const STEP: Duration = Duration::from_millis(500);

/// How long others use it before the step is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// The advisory lock of whoever migrates: "roster" in ASCII.
const LOCK: i64 = 0x726f_7374_6572;

type Blocking = AsyncConnectionWrapper<AsyncPgConnection>;

/// Runs the migrations that the database lacks, while no other instance does, and tells their names.
pub(crate) async fn migrate(connector: &Connector) -> Result<Vec<String>, SetupError> {
    let by_transaction = connector.is_by_transaction();
    blocking(connector.for_migrations(WAIT), move |conn| {
        require_supported(conn)?;
        lock(conn, by_transaction)?;
        let known = known()?;
        if let Some(version) = newer(&known, applied_versions(conn)?).pop() {
            return Err(SetupError::Newer { version });
        }
        run_pending(conn, by_transaction)
    })
    .await
}

/// Runs what is pending, step by step, and tells the names.
fn run_pending(conn: &mut Blocking, by_transaction: bool) -> Result<Vec<String>, SetupError> {
    let until = Instant::now() + WAIT;
    let mut run = Vec::new();
    for step in conn.pending_migrations(MIGRATIONS).map_err(failed)? {
        // One that is no transaction is written to hold up nobody, and cannot be begun again.
        let in_transaction = step.metadata().run_in_transaction();
        let patience = if in_transaction { STEP } else { WAIT };
        let set = if by_transaction { "SET LOCAL" } else { "SET" };
        let limited = conn.batch_execute(&format!("{set} lock_timeout = {}", patience.as_millis()));
        limited.map_err(|error| failed(error.into()))?;
        loop {
            let began = Instant::now();
            let Err(error) = conn.run_migration(&*step) else { break };
            // What fails sooner has not waited for anybody, and what fails later has done its work before.
            let has_waited = (STEP..STEP * 3).contains(&began.elapsed());
            if !in_transaction || !has_waited || Instant::now() > until {
                return Err(failed(error));
            }
            thread::sleep(PAUSE);
        }
        run.push(step.name().to_string());
    }
    Ok(run)
}

/// Refuses a server, or a database on it, that does not keep what this program writes.
fn require_supported(conn: &mut Blocking) -> Result<(), SetupError> {
    #[derive(QueryableByName)]
    struct Server {
        #[diesel(sql_type = Text)]
        encoding: String,
        #[diesel(sql_type = Text)]
        version: String,
        #[diesel(sql_type = Integer)]
        number: i32,
    }
    let asked = "SELECT current_setting('server_encoding') AS encoding, \
         current_setting('server_version') AS version, current_setting('server_version_num')::int AS number";
    let server: Server = diesel::sql_query(asked).get_result(conn).map_err(|error| failed(error.into()))?;
    if server.number < OLDEST * 10_000 {
        return Err(SetupError::Version { version: server.version, oldest: OLDEST });
    }
    if server.encoding == "UTF8" { Ok(()) } else { Err(SetupError::Encoding { encoding: server.encoding }) }
}

/// Refuses a schema that lacks what this program needs, and changes nothing. It tells what there is beside.
pub(crate) async fn check(connector: &Connector) -> Result<Vec<String>, SetupError> {
    blocking(connector.clone(), |conn| {
        require_supported(conn)?;
        let known = known()?;
        let applied = applied_versions(conn)?;
        let missing: Vec<_> =
            known.iter().filter(|one| !applied.contains(&one.version)).map(|one| one.name.clone()).collect();
        if missing.is_empty() { Ok(newer(&known, applied)) } else { Err(SetupError::Missing { missing }) }
    })
    .await
}

/// Runs `work` on a connection of its own and a thread that may block, while the caller's runtime goes on
/// and carries the connection. Where a proxy lends a session for no longer, all of it is one transaction.
async fn blocking<T: Send + 'static>(
    connector: Connector,
    work: impl FnOnce(&mut Blocking) -> Result<T, SetupError> + Send + 'static,
) -> Result<T, SetupError> {
    let connection = connector.connect().await.map_err(|error| connector.unreachable(&error))?;
    let task = tokio::task::spawn_blocking(move || {
        let mut conn = Blocking::from(connection);
        if connector.is_by_transaction() {
            let timeouts = connector.timeouts.local();
            in_transaction(&mut conn, &timeouts, work)
        } else {
            work(&mut conn)
        }
    });
    task.await.map_err(|stopped| failed(stopped.into()))?
}

fn in_transaction<T>(
    conn: &mut Blocking,
    timeouts: &str,
    work: impl FnOnce(&mut Blocking) -> Result<T, SetupError>,
) -> Result<T, SetupError> {
    struct Failed(SetupError);

    impl From<DieselError> for Failed {
        fn from(error: DieselError) -> Self {
            Self(failed(error.into()))
        }
    }

    let done = conn.transaction(|conn| {
        conn.batch_execute(timeouts)?;
        work(conn).map_err(Failed)
    });
    done.map_err(|Failed(error)| error)
}

/// A migration that this program has.
struct Known {
    version: String,
    name: String,
}

fn known() -> Result<Vec<Known>, SetupError> {
    let migrations: Vec<Box<dyn Migration<Pg>>> = MIGRATIONS.migrations().map_err(failed)?;
    let known = migrations.iter().map(|migration| {
        let name = migration.name();
        Known { version: name.version().to_string(), name: name.to_string() }
    });
    Ok(known.collect())
}

/// The versions that the database has; none where it is empty.
fn applied_versions(conn: &mut Blocking) -> Result<BTreeSet<String>, SetupError> {
    #[derive(QueryableByName)]
    struct Table {
        #[diesel(sql_type = Nullable<Text>)]
        name: Option<String>,
    }
    let table: Table = diesel::sql_query("SELECT to_regclass('__diesel_schema_migrations')::text AS name")
        .get_result(conn)
        .map_err(|error| failed(error.into()))?;
    if table.name.is_none() {
        return Ok(BTreeSet::new());
    }
    let versions: Vec<String> =
        applied::table.select(applied::version).load(conn).map_err(|error| failed(error.into()))?;
    Ok(versions.into_iter().collect())
}

/// The versions that are unknown here, in order.
fn newer(known: &[Known], applied: BTreeSet<String>) -> Vec<String> {
    applied.into_iter().filter(|version| known.iter().all(|one| one.version != *version)).collect()
}

/// Waits for the lock; it is given back when the connection ends, or the transaction.
fn lock(conn: &mut Blocking, by_transaction: bool) -> Result<(), SetupError> {
    let asked =
        if by_transaction { "SELECT pg_advisory_xact_lock($1)" } else { "SELECT pg_advisory_lock($1)" };
    let locked = diesel::sql_query(asked).bind::<BigInt, _>(LOCK).execute(conn);
    match locked {
        Ok(_) => Ok(()),
        Err(error) if Fault::of(&error) == Fault::Busy => Err(SetupError::Locked { seconds: WAIT.as_secs() }),
        Err(error) => Err(failed(error.into())),
    }
}

fn failed(source: BoxError) -> SetupError {
    SetupError::Migration { reason: source.to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_with_a_migration_that_is_unknown_here_is_newer() {
        let known = known().unwrap();
        assert!(known.iter().any(|one| one.name == "2026-11-24-000002_events"));
        let mut applied: BTreeSet<_> = known.iter().map(|one| one.version.clone()).collect();
        assert_eq!(newer(&known, applied.clone()), [""; 0]);
        applied.insert("99990101000000".to_owned());
        assert_eq!(newer(&known, applied), ["99990101000000"]);
    }
}
