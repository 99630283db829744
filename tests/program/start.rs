//! The first start, and migrations.

use roster_domain::UserId;
use rustix::process::Signal;

use crate::kit::{Backend, Database, Http, OnPostgres, OnSqlite, Output, Program, USERS, suite};

suite![
    the_start_tells_where_it_listens_where_its_data_are_and_what_to_try,
    whoever_cannot_be_told_is_served,
    to_serve_is_the_default,
    by_default_data_are_in_a_file_where_it_starts,
    data_are_there_after_a_restart,
    migrate_brings_in_the_schema_and_ends,
    migrate_does_nothing_where_there_is_nothing_to_do,
    a_start_without_migrations_leaves_the_database_alone,
    a_start_without_migrations_serves_a_migrated_database,
    a_file_of_a_newer_schema_is_refused,
    a_database_that_cannot_hold_every_name_is_refused,
    ten_instances_may_start_at_once_on_an_empty_database,
];

/// Whether the schema is there.
async fn is_migrated(database: &Database) -> bool {
    if database.backend().is_file() && !database.path().exists() {
        return false;
    }
    let users = database.ports().users;
    users.find(UserId::new(1).unwrap()).await.is_ok()
}

async fn the_start_tells_where_it_listens_where_its_data_are_and_what_to_try(database: Database) {
    let mut roster = Program::serving(&database).serve().await;
    let base = format!("http://{}", roster.address());
    let told = roster.process().wait_for("it told what to try", |output| {
        output.stdout.lines().any(|line| line.contains("curl")).then(|| output.stdout.clone())
    });
    let told = told.await;

    assert!(told.lines().any(|line| line.contains("listens") && line.contains(&base)), "{told}");
    let data = match database.backend() {
        Backend::Sqlite => database.path().display().to_string(),
        Backend::Postgres => database.server().1.to_owned(),
    };
    assert!(told.contains(&data), "{data} is not named: {told}");
    let password = reqwest::Url::parse(database.url()).ok().and_then(|url| url.password().map(str::to_owned));
    if let Some(password) = password.filter(|password| !data.contains(password)) {
        assert!(!told.contains(&format!(":{password}@")), "{told}");
    }
    let example = told.lines().find(|line| line.contains("curl")).unwrap();
    assert!(example.contains(&format!("{base}{USERS}")), "{example}");
}

/// Seen to fail where the program panicked for it.
async fn whoever_cannot_be_told_is_served(OnSqlite(database): OnSqlite) {
    let program = Program::serving(&database).and(["--log", "info"]);
    let mut process = program.by_shell("exec \"$0\" \"$@\" >/dev/full").start().await;
    let logged = |output: &Output| {
        let (_, after) = output.stderr.split_once("listening on: ")?;
        Some(after.split_once('\n')?.0.to_owned())
    };
    let address = process.wait_for("it listened", logged).await;

    Http::new(&format!("http://{address}")).user("ada").await;

    process.signal(Signal::TERM);
    assert_eq!(process.exit().await.code, Some(0));
}

async fn to_serve_is_the_default(database: Database) {
    let roster = Program::with(["--listen", "127.0.0.1:0", "--database-url", database.url()]).serve().await;
    roster.user("ada").await;
}

async fn by_default_data_are_in_a_file_where_it_starts() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::with(["--listen", "127.0.0.1:0"]).within(folder.path());
    let ada = program.serve().await.user("ada").await;

    assert!(folder.path().join("roster.db").is_file());
    assert_eq!(program.serve().await.get(USERS).await.page().items, [ada]);
}

/// Seen to fail where what a server has to say beside its answers was told.
async fn data_are_there_after_a_restart(database: Database) {
    let roster = Program::serving(&database).serve().await;
    let ada = roster.user("ada").await;
    let exit = roster.stop().await;
    assert_eq!(exit.code, Some(0), "{exit:?}");

    let roster = Program::serving(&database).serve().await;
    assert_eq!(roster.get(USERS).await.page().items, std::slice::from_ref(&ada));
    assert!(roster.user("bob").await.id > ada.id);
    let exit = roster.stop().await;
    assert!(!exit.stderr.contains("already exists"), "{exit:?}");
}

async fn migrate_brings_in_the_schema_and_ends(database: Database) {
    assert!(!is_migrated(&database).await);
    let exit = Program::with(["migrate", "--database-url", database.url()]).run().await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    assert!(is_migrated(&database).await);
}

async fn migrate_does_nothing_where_there_is_nothing_to_do(database: Database) {
    let roster = Program::serving(&database).serve().await;
    let ada = roster.user("ada").await;
    for _ in 0..2 {
        let exit = Program::with(["migrate", "--database-url", database.url()]).run().await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
    }
    assert_eq!(roster.get(USERS).await.page().items, [ada]);
}

async fn a_start_without_migrations_leaves_the_database_alone(database: Database) {
    // Whether it refuses to start or to serve is its own affair.
    let mut process = Program::serving(&database).and(["--migrate=false"]).start().await;
    process.serves_or_ends().await;
    assert!(!is_migrated(&database).await);
}

async fn a_start_without_migrations_serves_a_migrated_database(database: Database) {
    Program::with(["migrate", "--database-url", database.url()]).run().await;
    let roster = Program::serving(&database).and(["--migrate=false"]).serve().await;
    roster.user("ada").await;
}

async fn a_file_of_a_newer_schema_is_refused(OnSqlite(database): OnSqlite) {
    Program::with(["migrate", "--database-url", database.url()]).run().await;
    database.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99991231000000')").await;
    let exit = Program::serving(&database).run().await;
    assert_ne!(exit.code, Some(0));
    assert_eq!(exit.stderr.lines().filter(|line| line.contains("newer")).count(), 1, "{exit:?}");
}

/// Seen to fail where a name with a letter that the database lacks was answered with 503, each time it came.
async fn a_database_that_cannot_hold_every_name_is_refused(OnPostgres(database): OnPostgres) {
    let (server, name) = database.server();
    let latin = format!("{name}_latin");
    let made = format!("CREATE DATABASE {latin} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'");
    server.execute(&made).await.expect("it can be made");
    let url = server.url(&latin);
    let run = |command| Program::with([command, "--database-url", url.as_str(), "--listen", "127.0.0.1:0"]);
    for (command, code) in [("serve", 2), ("migrate", 2), ("doctor", 1)] {
        let exit = run(command).run().await;
        let told = format!("{}{}", exit.stdout, exit.stderr);
        assert!(exit.code == Some(code) && told.contains("is encoded in LATIN1"), "{exit:?}");
    }
    server.drop_database(&latin).await;
}

async fn ten_instances_may_start_at_once_on_an_empty_database(database: Database) {
    let program = Program::serving(&database);
    let instances = futures_util::future::join_all((0..10).map(|_| program.serve())).await;

    let mut made = Vec::new();
    for (nth, instance) in instances.iter().enumerate() {
        instance.readiness().await;
        made.push(instance.user(&format!("user{nth}")).await);
    }
    for instance in &instances {
        assert_eq!(instance.get(USERS).await.page().items, made);
    }
    let mut migrations = Vec::new();
    for instance in instances {
        let log = instance.stop().await.stderr;
        migrations.extend(
            log.lines()
                .filter_map(|line| line.split_once("migration=")?.1.split(' ').next().map(str::to_owned)),
        );
    }
    let all = migrations.len();
    migrations.sort();
    migrations.dedup();
    assert!(all > 0 && migrations.len() == all, "each migration is run once: {migrations:?} of {all}");
}
