//! Imports and exports that something happens to: what was acknowledged is kept, and nobody takes a part for
//! the whole.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use roster_domain::{Change, UserId};
use tokio::time::{sleep, timeout};

use super::{EXPORT, IMPORT, errors, line, lines, summary};
use crate::kit::{Database, Download, Gateway, Next, OnPostgres, Program, Raw, Roster, USERS, Upload, suite};

suite![
    a_client_that_hangs_up_keeps_what_was_acknowledged,
    an_import_that_is_broken_from_the_beginning_is_refused,
    a_client_that_sends_nothing_is_cut_off,
    a_client_that_takes_its_time_is_not,
    a_client_that_reads_nothing_is_cut_off,
    every_acknowledged_line_is_there_after_a_crash,
    an_import_under_way_is_finished_before_the_program_stops,
    an_import_that_never_ends_does_not_keep_the_program_from_stopping,
    an_export_under_way_is_finished_before_the_program_stops,
    after_the_store_fails_each_remaining_line_is_unavailable,
    a_line_that_waits_in_vain_stops_no_other,
    an_export_that_fails_is_broken_off,
    one_that_only_its_connection_ends_is_reset,
    exports_of_a_server_that_hangs_end_and_leave_room_for_others,
];

const HEADERS: &str = "Content-Type: application/x-ndjson";

/// The ids of users that were created, of events that are one to one with users that are there.
async fn created(database: &Database) -> BTreeSet<i64> {
    let ports = database.ports();
    ports.events.sequence().await.unwrap();
    let events = ports.events.read(roster_domain::Position::START, 1_000_000).await.unwrap();
    let mut ids = BTreeSet::new();
    for event in events {
        let Change::UserCreated(user) = event.change else { panic!("nobody asked for {event:?}") };
        assert!(ids.insert(user.id.get()), "{} has two events", user.id);
        assert!(ports.users.find(UserId::new(user.id.get()).unwrap()).await.unwrap().is_some());
    }
    ids
}

/// Reads until the answer ends, however that is; the ids that were told.
async fn acknowledged(download: &mut Download) -> BTreeSet<i64> {
    let mut ids = BTreeSet::new();
    while let Next::Line(line) = download.next().await {
        ids.insert(line["id"].as_i64().expect("a user is made of each line"));
    }
    ids
}

async fn a_client_that_hangs_up_keeps_what_was_acknowledged(roster: Roster) {
    let (mut upload, mut download) = Upload::begin(&roster, IMPORT, HEADERS).await;
    upload.send(lines("user", 2_000)).await.unwrap();
    upload.send(line("part").split_at(30).0).await.unwrap();
    let mut told = BTreeSet::new();
    for _ in 0..700 {
        let Next::Line(line) = download.next().await else { panic!("lines are answered") };
        told.insert(line["id"].as_i64().unwrap());
    }
    upload.reset(download);

    let settled = async {
        let mut before = created(roster.database()).await;
        loop {
            sleep(Duration::from_millis(300)).await;
            let now = created(roster.database()).await;
            if now == before {
                return now;
            }
            before = now;
        }
    };
    let there = timeout(Duration::from_secs(60), settled).await.expect("work stops");
    assert!(there.is_superset(&told));
    assert!(there.len() <= 2_000, "what was not whole is no line");
    roster.user("after").await;
}

/// Seen to fail where it was answered before anything could be told: with nothing, which counted as 200.
async fn an_import_that_is_broken_from_the_beginning_is_refused(database: Database) {
    let roster = Program::serving(&database).and(["--stream-idle-timeout", "1"]).serve().await;
    let line = "email,name\r\nada@example.org,Ada\r\n";
    let then_broken = format!("{:x}\r\n{line}\r\nZZ\r\n", line.len());
    let cases = [
        ("ZZ\r\n", 400, "malformed_request"),
        (&then_broken, 400, "malformed_request"),
        ("", 408, "request_timeout"),
        ("4\r\nemai\r\n", 408, "request_timeout"),
    ];
    for (first, status, error) in cases {
        let mut raw = Raw::to(&roster).await;
        let head = "Host: localhost\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked";
        raw.send(format!("POST {IMPORT} HTTP/1.1\r\n{head}\r\n\r\n{first}")).await;
        raw.answer().await.expect("it is answered").error(status, error);
    }
    assert_eq!(created(&database).await, BTreeSet::new());
}

