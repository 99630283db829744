//! Clients that go away in the middle of a request.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::kit::{Backend, Database, Program, Raw, USERS, creating, creation, suite, times};

suite![clients_that_reset_their_connection_leave_nothing_half_done];

async fn clients_that_reset_their_connection_leave_nothing_half_done(database: Database) {
    let roster = Program::serving(&database).and(["--database-pool-size", "4"]).serve().await;
    let resets = times(200);
    let mut under_way = Vec::new();
    for _ in 0..4 {
        let mut raw = Raw::to(&roster).await;
        raw.send(creating("Content-Length: 60\r\n") + "{").await;
        under_way.push(raw);
    }
    let begun = async || roster.measured().await["roster_http_requests_in_flight"].sum(&[]) > 4.0;
    let all_begun = async { while !begun().await {} };
    timeout(Duration::from_secs(60), all_begun).await.expect("they are under way");
    under_way.into_iter().for_each(Raw::reset);
    for nth in 0..resets as u64 {
        let (head, body) = creation("", &format!("reset{nth}"));
        let mut raw = Raw::to(&roster).await;
        let request = head + &body;
        // One in four ends amid the request; the others from before it was read until after it was answered.
        let sent =
            if nth % 4 == 0 { usize::try_from(nth).unwrap() * 7 % request.len() } else { request.len() };
        raw.send(&request[..sent]).await;
        sleep(Duration::from_micros(50 * (nth % 100))).await;
        raw.reset();
    }

    // Those are given up at once, and so are some of the others.
    let abandoned = async || {
        let counted = &roster.measured().await["roster_http_requests_total"];
        counted.sum(&[("status", "abandoned")]) >= 4.0
    };
    let all_abandoned = async { while !abandoned().await {} };
    timeout(Duration::from_secs(60), all_abandoned).await.expect("they are given up");

    // What was begun is done, or given up.
    let settled = async {
        while roster.get("/readyz").await.status() != 200 || roster.get(USERS).await.status() != 200 {}
    };
    timeout(Duration::from_secs(60), settled).await.expect("the service answers again");
    // The pool is whole: as many requests at once as there are connections, several times over.
    for round in 0..resets.min(5_000) / 20 {
        let requests = (0..4).map(|nth| {
            let roster = &roster;
            async move { roster.user(&format!("after{round}-{nth}")).await }
        });
        futures_util::future::join_all(requests).await;
    }
    if database.backend() == Backend::Postgres {
        let (server, name) = database.server();
        let settled = async {
            while server.count(&format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND state LIKE 'idle in transaction%'")).await > 0 {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(10), settled).await.expect("no connection is left in a transaction");
        // The pool, one for health checks and one for the lead; two of each thread that serves, one for reads and one for
        // creates; and one for the reads of the loops beside them.
        let own = 2 * std::thread::available_parallelism().map_or(2, usize::from) + 1;
        let open = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND application_name = 'roster'"
        );
        let connections = server.count(&open).await;
        assert!(connections <= 4 + 2 + i64::try_from(own).unwrap(), "{connections} connections");
    }
    let (users, mut target) = (roster.events().await.len(), format!("{USERS}?limit=100"));
    let mut listed = 0;
    loop {
        let page = roster.get(&target).await.page();
        listed += page.items.len();
        let Some(link) = page.link else { break };
        target = roster.resolve(&target, &link);
    }
    eprintln!("{resets} resets, {users} users");
    assert_eq!(listed, users, "users and events are one to one");
}
