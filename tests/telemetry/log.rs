//! The log, as a person and as a program reads it.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::kit::{
    Exit, OnSqlite, Output, Program, Raw, Reply, Roster, Run, StandIn, USERS, new_user, suite, user_path,
};

suite![
    a_request_is_one_line_for_a_person,
    nobody_makes_up_what_a_line_says_by_the_id_of_a_request,
    a_request_is_one_object_for_a_program,
    what_is_no_request_leaves_no_line,
    every_line_of_a_request_has_its_id_and_no_line_has_an_email_or_a_secret,
    the_lines_of_what_runs_beside_requests_say_what_that_is,
    a_client_that_goes_away_is_told_of,
    a_log_that_nobody_reads_for_a_while_holds_up_no_request_and_lacks_none,
];

/// More lines than a pipe has room for.
const LINES: usize = 1_000;

/// The objects that a log in JSON is made of.
fn objects(exit: &Exit) -> Vec<Value> {
    let object = |line: &str| match serde_json::from_str(line) {
        Ok(object @ Value::Object(_)) => object,
        _ => panic!("no object: {line}"),
    };
    exit.stderr.lines().map(object).collect()
}

/// Those that say this.
fn saying<'a>(objects: &'a [Value], message: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["message"] == message).collect()
}

async fn a_request_is_one_line_for_a_person(roster: Roster) {
    roster.post(USERS, &new_user("ada")).header("X-Request-Id", "a-request").await.user(201);

    let exit = roster.stop().await;

    let lines: Vec<_> = exit.stderr.lines().filter(|line| line.contains("a-request")).collect();
    let [line] = lines[..] else { panic!("one line a request: {lines:#?}") };
    assert!(!line.contains('\u{1b}'), "it is no terminal: {line:?}");
    for part in [
        " INFO ",
        "request_id=\"a-request\"",
        "answered",
        "method=POST",
        "route=\"/api/v1/users\"",
        "status=201",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
}

/// Seen to fail where the id was written as it came.
async fn nobody_makes_up_what_a_line_says_by_the_id_of_a_request(OnSqlite(database): OnSqlite) {
    let roster = Program::serving(&database).serve().await;
    let id = r#"1}:request{principal="token:root""#;
    assert_eq!(roster.get("/livez").header("X-Request-Id", id).await.header("x-request-id"), id);

    let log = roster.stop().await.stderr;

    let quoted = format!("request_id={id:?}");
    assert!(log.contains(&quoted), "{quoted}: {log}");
}

async fn a_request_is_one_object_for_a_program(OnSqlite(database): OnSqlite) {
    let roster = Program::serving(&database).and(["--log-format", "json"]).serve().await;
    let ada = roster.user("ada").await;
    roster.get(&user_path(ada.id)).header("X-Request-Id", "a-request").await.user(200);
    roster.get("/nowhere/7").await.error(404, "not_found");

    let exit = roster.stop().await;

    let objects = objects(&exit);
    let answered = saying(&objects, "answered");
    assert_eq!(answered.len(), 3, "{answered:#?}");
    let read = answered[1];
    for (member, expected) in [
        ("level", json!("INFO")),
        ("request_id", json!("a-request")),
        ("method", json!("GET")),
        ("route", json!("/api/v1/users/{id}")),
        ("status", json!(200)),
    ] {
        assert_eq!(read[member], expected, "{member}: {read}");
    }
    assert!(read["duration_us"].is_u64() && read["timestamp"].is_string(), "{read}");
    assert_eq!((&answered[2]["route"], &answered[2]["status"]), (&json!("none"), &json!(404)));
}

/// Seen to fail where the framework told of each, as an error.
async fn what_is_no_request_leaves_no_line(OnSqlite(database): OnSqlite) {
    let mut counts = Vec::new();
    for nonsense in [0, 3] {
        let roster = Program::serving(&database).serve().await;
        for _ in 0..nonsense {
            let mut raw = Raw::to(&roster).await;
            raw.send("nonsense\r\n\r\n").await;
            assert_eq!(raw.refusal().await, Some(400));
        }
        let log = roster.stop().await.stderr;
        counts.push(log.lines().filter(|line| !line.contains("migrated")).count());
    }
    assert_eq!(counts[0], counts[1]);
}

async fn every_line_of_a_request_has_its_id_and_no_line_has_an_email_or_a_secret(
    OnSqlite(database): OnSqlite,
) {
    let program = Program::serving(&database).and([
        "--log-format=json",
        "--log=info,roster_directory_http=debug",
        "--directory-url=http://127.0.0.1:9",
    ]);
    let roster = program.env("DIRECTORY_TOKEN", "secret-4711").serve().await;
    let asked = roster.get("/api/v1/directory/users/1").header("X-Request-Id", "a-request").await;
    asked.error(502, "upstream_error");
    roster.post(USERS, &new_user("canary")).await.user(201);
    roster.post(USERS, &new_user("canary")).await.error(400, "business_rule");
    roster
        .get(&format!("{USERS}?email=canary@example.org"))
        .header("Authorization", "Bearer secret-4711")
        .await;

    let exit = roster.stop().await;

    let objects = objects(&exit);
    for message in ["asked the directory", "could not answer", "answered"] {
        let lines = saying(&objects, message);
        assert!(lines.iter().any(|line| line["request_id"] == "a-request"), "{message}: {lines:#?}");
        assert!(lines.iter().all(|line| line["request_id"].is_string()), "{message}: {lines:#?}");
    }
    for secret in ["canary", "secret-4711"] {
        assert!(!exit.stderr.contains(secret), "{secret} is in the log");
    }
}

async fn the_lines_of_what_runs_beside_requests_say_what_that_is(OnSqlite(database): OnSqlite) {
    let program = Program::serving(&database).and(["--nats-url", "nats://127.0.0.1:1"]);
    let mut roster = program.and(["--log-format", "json"]).serve().await;
    let began = |output: &Output| output.stderr.contains("publishing events").then_some(());
    roster.process().wait_for("the relay began", began).await;

    let exit = roster.stop().await;

    let objects = objects(&exit);
    let [line] = saying(&objects, "publishing events")[..] else { panic!("{objects:#?}") };
    assert_eq!((&line["task"], &line["request_id"]), (&json!("relay"), &Value::Null), "{line}");
}

async fn a_client_that_goes_away_is_told_of(OnSqlite(database): OnSqlite) {
    let directory = StandIn::answering([Reply::Nothing]).await;
    let program = Program::serving(&database).and(["--log-format=json", "--directory-url", &directory.url()]);
    let mut roster = program.serve().await;
    let mut raw = Raw::to(&roster).await;
    raw.send("GET /api/v1/directory/users/1 HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: gone\r\n\r\n").await;
    // Until the directory was asked: nothing is told of a request that was not read.
    while directory.requests().is_empty() {
        sleep(Duration::from_millis(20)).await;
    }
    raw.reset();

    let told = roster.process().wait_for("it was told", |output| {
        let mut lines = output.stderr.lines().filter(|line| line.contains("the client went away"));
        lines.next().map(str::to_owned)
    });
    let line: Value = serde_json::from_str(&told.await).unwrap();
    assert_eq!(line["request_id"], "gone");
    assert_eq!(line["route"], "/api/v1/directory/users/{id}", "{line}");

    let measured = roster.measured().await;
    assert_eq!(measured["roster_http_requests_total"].sum(&[("status", "abandoned")]), 1.0);
    assert_eq!(measured["roster_http_requests_in_flight"].sum(&[]), 1.0, "the one that reads this");
}

/// Seen to fail where each line was written before the answer was sent, and where the program did not wait for the last.
async fn a_log_that_nobody_reads_for_a_while_holds_up_no_request_and_lacks_none(
    OnSqlite(database): OnSqlite,
) {
    let folder = Run::current().folder().new_folder();
    let roster = Program::serving(&database).with_unread_log(&folder).serve().await;
    let mut raw = Raw::to(&roster).await;
    for nth in 0..LINES {
        raw.send(format!("GET /nowhere HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: n{nth}.\r\n\r\n")).await;
        raw.answer().await.expect("it is answered").error(404, "not_found");
    }
    drop(raw);
    roster.terminate();
    while Raw::attempt(&roster).await.is_ok() {
        sleep(Duration::from_millis(20)).await;
    }
    fs::write(folder.join("read"), "").expect("a file can be made");

    let exit = roster.exit().await;

    let lines: Vec<_> = exit.stderr.lines().filter(|line| line.contains(" answered ")).collect();
    assert_eq!(lines.len(), LINES, "{exit:?}");
    for (nth, line) in lines.into_iter().enumerate() {
        assert!(line.contains(&format!("request_id=\"n{nth}.\"")), "{nth}: {line}");
    }
}
