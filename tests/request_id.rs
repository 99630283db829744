//! `X-Request-Id`.

use std::collections::BTreeSet;

use crate::kit::{Answer, Raw, Roster, USERS, new_user, suite, user_path};

suite![
    an_id_that_was_sent_is_echoed,
    an_id_is_made_where_none_was_sent,
    a_bad_id_is_replaced,
    every_kind_of_answer_has_the_id,
    a_failed_request_is_found_in_the_log_by_its_id,
];

async fn an_id_that_was_sent_is_echoed(roster: Roster) {
    let longest = "~".repeat(128);
    let all: String = ('!'..='~').collect();
    for id in ["1", "018f2b3c-aaaa-7bbb-8ccc-1234567890ab", all.as_str(), longest.as_str()] {
        let answer = roster.get(USERS).header("X-Request-Id", id).await;
        assert_eq!(answer.any_body(200).header("x-request-id"), id);
        let answer = roster.get(&user_path(7)).header("X-Request-Id", id).await;
        assert_eq!(answer.error(404, "not_found")["request_id"], id);
    }
}

async fn an_id_is_made_where_none_was_sent(roster: Roster) {
    let mut made = BTreeSet::new();
    for _ in 0..10 {
        made.insert(roster.get(USERS).await.any_body(200).header("x-request-id"));
    }
    assert_eq!(made.len(), 10, "each request has an id of its own");
}

async fn a_bad_id_is_replaced(roster: Roster) {
    let too_long = "a".repeat(129);
    for bad in ["", "two words", "tab\there", &too_long, "é"] {
        let mut raw = Raw::to(&roster).await;
        raw.send(format!("GET {USERS}/7 HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: {bad}\r\n\r\n")).await;
        let answer = raw.answer().await.unwrap();
        answer.error(404, "not_found");
        assert_ne!(answer.header("x-request-id"), bad);
    }
}

async fn every_kind_of_answer_has_the_id(roster: Roster) {
    let check =
        |answer: &Answer, id: &str| assert_eq!(answer.header("x-request-id"), id, "{}", answer.told());
    roster.readiness().await;
    let user = user_path(1);
    let large = " ".repeat(64 * 1024 + 1);
    for (nth, (request, status)) in [
        (roster.post(USERS, &new_user("ada")), 201),
        (roster.post(USERS, &new_user("ada")), 400),
        (roster.get(&user).header("If-None-Match", "*"), 304),
        (roster.request("HEAD", &user), 200),
        (roster.delete(&user), 204),
        (roster.get("/nope"), 404),
        (roster.delete(USERS), 405),
        (roster.request("POST", USERS).body("application/json", "{"), 400),
        (roster.request("POST", USERS).body("application/json", large), 413),
        (roster.request("POST", USERS).untyped_body("{}"), 415),
        (roster.get(&user_path("abc")), 422),
        (roster.get("/livez"), 200),
        (roster.get("/readyz"), 200),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("request-{nth}");
        let answer = request.header("X-Request-Id", &id).await;
        check(answer.any_body(status), &id);
    }
}

async fn a_failed_request_is_found_in_the_log_by_its_id(mut roster: Roster) {
    // Past the program, its table goes: now the service is broken, and nobody who asks can mend that.
    roster.database().execute("DROP TABLE users").await;

    let answer = roster.get(USERS).header("X-Request-Id", "find-me-4711").await;
    let body = answer.error(500, "internal");

    let told = body.to_string().to_lowercase();
    for inner in ["table", "relation", "sql", "users", "diesel", "column"] {
        assert!(!told.contains(inner), "the client is told of {inner}: {body}");
    }
    let line = roster.process().wait_for("the failure was logged", |output| {
        let mut lines = output.stderr.lines().filter(|line| line.contains("find-me-4711"));
        lines.find(|line| line.contains("no such") || line.contains("does not exist")).map(str::to_owned)
    });
    line.await;
}
