//! The clock on the wall jumps.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{SECONDS, unavailable};
use crate::kit::{Answer, Backend, Database, Http, Program, USERS, UnderAClock, new_user, suite, user_path};

suite![
    changes_follow_each_other_though_the_clock_goes_back,
    a_repeat_is_known_though_the_clock_jumps,
    a_deadline_is_kept_though_the_clock_jumps,
];

/// Creates ada under a key.
async fn ada(http: &Http) -> Answer {
    http.post(USERS, &new_user("ada")).header("Idempotency-Key", "key").await
}

async fn changes_follow_each_other_though_the_clock_goes_back(UnderAClock(database, clock): UnderAClock) {
    let roster = clock.of(Program::serving(&database)).serve().await;
    let created = roster.user("ada").await;
    let mut last = created.clone();
    for (nth, offset) in ["+5h", "-3h", "+0", "+30d", "-1d"].into_iter().enumerate() {
        clock.set(offset);
        let renamed = json!({"name": format!("Ada the {nth}th")});
        let next = roster.patch(&user_path(created.id), &renamed).await.user(200);
        assert_eq!(next.created_at, created.created_at);
        assert!(next.updated_at >= last.updated_at, "{} < {}", next.updated_at, last.updated_at);
        if offset.starts_with('+') && offset != "+0" {
            assert!(next.updated_at > last.updated_at, "the clock has jumped: {}", next.updated_at);
        }
        last = next;
        roster.user(&format!("user{nth}")).await;
    }
    assert_eq!(last.version, 6);
    let feed = roster.events().await;
    let positions: Vec<_> = feed.iter().map(|event| event.position.get()).collect();
    assert_eq!(positions, (1..=11).collect::<Vec<_>>());
}

async fn a_repeat_is_known_though_the_clock_jumps(UnderAClock(database, clock): UnderAClock) {
    let roster = clock.of(Program::serving(&database)).serve().await;
    let first = ada(&roster).await.user(201);
    for offset in ["+9h", "-9h", "+0", "+23h"] {
        clock.set(offset);
        let repeated = ada(&roster).await;
        assert_eq!(repeated.user(201), first);
        assert_eq!(repeated.header("idempotency-replayed"), "true");
    }
    // A day later, by that clock, the key is free, and the request is one like any other.
    clock.set("+25h");
    ada(&roster).await.error(400, "business_rule");
}

async fn a_deadline_is_kept_though_the_clock_jumps(UnderAClock(database, clock): UnderAClock) {
    let program = Program::serving(&database).and(["--request-timeout", "3"]);
    let roster = clock.of(program).serve().await;
    let ada = roster.user("ada").await;
    let held = hold(&database, ada.id).await;
    let asked = Instant::now();
    let jump = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        clock.set("+9h");
        tokio::time::sleep(Duration::from_millis(200)).await;
        clock.set("-9h");
    };
    let change = roster.patch(&user_path(ada.id), &json!({"name": "Ada King"})).into_future();
    let (answer, ()) = futures_util::join!(change, jump);
    unavailable(&answer);
    let waited = asked.elapsed();
    assert!(waited > Duration::from_millis(700) && waited < SECONDS, "{waited:?}");
    drop(held);
}

/// Locks a row, on PostgreSQL, or the file, until this is dropped.
async fn hold(database: &Database, id: i64) -> Box<dyn std::any::Any> {
    match database.backend() {
        Backend::Postgres => {
            let (server, name) = database.server();
            let client = server.client(name).await.expect("the server answers");
            let lock = format!("BEGIN; SELECT FROM users WHERE id = {id} FOR UPDATE");
            client.batch_execute(&lock).await.expect("the row can be locked");
            Box::new(client)
        }
        Backend::Sqlite => Box::new(database.hold_for_writing()),
    }
}
