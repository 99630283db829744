//! A newer version of Roster has changed the schema, while this one is at work. As long as it added to it, and
//! took nothing away, this one goes on.

use std::time::Duration;

use futures_util::future::{join, join_all};

use crate::kit::{Backend, Database, OnPostgres, Program, USERS, Writers, all_users, suite};

suite![
    a_program_at_work_goes_on_when_a_newer_one_migrates,
    a_program_that_does_not_migrate_starts_on_a_newer_schema,
    a_program_that_migrates_refuses_a_newer_schema,
    a_step_that_waits_for_a_long_reader_holds_up_no_writer,
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

/// As while a backup is made. Seen to fail where a step waited for it as long as for another program that migrates, and
/// all who came after waited for the step.
async fn a_step_that_waits_for_a_long_reader_holds_up_no_writer(OnPostgres(database): OnPostgres) {
    let roster = Program::serving(&database).and(["--database-statement-timeout", "4"]).serve().await;
    let (server, name) = database.server();
    let reader = server.client(name).await.expect("the server answers");
    let before = "ALTER TABLE events REPLICA IDENTITY DEFAULT; \
                  DELETE FROM __diesel_schema_migrations WHERE version = '20261130000007'";
    reader.batch_execute(before).await.expect("a step can be taken back");
    reader.batch_execute("BEGIN; LOCK TABLE events IN ACCESS SHARE MODE").await.expect("it can be read");

    let writers = Writers::start(&roster, 4);
    let migrating = Program::with(["migrate", "--database-url", database.url()]);
    let reading = async {
        tokio::time::sleep(Duration::from_secs(6)).await;
        reader.batch_execute("COMMIT").await.expect("it can end");
    };
    let (exit, ()) = join(migrating.run(), reading).await;

    assert_eq!(exit.code, Some(0), "{exit:?}");
    let tally = writers.end().await;
    assert_eq!(tally.refused(), [""; 0], "no change was refused");
    tally.hold_feed(&roster.events().await, &all_users(&roster).await);
}
