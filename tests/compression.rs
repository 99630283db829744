//! gzip of answers: where it pays, and no entity tag is carried.

use std::io::Read;

use flate2::read::GzDecoder;
use serde_json::json;

use crate::kit::{Answer, EVENTS, Roster, USERS, suite, user_path};

suite![
    what_is_long_is_compressed_for_who_would_have_it_so,
    head_tells_of_the_compressed_answer,
    what_carries_an_entity_tag_is_not_compressed,
    what_is_short_or_fails_is_not_compressed,
    a_stream_of_events_is_not_compressed,
];

/// Users of the longest names, so that each is longer than what is compressed.
async fn long_users(roster: &Roster) {
    for nth in 0..10 {
        let email = format!("{}{nth}@example.org", "e".repeat(240));
        let user = json!({"email": email, "name": "\u{1F40C}".repeat(200)});
        roster.post(USERS, &user).await.user(201);
    }
    // From here on the feed is as long as it will be.
    assert_eq!(roster.events().await.len(), 10);
}

/// What is long.
const LONG: [&str; 6] = [
    USERS,
    EVENTS,
    "/openapi.json",
    "/docs/problems",
    "/docs/assets/swagger-ui-bundle.js",
    "/docs/assets/swagger-ui.css",
];

#[track_caller]
fn assert_varies(answer: &Answer) {
    let varies = answer.header("vary").to_lowercase();
    assert!(varies.split(',').any(|name| name.trim() == "accept-encoding"), "{varies}: {}", answer.told());
}

async fn what_is_long_is_compressed_for_who_would_have_it_so(roster: Roster) {
    long_users(&roster).await;
    for path in LONG {
        let plain = roster.get(path).await;
        assert!(!plain.any_body(200).has("content-encoding"), "{path}");
        assert_varies(&plain);
        for refusing in ["identity", "br, *;q=0", "gzip;q=0", "identity, gzip;q=0.9"] {
            let answer = roster.get(path).header("Accept-Encoding", refusing).await;
            assert!(!answer.any_body(200).has("content-encoding"), "{path} {refusing}");
            assert_eq!(answer.body(), plain.body(), "{path} {refusing}");
        }
        let answer = roster.get(path).header("Accept-Encoding", "deflate, gzip;q=0.8").await;
        assert_eq!(answer.any_body(200).header("content-encoding"), "gzip", "{path}");
        assert_varies(&answer);
        assert!(answer.body().len() < plain.body().len() / 2, "{path}");
        assert_eq!(answer.header("content-length"), answer.body().len().to_string(), "{path}");
        let mut decompressed = Vec::new();
        GzDecoder::new(answer.body()).read_to_end(&mut decompressed).unwrap();
        assert_eq!(decompressed, plain.body(), "{path}");
        for name in ["content-type", "cache-control", "x-content-type-options"] {
            assert_eq!(answer.header(name), plain.header(name), "{path}");
        }
    }
}

async fn head_tells_of_the_compressed_answer(roster: Roster) {
    long_users(&roster).await;
    for path in LONG {
        let whole = roster.get(path).header("Accept-Encoding", "gzip").await;
        let head = roster.request("HEAD", path).header("Accept-Encoding", "gzip").await;
        head.empty(200);
        for name in ["content-encoding", "content-length", "content-type", "vary"] {
            assert_eq!(head.header(name), whole.any_body(200).header(name), "{name} of {path}");
        }
    }
}

async fn what_carries_an_entity_tag_is_not_compressed(roster: Roster) {
    long_users(&roster).await;
    let answer = roster.get(&user_path(1)).header("Accept-Encoding", "gzip").await;
    answer.user(200);
    assert!(answer.body().len() > 1024 && !answer.has("content-encoding"), "{}", answer.told());
}

async fn what_is_short_or_fails_is_not_compressed(roster: Roster) {
    for (path, status) in [(USERS, 200), ("/livez", 200), ("/nope", 404)] {
        let answer = roster.get(path).header("Accept-Encoding", "gzip").await;
        answer.any_json(status);
        assert!(!answer.has("content-encoding"), "{}", answer.told());
    }
}

async fn a_stream_of_events_is_not_compressed(roster: Roster) {
    long_users(&roster).await;
    let request = roster.get(EVENTS).header("Accept-Encoding", "gzip");
    let mut stream = request.stream().await.unwrap();
    // What is compressed would be no line of the stream.
    assert_eq!(stream.event().await.position, 1);
}