async fn a_client_that_sends_nothing_is_cut_off(database: Database) {
    let roster = Program::serving(&database).and(["--stream-idle-timeout", "1"]).serve().await;
    let (mut upload, mut download) = Upload::begin(&roster, IMPORT, HEADERS).await;
    upload.send(line("ada")).await.unwrap();
    upload.send("{\"email\": \"part@example.org\", \"name\": \"Part\"}").await.unwrap();
    let Next::Line(ada) = download.next().await else { panic!("a line is answered") };

    assert_eq!(download.next().await, Next::Broken);

    assert_eq!(created(&database).await, [ada["id"].as_i64().unwrap()].into());
    // An answer that has not begun tells it.
    let line = line("bob");
    for (rest, status, error) in [("", 408, "request_timeout"), ("ZZ\r\n", 400, "malformed_request")] {
        let mut raw = Raw::to(&roster).await;
        let target = format!("{IMPORT}?report=errors");
        let head = format!("Host: localhost\r\n{HEADERS}\r\nTransfer-Encoding: chunked");
        raw.send(format!("POST {target} HTTP/1.1\r\n{head}\r\n\r\n{:x}\r\n{line}\r\n", line.len())).await;
        sleep(Duration::from_millis(300)).await;
        raw.send(rest).await;
        let refused = raw.answer().await.expect("it is answered");
        refused.error(status, error);
        assert!(status != 408 || refused.header("connection") == "close", "{}", refused.told());
    }
    assert_eq!(created(&database).await.len(), 2);
    roster.user("after").await;
}

/// It is slower than any request may be.
async fn a_client_that_takes_its_time_is_not(database: Database) {
    let program =
        Program::serving(&database).and(["--stream-idle-timeout", "20", "--request-timeout", "0.5"]);
    let roster = program.serve().await;
    let (mut upload, mut download) = Upload::begin(&roster, IMPORT, HEADERS).await;
    let errors_alone = format!("{IMPORT}?report=errors");
    let (mut held, mut told) = Upload::begin(&roster, &errors_alone, HEADERS).await;
    for nth in 0..4 {
        upload.send(line(&format!("user{nth}"))).await.unwrap();
        held.send(line(&format!("held{nth}"))).await.unwrap();
        sleep(Duration::from_millis(500)).await;
    }
    upload.finish().await;
    held.finish().await;
    assert_eq!(errors(&download.rest().await).len(), 4);
    assert_eq!(told.rest().await, [summary(4, 4, 0)]);
}

/// More than what lies in buffers on its way to a client that does not read.
async fn many_users(database: &Database) {
    let name = "x".repeat(150);
    let numbers =
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 60000)";
    let users = format!("SELECT n || '@example.org', '{name}', '{name}' FROM numbers");
    database.execute(&format!("{numbers} INSERT INTO users (email, name, name_key) {users}")).await;
}

async fn a_client_that_reads_nothing_is_cut_off(database: Database) {
    let roster = Program::serving(&database).and(["--stream-idle-timeout", "1"]).serve().await;
    many_users(&database).await;
    let mut export = Download::get(&roster, EXPORT, "Accept: */*").await;
    let Next::Line(_) = export.next().await else { panic!("the export begins") };

    sleep(Duration::from_secs(6)).await;

    let mut lines = 1;
    while let Next::Line(_) = export.next().await {
        lines += 1;
    }
    assert!(lines < 60_000, "all of the users were sent to a client that did not read");
    roster.user("after").await;
}

async fn every_acknowledged_line_is_there_after_a_crash(database: Database) {
    let mut told = BTreeSet::new();
    for round in 0..4 {
        let roster = Program::serving(&database).serve().await;
        let (mut upload, mut download) = Upload::begin(&roster, IMPORT, HEADERS).await;
        let sending = tokio::spawn(async move {
            for part in 0.. {
                if upload.send(lines(&format!("u{round}-{part}-"), 100)).await.is_err() {
                    return;
                }
            }
        });
        for _ in 0..1_200 {
            let Next::Line(line) = download.next().await else { panic!("lines are answered") };
            told.insert(line["id"].as_i64().unwrap());
        }
        roster.kill().await;
        told.extend(acknowledged(&mut download).await);
        sending.await.unwrap();
    }
    assert!(created(&database).await.is_superset(&told));
    let roster = Program::serving(&database).serve().await;
    let exported = Download::get(&roster, EXPORT, "Accept: */*").await.rest().await;
    assert_eq!(exported.len(), created(&database).await.len(), "users and events are one to one");
}

