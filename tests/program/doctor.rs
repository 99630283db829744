//! `roster doctor`.

use std::collections::BTreeSet;
use std::fs;

use async_nats::jetstream::stream::{Config, StorageType};
use reqwest::Url;
use tempfile::tempdir;

use crate::kit::{
    Backend, Database, Exit, OnSqlite, OwnNats, Program, Reply, Roster, StandIn, WithNats, suite,
};

suite![
    all_is_well_beside_a_service_that_serves,
    a_database_that_is_empty_is_told_and_left_empty,
    a_file_that_is_not_there_is_told_and_not_made,
    a_newer_schema_will_not_do,
    a_schema_that_is_missing_will_not_do_for_who_does_not_migrate,
    a_database_that_is_away_will_not_do,
    a_database_that_takes_no_writes_will_not_do,
    a_broker_is_looked_at_with_its_streams_and_none_is_made,
    a_stream_that_would_lose_events_will_not_do,
    a_broker_that_is_away_will_not_do_and_its_password_is_not_told,
    a_directory_is_asked,
    an_address_that_somebody_else_has_will_not_do,
    credentials_are_looked_at,
    a_setting_that_is_wrong_is_one_line_among_others,
];

/// Nothing else listens there.
const FREE: [&str; 2] = ["--listen", "127.0.0.1:0"];

fn doctor(database: &Database) -> Program {
    Program::with(["doctor", "--database-url", database.url()]).and(FREE)
}

/// Each line says how it is, what is meant, and something of it.
#[track_caller]
fn lines(exit: &Exit) -> Vec<(&str, &str, &str)> {
    assert_eq!(exit.stderr, "", "{exit:?}");
    let told = exit.stdout.lines().map(|line| {
        let (verdict, rest) = line.split_once(' ').expect("a verdict");
        let (about, told) = rest.trim_start().split_once(": ").expect("what it is about");
        assert!(["ok", "warning", "failed"].contains(&verdict) && !told.is_empty(), "{exit:?}");
        (verdict, about, told)
    });
    told.collect()
}

/// What was said of one thing, in the only line about it.
#[track_caller]
fn verdict<'a>(exit: &'a Exit, about: &str) -> (&'a str, &'a str) {
    let all = lines(exit);
    let mut of_it = all.into_iter().filter(|(_, what, _)| *what == about);
    let (Some((verdict, _, told)), None) = (of_it.next(), of_it.next()) else {
        panic!("not one line about {about}: {exit:?}");
    };
    (verdict, told)
}

async fn all_is_well_beside_a_service_that_serves(roster: Roster) {
    let listen = roster.address();
    let exit = Program::with(["doctor", "--database-url", roster.database().url(), "--listen", &listen]);
    let exit = exit.run().await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    let all = lines(&exit);
    assert!(all.iter().all(|(verdict, ..)| *verdict == "ok"), "{exit:?}");
    let about: BTreeSet<_> = all.iter().map(|(_, about, _)| *about).collect();
    let expected = ["access", "address", "broker", "clock", "database", "directory", "events", "schema"];
    assert_eq!(about, BTreeSet::from(expected));
    let name = match roster.database().backend() {
        Backend::Sqlite => "SQLite",
        Backend::Postgres => "PostgreSQL",
    };
    assert!(verdict(&exit, "database").1.contains(name), "{exit:?}");
    roster.user("ada").await;
}

async fn a_database_that_is_empty_is_told_and_left_empty(database: Database) {
    if database.backend().is_file() {
        fs::write(database.path(), "").unwrap();
    }
    let exit = doctor(&database).run().await;
    assert_eq!(exit.code, Some(0), "a start mends it: {exit:?}");
    let (schema, told) = verdict(&exit, "schema");
    assert!(
        schema == "warning" && told.contains("000001_users") && told.contains("roster migrate"),
        "{exit:?}"
    );

    let again = Program::serving(&database).and(["--migrate=false"]).run().await;
    assert_ne!(again.code, Some(0), "the doctor changed the schema");
}

