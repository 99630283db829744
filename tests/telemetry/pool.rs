//! What is measured of the connections to the database.

use std::any::Any;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{sleep, timeout};

use crate::kit::{Backend, Database, Program, Roster, USERS, new_user, suite};

suite![connections_are_measured_as_they_are_lent_and_waited_for,];

const CONNECTIONS: &str = "roster_database_connections";
const PENDING: &str = "roster_database_connections_pending";
const WAITED: &str = "roster_database_connection_wait_seconds";

/// Waits until so many connections are lent, and so much waits for one.
async fn becomes(roster: &Roster, pool: &str, used: f64, pending: impl Fn(f64) -> bool) {
    let waited = async {
        loop {
            let measured = roster.measured().await;
            let lent = measured[CONNECTIONS].sum(&[("pool", pool), ("state", "used")]);
            if lent == used && pending(measured[PENDING].sum(&[("pool", pool)])) {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(30), waited).await.expect("it is measured");
}

/// Keeps others from writing users until it is dropped.
async fn hold(database: &Database) -> Box<dyn Any> {
    match database.backend() {
        Backend::Sqlite => Box::new(database.hold_for_writing()),
        Backend::Postgres => {
            let (server, name) = database.server();
            let client = server.client(name).await.expect("the server answers");
            client
                .batch_execute("BEGIN; LOCK TABLE users IN EXCLUSIVE MODE")
                .await
                .expect("nobody else writes");
            Box::new(client)
        }
    }
}

/// Seconds that were waited for connections, all in all.
async fn waited(roster: &Roster) -> f64 {
    let measured = roster.get("/metrics").await.any_body(200).text();
    let sums =
        measured.lines().filter_map(|line| line.strip_prefix(&format!("{WAITED}_sum"))?.rsplit(' ').next());
    sums.map(|sum| sum.parse::<f64>().expect("a number")).sum()
}

/// Seen to fail where it is not measured how long a connection is waited for.
async fn connections_are_measured_as_they_are_lent_and_waited_for(database: Database) {
    let program =
        Program::serving(&database).and(["--database-pool-size", "1", "--database-statement-timeout", "30"]);
    let roster = program.and(["--request-timeout", "60"]).serve().await;
    roster.user("ada").await;
    let pool = match database.backend() {
        Backend::Sqlite => "write",
        Backend::Postgres => "read_write",
    };
    becomes(&roster, pool, 0.0, |pending| pending == 0.0).await;
    let before = waited(&roster).await;

    let holding = hold(&database).await;
    // Those that come at once may share a connection.
    let creating = (0..40).map(|nth| {
        let create = roster.post(USERS, &new_user(&format!("user{nth}"))).into_future();
        async move {
            sleep(Duration::from_millis(10 * nth)).await;
            create.await
        }
    });
    let creating = tokio::spawn(join_all(creating.collect::<Vec<_>>()));
    becomes(&roster, pool, 1.0, |pending| pending >= 1.0).await;
    sleep(Duration::from_millis(300)).await;
    drop(holding);
    // On a machine that is busy with other tests, it may have been held for too long.
    for answer in creating.await.unwrap() {
        assert!([201, 503].contains(&answer.status()), "{}", answer.told());
    }

    becomes(&roster, pool, 0.0, |pending| pending == 0.0).await;
    assert!(waited(&roster).await - before >= 0.3);
    let measured = roster.measured().await;
    assert_eq!(measured["roster_database_connections_max"].sum(&[("pool", pool)]), 1.0);
    assert_eq!(measured[CONNECTIONS].sum(&[("pool", pool)]), 1.0, "{:?}", measured[CONNECTIONS]);
    assert!(measured[WAITED].sum(&[("pool", pool)]) >= 5.0, "{:?}", measured[WAITED]);
}
