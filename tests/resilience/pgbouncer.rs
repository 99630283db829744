//! A proxy between the service and PostgreSQL that lends a session for one transaction.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use super::{unavailable, until};
use crate::kit::{Program, Proxied, Roster, USERS, Writers, all_users, new_user, suite, user_path};

suite![
    all_of_the_api_works_behind_a_proxy,
    programs_that_share_the_sessions_of_a_proxy_do_not_meet,
    programs_that_start_behind_a_proxy_migrate_once,
    what_needs_a_session_can_go_around_a_proxy,
    one_program_behind_a_proxy_publishes_and_another_takes_over,
    a_statement_behind_a_proxy_has_its_time,
];

/// The service behind the proxy.
fn serving(proxied: &Proxied) -> Program {
    Program::serving_at(&proxied.database, proxied.url()).and(["--database-statement-cache=false"])
}

/// The same with a broker to tell of events, though nobody is there.
fn publishing(proxied: &Proxied) -> Program {
    serving(proxied).and(["--nats-url", "nats://127.0.0.1:1"])
}

/// Whether it has said that it publishes events.
fn publishes(roster: &mut Roster) -> bool {
    roster.process().output().stderr.contains("publishing events")
}

async fn all_of_the_api_works_behind_a_proxy(proxied: Proxied) {
    let roster = serving(&proxied).serve().await;
    let ada = roster.user("ada").await;
    let path = user_path(ada.id);
    let king =
        roster.patch(&path, &json!({"name": "Ada King"})).header("If-Match", &ada.etag()).await.user(200);
    roster
        .put(&path, &new_user("ada"))
        .header("If-Match", &ada.etag())
        .await
        .error(412, "precondition_failed");
    roster.get(&path).header("If-None-Match", &king.etag()).await.empty(304);
    roster.post(USERS, &new_user("ada")).await.error(400, "business_rule");

    for replayed in [false, true] {
        let answer = roster.post(USERS, &new_user("bob")).header("Idempotency-Key", "key").await;
        assert_eq!(answer.user(201).email, "bob@example.org");
        assert_eq!(answer.has("idempotency-replayed"), replayed);
    }
    let lines: Vec<_> = (0..2_500).map(|nth| new_user(&format!("line{nth}")).to_string()).collect();
    let import = roster.request("POST", &format!("{USERS}/import?report=errors"));
    let report = import.body("application/x-ndjson", lines.join("\n")).await.lines();
    assert_eq!(report, [json!({"lines": 2_500, "created": 2_500, "failed": 0})]);
    let export = roster.get(&format!("{USERS}/export")).header("Accept", "application/x-ndjson").await;
    assert_eq!(export.lines().len(), 2_502);
    let found = roster.get(&format!("{USERS}?name=name%20of%20line&count=exact&order=desc")).await;
    assert!(found.any_body(200).text().contains("line2499"), "{}", found.told());
    roster.delete(&path).await.empty(204);

    assert_eq!(roster.all_events().await.len(), 2_504);
    roster.readiness().await;
    assert_eq!(roster.stop().await.code, Some(0));
}

/// Two programs, each with more connections to the proxy than that has to the server.
async fn programs_that_share_the_sessions_of_a_proxy_do_not_meet(proxied: Proxied) {
    let (one, two) = (serving(&proxied).serve().await, serving(&proxied).serve().await);
    let tallies = [(&one, "one"), (&two, "two")].map(|(roster, name)| Writers::of(roster, 8, name));
    for _ in 0..25 {
        let reads = (0..8).flat_map(|_| [one.get(USERS), two.get(USERS)]).map(IntoFuture::into_future);
        for answer in join_all(reads).await {
            answer.page();
        }
    }
    for writers in tallies {
        writers.acknowledged(1).await;
        assert_eq!(writers.end().await.refused(), [""; 0]);
    }
    assert!(!all_users(&one).await.is_empty());
}

async fn programs_that_start_behind_a_proxy_migrate_once(proxied: Proxied) {
    let program = serving(&proxied);
    let started = join_all((0..4).map(|_| program.serve())).await;
    join_all(
        started.iter().enumerate().map(|(nth, one)| async move { one.user(&format!("user{nth}")).await }),
    )
    .await;
    assert_eq!(all_users(&started[0]).await.len(), 4);
}

async fn what_needs_a_session_can_go_around_a_proxy(proxied: Proxied) {
    let direct = publishing(&proxied).and(["--database-direct-url", proxied.database.url()]);
    let mut roster = direct.serve().await;
    until("it publishes", async || publishes(&mut roster)).await;
    let (server, name) = proxied.database.server();
    let holders =
        "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND";
    let by_session = format!("{holders} datname = '{name}' AND state = 'idle'");
    assert_eq!(server.count(&by_session).await, 1, "the lock is a session's of its own");
    roster.user("ada").await;

    let away = serving(&proxied).and(["--database-direct-url", "postgres://ada:secret@127.0.0.1:1/roster"]);
    let exit = away.run().await;
    assert_eq!(exit.code, Some(2), "{exit:?}");
    assert!(exit.stderr.contains("--database-direct-url (ROSTER_DATABASE_DIRECT_URL)"), "{exit:?}");
    assert!(!exit.stderr.contains("secret"), "{exit:?}");
}

async fn one_program_behind_a_proxy_publishes_and_another_takes_over(proxied: Proxied) {
    let mut one = publishing(&proxied).serve().await;
    until("it publishes", async || publishes(&mut one)).await;
    let mut two = publishing(&proxied).serve().await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert!(!publishes(&mut two), "one of both publishes");
    two.user("ada").await;
    one.kill().await;
    until("the other publishes", async || publishes(&mut two)).await;
}

/// When a statement of three seconds was ended by the server: after seven, the service would have closed the connection.
const ENDED: Duration = Duration::from_secs(5);

/// The proxy takes no time-outs for a session: each transaction has them. Seen to fail where that of an export had none.
async fn a_statement_behind_a_proxy_has_its_time(proxied: Proxied) {
    let roster = serving(&proxied).and(["--database-statement-timeout", "3"]).serve().await;
    let ada = roster.user("ada").await;
    let (server, name) = proxied.database.server();
    let holder = server.client(name).await.expect("the server answers");
    holder.batch_execute("BEGIN; LOCK TABLE users").await.expect("the table can be locked");
    let asked = Instant::now();
    unavailable(&roster.get(&user_path(ada.id)).await);
    assert!(asked.elapsed() < ENDED, "{:?}", asked.elapsed());
    let asked = Instant::now();
    unavailable(&roster.get(&format!("{USERS}/export")).await);
    assert!(asked.elapsed() < ENDED, "{:?}", asked.elapsed());
}
