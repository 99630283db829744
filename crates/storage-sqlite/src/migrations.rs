//! The schema: made, or found to be the one that this program knows.

use std::collections::BTreeSet;

use diesel::migration::{Migration, MigrationSource};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use roster_domain::BoxError;

use crate::SetupError;
use crate::schema::__diesel_schema_migrations as applied;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// Runs the migrations that the database lacks, and tells their names. The caller's transaction keeps other
/// processes from doing so at once.
pub(crate) fn migrate(conn: &mut SqliteConnection) -> Result<Vec<String>, SetupError> {
    let known = known()?;
    if let Some(version) = newer(&known, applied_versions(conn)?).pop() {
        return Err(SetupError::Newer { version });
    }
    let run = conn.run_pending_migrations(MIGRATIONS).map_err(failed)?;
    let run: BTreeSet<_> = run.iter().map(ToString::to_string).collect();
    Ok(known.into_iter().filter(|one| run.contains(&one.version)).map(|one| one.name).collect())
}

/// Refuses a schema that lacks what this program needs, and changes nothing. It tells what there is beside.
pub(crate) fn check(conn: &mut SqliteConnection) -> Result<Vec<String>, SetupError> {
    let known = known()?;
    let applied = applied_versions(conn)?;
    let missing: Vec<_> =
        known.iter().filter(|one| !applied.contains(&one.version)).map(|one| one.name.clone()).collect();
    if missing.is_empty() { Ok(newer(&known, applied)) } else { Err(SetupError::Missing { missing }) }
}

/// A migration that this program has.
struct Known {
    version: String,
    name: String,
}

fn known() -> Result<Vec<Known>, SetupError> {
    let migrations: Vec<Box<dyn Migration<Sqlite>>> = MIGRATIONS.migrations().map_err(failed)?;
    let known = migrations.iter().map(|migration| {
        let name = migration.name();
        Known { version: name.version().to_string(), name: name.to_string() }
    });
    Ok(known.collect())
}

/// The versions that the database has; none where it is empty.
fn applied_versions(conn: &mut SqliteConnection) -> Result<BTreeSet<String>, SetupError> {
    #[derive(QueryableByName)]
    struct Tables {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let tables: Tables = diesel::sql_query(
        "SELECT count(*) AS count FROM sqlite_schema WHERE name = '__diesel_schema_migrations'",
    )
    .get_result(conn)
    .map_err(|error| failed(error.into()))?;
    if tables.count == 0 {
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

pub(crate) fn failed(source: BoxError) -> SetupError {
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