async fn an_import_under_way_is_finished_before_the_program_stops(roster: Roster) {
    let database = roster.database().clone();
    let (mut upload, mut download) = Upload::begin(&roster, IMPORT, HEADERS).await;
    upload.send(line("first")).await.unwrap();
    let Next::Line(_) = download.next().await else { panic!("a line is answered") };
    // Connections to the database that other workers of the server opened, which end before this one does.
    join_all((0..40).map(|_| roster.get(USERS).into_future())).await;

    roster.terminate();
    sleep(Duration::from_millis(500)).await;
    for part in 0..20 {
        upload.send(lines(&format!("user{part}-"), 50)).await.unwrap();
        for _ in 0..50 {
            let Next::Line(line) = download.next().await else { panic!("a line is answered") };
            assert!(line["id"].is_i64(), "{line}");
        }
    }
    upload.finish().await;

    assert_eq!(download.next().await, Next::End);
    let exit = roster.exit().await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    assert_eq!(created(&database).await.len(), 1_001);
}

async fn an_import_that_never_ends_does_not_keep_the_program_from_stopping(database: Database) {
    let roster = Program::serving(&database).and(["--shutdown-grace", "1"]).serve().await;
    let (mut upload, mut download) = Upload::begin(&roster, IMPORT, HEADERS).await;
    upload.send(lines("user", 10)).await.unwrap();
    for _ in 0..10 {
        let Next::Line(_) = download.next().await else { panic!("a line is answered") };
    }

    let exit = roster.stop().await;

    assert_eq!(exit.code, Some(0), "{exit:?}");
    assert_eq!(download.next().await, Next::Broken);
    assert_eq!(created(&database).await.len(), 10);
}

/// Whichever worker of the server began the connection to the database that an export reads from: those that
/// have nothing to do end at once.
async fn an_export_under_way_is_finished_before_the_program_stops(database: Database) {
    // Other tests may have the machine for longer than the usual grace.
    let program = Program::serving(&database).and(["--database-pool-size", "8", "--shutdown-grace", "200"]);
    drop(program.serve().await);
    many_users(&database).await;
    for _ in 0..3 {
        let roster = program.serve().await;
        join_all((0..40).map(|_| roster.get(USERS).into_future())).await;
        let mut exports = [
            Download::get(&roster, EXPORT, "Accept: */*").await,
            Download::get(&roster, EXPORT, "Accept: */*").await,
        ];
        for export in &mut exports {
            let Next::Line(_) = export.next().await else { panic!("the export begins") };
        }

        roster.terminate();
        sleep(Duration::from_millis(500)).await;

        for export in &mut exports {
            assert_eq!(export.rest().await.len(), 59_999);
        }
        let exit = roster.exit().await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
    }
}

