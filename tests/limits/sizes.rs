//! Bodies, heads and their parts that are larger than anybody needs.

use std::time::Duration;

use tokio::time::sleep;

use crate::kit::{Raw, Roster, USERS, creating, new_user, suite};

suite![
    a_body_that_says_it_is_too_large_is_refused_unread,
    a_body_that_becomes_too_large_is_refused_there,
    who_sends_for_seconds_what_is_refused_can_read_why,
    a_head_of_more_than_96_lines_is_refused,
    a_head_that_does_not_end_is_refused,
    a_target_that_does_not_end_is_refused,
];

const KIB_64: usize = 64 * 1024;

async fn a_body_that_says_it_is_too_large_is_refused_unread(roster: Roster) {
    for length in [KIB_64 + 1, usize::MAX / 2] {
        let mut raw = Raw::to(&roster).await;
        raw.send(creating(&format!("Content-Length: {length}\r\n"))).await;
        let answer = raw.answer().await.expect("it is answered, though no body was sent");
        answer.error(413, "payload_too_large");
        assert_eq!(answer.header("connection"), "close");
        raw.ends().await;
    }
    let mut body = new_user("ada").to_string();
    body.push_str(&" ".repeat(KIB_64 - body.len()));
    let mut raw = Raw::to(&roster).await;
    raw.send(creating(&format!("Content-Length: {KIB_64}\r\n")) + &body).await;
    raw.answer().await.expect("64 KiB are answered").user(201);
}

async fn a_body_that_becomes_too_large_is_refused_there(roster: Roster) {
    let mut raw = Raw::to(&roster).await;
    raw.send(creating("Transfer-Encoding: chunked\r\n")).await;
    let chunk = format!("{KIB_64:x}\r\n{}\r\n", " ".repeat(KIB_64));
    raw.send(chunk + "1\r\n \r\n").await;
    raw.answer().await.expect("it is answered before it ends").error(413, "payload_too_large");
}

/// Some clients read nothing before they have sent all.
async fn who_sends_for_seconds_what_is_refused_can_read_why(roster: Roster) {
    let (part, parts) = (vec![b' '; KIB_64], 30);
    let mut raw = Raw::to(&roster).await;
    raw.send(creating(&format!("Content-Length: {}\r\n", part.len() * parts))).await;
    for _ in 0..parts {
        raw.send(&part).await;
        sleep(Duration::from_millis(100)).await;
    }
    raw.answer().await.expect("it is answered").error(413, "payload_too_large");
}

async fn a_head_of_more_than_96_lines_is_refused(roster: Roster) {
    for (lines, refused) in [(96, None), (97, Some(431))] {
        let more = "X-Line: more\r\n".repeat(lines - 1);
        let mut raw = Raw::to(&roster).await;
        raw.send(format!("GET {USERS} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n")).await;
        match refused {
            None => assert_eq!(raw.answer().await.expect("it is answered").page().items, []),
            refused => assert_eq!(raw.refusal().await, refused),
        }
    }
}

async fn a_head_that_does_not_end_is_refused(roster: Roster) {
    let mut raw = Raw::to(&roster).await;
    let long = "x".repeat(140_000);
    raw.send(format!("GET {USERS} HTTP/1.1\r\nHost: localhost\r\nX-Long: {long}")).await;
    assert_eq!(raw.refusal().await, Some(431));
}

async fn a_target_that_does_not_end_is_refused(roster: Roster) {
    let mut raw = Raw::to(&roster).await;
    let long = "x".repeat(70_000);
    raw.send(format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
    assert_eq!(raw.refusal().await, Some(400));
}
