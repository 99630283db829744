//! Clients that go away in the middle of a request.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::kit::{Backend, Program, Raw, Roster, USERS, new_user, suite};

suite![clients_that_reset_their_connection_leave_nothing_half_done];

async fn clients_that_reset_their_connection_leave_nothing_half_done(given: Roster) {
    let database = given.database().clone();
    let roster = Program::serving(&database).and(["--database-pool-size", "4"]).serve().await;
    for nth in 0..200_u64 {
        let body = new_user(&format!("reset{nth}")).to_string();
        let mut raw = Raw::to(&roster).await;
        let length = body.len();
        raw.send(format!("POST {USERS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")).await;
        // From before it was read until after it was answered.
        sleep(Duration::from_micros(50 * (nth % 100))).await;
        raw.reset();
    }

    // What was begun is done, or given up.
    let settled = async {
        while roster.get("/readyz").await.status() != 200 || roster.get(USERS).await.status() != 200 {}
    };
    timeout(Duration::from_secs(60), settled).await.expect("the service answers again");
    // The pool is whole: as many requests at once as there are connections, several times over.
    for round in 0..10 {
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
    }
    let (users, mut target) = (roster.events().await.len(), format!("{USERS}?limit=100"));
    let mut listed = 0;
    loop {
        let page = roster.get(&target).await.page();
        listed += page.items.len();
        let Some(link) = page.link else { break };
        target = roster.resolve(&target, &link);
    }
    assert_eq!(listed, users, "users and events are one to one");
}