/// Seen to fail where only the beginning of an answer was waited for in time: the exports went on for good.
async fn exports_of_a_server_that_hangs_end_and_leave_room_for_others(OnPostgres(database): OnPostgres) {
    drop(Program::serving(&database).serve().await);
    many_users(&database).await;
    let gateway = Gateway::to(database.url()).await;
    let url = gateway.url_or_without(database.url());
    let settings = ["--database-pool-size", "8", "--database-pool-wait", "10"];
    let roster = Program::by_default(&url).and(settings).serve().await;
    let hanging = async {
        let mut exports = [
            Download::get(&roster, EXPORT, "Accept: */*").await,
            Download::get(&roster, EXPORT, "Accept: */*").await,
        ];
        for export in &mut exports {
            let Next::Line(_) = export.next().await else { panic!("the export begins") };
        }
        // A thousand users take some seconds from here on.
        gateway.narrow(40_000);
        let hangs = async {
            sleep(Duration::from_millis(1_500)).await;
            gateway.silence();
        };
        let ends = exports.iter_mut().map(async |export| {
            loop {
                match export.next().await {
                    Next::Line(_) => {}
                    Next::Broken => return,
                    Next::End => panic!("the export takes minutes"),
                }
            }
        });
        futures_util::join!(hangs, join_all(ends));
    };
    timeout(Duration::from_secs(60), hanging).await.expect("they end");

    let export = async {
        while roster.get(EXPORT).await.status() != 200 {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_secs(60), export).await.expect("there is room for others");
}

async fn after_the_store_fails_each_remaining_line_is_unavailable(OnPostgres(database): OnPostgres) {
    let gateway = Gateway::to(database.url()).await;
    let url = gateway.url(database.url());
    let roster = Program::by_default(&url).serve().await;
    let (mut upload, mut download) = Upload::begin(&roster, IMPORT, HEADERS).await;
    upload.send(line("ada")).await.unwrap();
    let Next::Line(ada) = download.next().await else { panic!("a line is answered") };
    assert!(ada["id"].is_i64(), "{ada}");

    gateway.cut();
    upload.send(lines("lost", 3)).await.unwrap();
    for _ in 0..3 {
        let Next::Line(lost) = download.next().await else { panic!("a line is answered") };
        assert_eq!(lost["error"], "unavailable");
    }
    gateway.open();
    upload.send(format!("{}nonsense\n", line("late"))).await.unwrap();
    upload.finish().await;

    assert_eq!(errors(&download.rest().await), [(5, "unavailable"), (6, "unavailable")]);
    let ready = async { while roster.get(USERS).await.status() != 200 {} };
    timeout(Duration::from_secs(30), ready).await.expect("the store is back");
    roster.user("after").await;
}

/// Somebody else is about to take an e-mail. Seen to fail where lines that share a statement failed together.
async fn a_line_that_waits_in_vain_stops_no_other(OnPostgres(database): OnPostgres) {
    let roster = Program::serving(&database).and(["--database-statement-timeout", "2"]).serve().await;
    let (server, name) = database.server();
    let holder = server.client(name).await.expect("the server answers");
    let take = "INSERT INTO users (email, name, name_key) VALUES ('held1@example.org', 'Eve', 'eve')";
    holder.batch_execute(&format!("BEGIN; {take}")).await.expect("the e-mail can be taken");
    let (mut upload, mut download) = Upload::begin(&roster, IMPORT, HEADERS).await;
    upload.send(lines("held", 3) + &line("ada")).await.unwrap();
    upload.finish().await;
    assert_eq!(errors(&download.rest().await), [(1, ""), (2, "unavailable"), (3, ""), (4, "")]);
}

async fn an_export_that_fails_is_broken_off(OnPostgres(database): OnPostgres) {
    let gateway = Gateway::to(database.url()).await;
    let url = gateway.url(database.url());
    let roster = Program::by_default(&url).serve().await;
    many_users(&database).await;
    let mut export = Download::get(&roster, EXPORT, "Accept: */*").await;
    let Next::Line(_) = export.next().await else { panic!("the export begins") };

    sleep(Duration::from_millis(500)).await;
    gateway.cut();

    let mut lines = 1;
    loop {
        match export.next().await {
            Next::Line(_) => lines += 1,
            Next::Broken => break,
            Next::End => panic!("{lines} of 60000 users are taken for all"),
        }
    }
    assert!(lines < 60_000);
}

/// Who speaks HTTP/1.0, as nginx does by default, would take a part for the whole.
async fn one_that_only_its_connection_ends_is_reset(OnPostgres(database): OnPostgres) {
    let gateway = Gateway::to(database.url()).await;
    let url = gateway.url(database.url());
    let roster = Program::by_default(&url).serve().await;
    many_users(&database).await;
    let begin = async |method| {
        let mut raw = Raw::to(&roster).await;
        raw.send(format!("{method} {EXPORT} HTTP/1.0\r\nHost: localhost\r\n\r\n")).await;
        assert_eq!(raw.answer().await.expect("it begins").status(), 200);
        raw
    };
    let mut cut = begin("GET").await;
    for (method, users) in [("GET", 60_000), ("HEAD", 0)] {
        let whole = begin(method).await.whole().await.expect("it is whole");
        assert_eq!(String::from_utf8(whole).unwrap().lines().count(), users, "{method}");
    }

    gateway.cut();

    let broken = cut.whole().await.map(|part| part.len()).expect_err("it is broken off");
    assert_eq!(broken.kind(), std::io::ErrorKind::ConnectionReset, "{broken}");
}