async fn a_file_that_is_not_there_is_told_and_not_made(OnSqlite(database): OnSqlite) {
    let exit = doctor(&database).run().await;
    assert_eq!((exit.code, verdict(&exit, "database").0), (Some(0), "warning"), "{exit:?}");
    assert!(!database.path().exists());
}

async fn a_newer_schema_will_not_do(roster: Roster) {
    let database = roster.database();
    database.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99991231000000')").await;
    let exit = doctor(database).run().await;
    let (schema, told) = verdict(&exit, "schema");
    assert!(exit.code == Some(1) && schema == "failed" && told.contains("newer"), "{exit:?}");
    // Whoever does not migrate serves with that.
    let exit = doctor(database).and(["--migrate=false"]).run().await;
    let (schema, told) = verdict(&exit, "schema");
    assert!(exit.code == Some(0) && schema == "warning" && told.contains("newer"), "{exit:?}");
}

async fn a_schema_that_is_missing_will_not_do_for_who_does_not_migrate(database: Database) {
    let serving = Program::with(["--database-url", database.url(), "--migrate=false"]).and(FREE).run().await;
    assert_eq!(serving.code, Some(2), "{serving:?}");
    let exit = doctor(&database).and(["--migrate=false"]).run().await;
    assert_eq!((exit.code, verdict(&exit, "schema").0), (Some(1), "failed"), "{exit:?}");
}

async fn a_database_that_is_away_will_not_do() {
    let folder = tempdir().unwrap();
    let nowhere = format!("sqlite:{}/missing/roster.db", folder.path().display());
    for url in [nowhere.as_str(), "postgres://ada:hunter2@127.0.0.1:1/users"] {
        let exit = Program::with(["doctor", "--database-url", url]).and(FREE).run().await;
        assert_eq!((exit.code, verdict(&exit, "database").0), (Some(1), "failed"), "{exit:?}");
        assert!(!exit.stdout.contains("hunter2"), "{exit:?}");
        assert_eq!(verdict(&exit, "address").0, "ok", "the rest is looked at all the same");
    }
}

async fn a_database_that_takes_no_writes_will_not_do(roster: Roster) {
    let database = roster.database().clone();
    match database.backend() {
        // Whoever is root writes to a file though it be read-only, so it is one that somebody else holds.
        Backend::Sqlite => {
            let holding = database.hold_for_writing();
            let exit = doctor(&database).run().await;
            let (verdict, told) = verdict(&exit, "database");
            assert!(exit.code == Some(1) && verdict == "failed" && told.contains("locked"), "{exit:?}");
            drop(holding);
        }
        Backend::Postgres => {
            let url = format!("{}?options=-c%20default_transaction_read_only%3Don", database.url());
            let exit = Program::with(["doctor", "--database-url", &url]).and(FREE).run().await;
            let (verdict, told) = verdict(&exit, "database");
            assert!(exit.code == Some(1) && verdict == "failed" && told.contains("no writes"), "{exit:?}");
        }
    }
}

/// What is said of the broker and of its streams.
#[track_caller]
fn of_broker(exit: &Exit) -> Vec<(&str, &str)> {
    let all = lines(exit).into_iter().filter(|(_, about, _)| *about == "broker");
    all.map(|(verdict, _, told)| (verdict, told)).collect()
}

async fn a_broker_is_looked_at_with_its_streams_and_none_is_made(WithNats(database, nats): WithNats) {
    let exit = doctor(&database).and(["--nats-url", nats.url()]).run().await;
    let told = of_broker(&exit);
    assert!(told.len() == 4 && told.iter().all(|(verdict, _)| *verdict == "ok"), "{exit:?}");
    assert!(told[0].1.contains("NATS 2."), "{exit:?}");
    assert!(nats.client().await.get_stream("ROSTER").await.is_err(), "the doctor made a stream");
}

