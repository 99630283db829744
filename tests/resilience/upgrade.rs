//! A newer version of Roster has changed the schema, while this one is at work. As long as it added to it, and
//! took nothing away, this one goes on.

use futures_util::future::join_all;

use crate::kit::{Backend, Database, Program, USERS, Writers, all_users, suite};

suite![
    a_program_at_work_goes_on_when_a_newer_one_migrates,
    a_program_that_does_not_migrate_starts_on_a_newer_schema,
    a_program_that_migrates_refuses_a_newer_schema,
];

/// What a newer version adds: a column for users, one for events, and a table.
const NEWER: [&str; 5] = [
    "ALTER TABLE users ADD COLUMN locale text NOT NULL DEFAULT 'en'",
    "ALTER TABLE events ADD COLUMN cause text",
    "CREATE TABLE teams (id bigint PRIMARY KEY, name text NOT NULL)",
    "CREATE INDEX users_locale ON users (locale)",
    "INSERT INTO __diesel_schema_migrations (version) VALUES ('99991231000000')",
];

/// Migrates as a newer version does: in one transaction, which waits its turn.
async fn migrate_further(database: &Database) {
    let step = NEWER.join("; ");
    let begin = match database.backend() {
        Backend::Sqlite => "BEGIN IMMEDIATE",
        Backend::Postgres => "BEGIN",
    };
    database.execute(&format!("{begin}; {step}; COMMIT")).await;
}

async fn a_program_at_work_goes_on_when_a_newer_one_migrates(database: Database) {
    let roster = Program::serving(&database).serve().await;
    let writers = Writers::start(&roster, 4);
    writers.acknowledged(40).await;
    migrate_further(&database).await;
    writers.acknowledged(80).await;

    roster.readiness().await;
    let exported = roster.get(&format!("{USERS}/export")).header("Accept", "application/x-ndjson").await;
    assert!(!exported.lines().is_empty());
    let tally = writers.end().await;
    assert_eq!(tally.refused(), [""; 0], "no change was refused");
    tally.hold_feed(&roster.events().await, &all_users(&roster).await);
}

async fn a_program_that_does_not_migrate_starts_on_a_newer_schema(database: Database) {
    let before = Program::serving(&database).serve().await;
    let ada = before.user("ada").await;
    migrate_further(&database).await;

    let mut since = Program::serving(&database).and(["--migrate=false"]).serve().await;
    let warned = since.process().wait_for("it warned", |output| {
        let mut lines = output.stderr.lines();
        lines.find(|line| line.contains("newer") && line.contains("99991231000000")).map(str::to_owned)
    });
    warned.await;
    let bob = since.user("bob").await;
    for roster in [&before, &since] {
        assert_eq!(roster.get(USERS).await.page().items, [ada.clone(), bob.clone()]);
    }
}

async fn a_program_that_migrates_refuses_a_newer_schema(database: Database) {
    Program::with(["migrate", "--database-url", database.url()]).run().await;
    migrate_further(&database).await;
    let migrating =
        [Program::serving(&database), Program::with(["migrate", "--database-url", database.url()])];
    for exit in join_all(migrating.iter().map(Program::run)).await {
        assert_eq!(exit.code, Some(2), "{exit:?}");
        assert_eq!(exit.stderr.lines().filter(|line| line.contains("newer")).count(), 1, "{exit:?}");
    }
}
