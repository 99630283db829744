//! Requests whose end two readers could see at different places: the way to smuggle one past a proxy. The
//! framework refuses them before there is a request that could have an answer of its own.

use std::time::{Duration, Instant};

use crate::kit::{Raw, Roster, USERS, creating, in_time, new_user, suite};

/// Within how long a connection ends that is told to end.
const SOON: Duration = Duration::from_secs(1);

const EXPORT: &str = "/api/v1/users/export";

suite![
    a_request_of_two_lengths_is_refused,
    a_request_that_names_no_host_is_refused,
    a_line_that_ends_with_a_bare_line_feed_is_taken,
    who_offers_another_protocol_is_answered_in_this_one_and_told_that_it_is_the_last_time,
    who_speaks_http_1_0_is_sent_no_chunks,
];

/// A request to create a user, with these lines in its head.
fn smuggling(lines: &str) -> String {
    let body = new_user("smuggled").to_string();
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let lines = lines.replace("LENGTH", &body.len().to_string());
    let body = if lines.contains("chunked") { chunked } else { body };
    creating(&lines) + &body
}

async fn a_request_of_two_lengths_is_refused(roster: Roster) {
    for lines in [
        "Content-Length: LENGTH\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: LENGTH\r\n",
        "Content-Length: LENGTH\r\nContent-Length: LENGTH\r\n",
        "Content-Length: LENGTH\r\nContent-Length: 3\r\n",
        "Content-Length: +LENGTH\r\n",
        "Content-Length: LENGTH, LENGTH\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    ] {
        let mut raw = Raw::to(&roster).await;
        raw.send(smuggling(lines)).await;
        assert_eq!(raw.refusal().await, Some(400), "{lines}");
    }
    assert_eq!(roster.get(USERS).await.page().items, []);
}

async fn a_request_that_names_no_host_is_refused(roster: Roster) {
    let mut raw = Raw::to(&roster).await;
    raw.send(format!("GET {USERS} HTTP/1.1\r\n\r\n")).await;
    assert_eq!(raw.refusal().await, Some(400));
}

/// What the framework does, against RFC 9112 §2.2, which lets a server do it: SECURITY.md tells of it.
async fn a_line_that_ends_with_a_bare_line_feed_is_taken(roster: Roster) {
    let mut raw = Raw::to(&roster).await;
    raw.send(format!("GET {USERS} HTTP/1.1\nHost: localhost\n\n")).await;
    assert_eq!(raw.answer().await.expect("it is answered").page().items, []);
}

/// As Java's client does with every request, and whoever hands on what others offer. Seen to fail where the connection
/// was kept open for seconds, for what could be left of a body.
async fn who_offers_another_protocol_is_answered_in_this_one_and_told_that_it_is_the_last_time(
    roster: Roster,
) {
    let offers = [
        ("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n", true),
        ("Connection: Upgrade\r\nUpgrade: websocket\r\n", false),
        ("Upgrade: websocket\r\n", false),
    ];
    for (nth, (offer, in_chunks)) in offers.into_iter().enumerate() {
        let length = if in_chunks { "Transfer-Encoding: chunked\r\n" } else { "Content-Length: LENGTH\r\n" };
        let mut raw = Raw::to(&roster).await;
        let create = smuggling(&format!("{length}{offer}"));
        raw.send(create.replace("smuggled", &format!("smuggle{nth}"))).await;
        let made = raw.answer().await.expect("it is answered");
        let user = made.user(201);
        assert_eq!(made.header("connection"), "close", "{offer}");
        let answered = Instant::now();
        raw.ends().await;
        assert!(answered.elapsed() < in_time(SOON), "{offer}: {:?}", answered.elapsed());

        for (method, is_told) in [("GET", true), ("HEAD", false)] {
            let mut raw = Raw::to(&roster).await;
            raw.send(format!("{method} {EXPORT} HTTP/1.1\r\nHost: localhost\r\n{offer}\r\n")).await;
            let export = raw.answer().await.expect("it is answered");
            assert_eq!(export.header("connection"), "close", "{offer}");
            assert_eq!(export.has("transfer-encoding"), in_chunks, "{offer}");
            let answered = Instant::now();
            let told = String::from_utf8(raw.rest().await).expect("text");
            assert!(answered.elapsed() < in_time(SOON), "{offer}: {:?}", answered.elapsed());
            // One that breaks off is to be told from one that is whole.
            assert_eq!(told.ends_with("\r\n0\r\n\r\n"), is_told && in_chunks, "{told}");
            assert_eq!(told.contains(&format!("{{\"id\":{},", user.id)), is_told, "{told}");
        }
    }
    let bodies = [("Content-Length: 2\r\n\r\n{}", 422), ("Content-Length: 1\r\n\r\n{", 400), ("\r\n", 400)];
    for (body, status) in bodies {
        let mut raw = Raw::to(&roster).await;
        let head = format!("POST {USERS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n");
        raw.send(format!("{head}{}{body}", offers[1].0)).await;
        let refused = raw.answer().await.expect("it is answered");
        assert_eq!((refused.status(), refused.header("connection").as_str()), (status, "close"));
        raw.ends().await;
    }
}

async fn who_speaks_http_1_0_is_sent_no_chunks(roster: Roster) {
    let user = roster.user("old").await;
    let json = format!("{{\"id\":{},", user.id);
    for (form, begin) in [("application/x-ndjson", json.as_str()), ("text/csv", "id,email,")] {
        for lines in ["", "Connection: keep-alive\r\n"] {
            let mut raw = Raw::to(&roster).await;
            let head = format!("GET {EXPORT} HTTP/1.0\r\nHost: localhost\r\nAccept: {form}\r\n");
            raw.send(format!("{head}{lines}\r\n")).await;
            let export = raw.answer().await.expect("it is answered");
            assert!(!export.has("transfer-encoding"), "{form}");
            let told = String::from_utf8(raw.rest().await).expect("text");
            assert!(told.starts_with(begin) && told.contains(&user.email), "{told}");
        }
    }
    let mut raw = Raw::to(&roster).await;
    for _ in 0..2 {
        raw.send(format!("GET {USERS} HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n")).await;
        let page = raw.answer().await.expect("it is answered").page();
        assert_eq!(page.items, std::slice::from_ref(&user));
    }
}