async fn a_stream_that_would_lose_events_will_not_do(WithNats(database, nats): WithNats) {
    let in_memory = Config {
        name: "ROSTER".to_owned(),
        subjects: vec!["roster.users.*".to_owned()],
        storage: StorageType::Memory,
        ..Config::default()
    };
    nats.client().await.create_stream(in_memory).await.unwrap();
    let exit = doctor(&database).and(["--nats-url", nats.url()]).run().await;
    let why = ("failed", "the stream ROSTER is kept in memory alone");
    assert!(exit.code == Some(1) && of_broker(&exit).contains(&why), "{exit:?}");
}

async fn a_broker_that_is_away_will_not_do_and_its_password_is_not_told(nats: OwnNats) {
    nats.kill().await;
    let mut url = Url::parse(nats.url()).unwrap();
    url.set_username("ada").unwrap();
    url.set_password(Some("hunter2")).unwrap();
    let exit = Program::with(["doctor", "--database-url", "sqlite:none.db", "--nats-url", url.as_str()]);
    let exit = exit.and(FREE).run().await;
    let told = of_broker(&exit);
    assert!(exit.code == Some(1) && told.len() == 1 && told[0].0 == "failed", "{exit:?}");
    assert!(!exit.stdout.contains("hunter2"), "{exit:?}");
}

async fn a_directory_is_asked(OnSqlite(database): OnSqlite) {
    let stand_in = StandIn::answering([Reply::json(404, "{}")]).await;
    let exit = doctor(&database).and(["--directory-url", &stand_in.url()]).run().await;
    assert_eq!(verdict(&exit, "directory").0, "ok", "{exit:?}");

    stand_in.answer(Reply::json(401, "{}"));
    let exit = doctor(&database).and(["--directory-url", &stand_in.url()]).run().await;
    let (verdict, told) = verdict(&exit, "directory");
    assert!(exit.code == Some(1) && verdict == "failed" && told.contains("401"), "{exit:?}");
}

async fn an_address_that_somebody_else_has_will_not_do(OnSqlite(database): OnSqlite) {
    let stand_in = StandIn::answering([Reply::json(200, "{}")]).await;
    let taken = stand_in.url().replace("http://", "");
    let exit = Program::with(["doctor", "--database-url", database.url(), "--listen", &taken]).run().await;
    assert_eq!((exit.code, verdict(&exit, "address").0), (Some(1), "failed"), "{exit:?}");
}

async fn credentials_are_looked_at(OnSqlite(database): OnSqlite) {
    let folder = tempdir().unwrap();
    let file = folder.path().join("tokens").display().to_string();
    let made =
        Program::with(["token", "new", "--name", "ada", "--scope", "users:read", "--tokens-file", &file]);
    assert_eq!(made.run().await.code, Some(0));
    let exit = doctor(&database).and(["--tokens-file", &file]).run().await;
    assert_eq!(verdict(&exit, "access"), ("ok", "the file of tokens knows 1"), "{exit:?}");

    let keys = ["--jwks", "http://127.0.0.1:1/jwks", "--jwt-issuer", "a", "--jwt-audience", "b"];
    let exit = doctor(&database).and(keys).run().await;
    assert_eq!((exit.code, verdict(&exit, "access").0), (Some(1), "failed"), "{exit:?}");

    let program = Program::with(["doctor", "--database-url", database.url(), "--listen", "192.0.2.1:80"]);
    let exit = program.run().await;
    let (settings, told) = verdict(&exit, "settings");
    assert!(settings == "failed" && told.contains("--allow-anonymous"), "{exit:?}");
}

async fn a_setting_that_is_wrong_is_one_line_among_others(OnSqlite(database): OnSqlite) {
    let program = doctor(&database).and(["--directory-url", "http://127.0.0.1:1"]);
    let exit = program.env("DIRECTORY_TOKEN", "s3cr3t of mine").run().await;
    let (verdict_, told) = verdict(&exit, "settings");
    assert!(exit.code == Some(1) && verdict_ == "failed" && told.contains("DIRECTORY_TOKEN"), "{exit:?}");
    assert!(!exit.stdout.contains("s3cr3t") && verdict(&exit, "address").0 == "ok", "{exit:?}");
}
