//! Requests whose end two readers could see at different places: the way to smuggle one past a proxy. The
//! framework refuses them before there is a request that could have an answer of its own.

use crate::kit::{Raw, Roster, USERS, new_user, suite};

suite![
    a_request_of_two_lengths_is_refused,
    a_request_that_names_no_host_is_refused,
    a_line_that_ends_with_a_bare_line_feed_is_taken,
];

/// A request to create a user, with these lines in its head.
fn creating(lines: &str) -> String {
    let body = new_user("smuggled").to_string();
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let lines = lines.replace("LENGTH", &body.len().to_string());
    let body = if lines.contains("chunked") { chunked } else { body };
    format!("POST {USERS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{lines}\r\n{body}")
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
        raw.send(creating(lines)).await;
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
