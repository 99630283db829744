//! PostgreSQL goes away, and comes back, under a running service.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::kit::{
    Answer, Gateway, Http, OnPostgres, OwnPostgres, Program, Raw, USERS, new_user, suite, user_path,
};

suite![
    a_service_survives_a_server_that_stops_and_starts,
    a_service_survives_a_network_that_is_cut,
    a_network_that_swallows_everything_does_not_hang_a_request,
    more_requests_than_connections_wait_their_turn,
];

/// Far above what it takes, and far below "it hangs".
const SOON: Duration = Duration::from_secs(5);
/// The same, for a recovery.
const SECONDS: Duration = Duration::from_secs(15);

fn serving(url: &str) -> Program {
    Program::with(["serve", "--listen", "127.0.0.1:0", "--database-url", url])
}

/// Every kind of request is told, soon, that the store does not answer; and that is all that clients are told.
async fn is_unavailable(http: &Http) {
    let user = user_path(1);
    for nth in 0..3 {
        let requests = [
            http.get(USERS),
            http.get(&user),
            http.post(USERS, &new_user(&format!("lost{nth}"))),
            http.put(&user, &new_user("lost")),
            http.patch(&user, &json!({"name": "Lost"})),
            http.delete(&user),
            http.get("/readyz"),
        ];
        let asked = Instant::now();
        let answers = join_all(requests.map(IntoFuture::into_future)).await;
        assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
        for answer in &answers {
            unavailable(answer);
        }
        http.get("/livez").await.any_body(200);
        http.get(&user_path("abc")).await.error(422, "validation");
    }
}

#[track_caller]
fn unavailable(answer: &Answer) {
    let body = answer.error(503, "unavailable").to_string().to_lowercase();
    let seconds = answer.header("retry-after").parse::<u32>();
    assert!(seconds.is_ok_and(|seconds| seconds >= 1), "{}", answer.told());
    for inner in ["postgres", "connection", "refused", "pool", "127.0.0.1"] {
        assert!(!body.contains(inner), "the client is told of {inner}: {body}");
    }
}

/// With no restart, the service works again; until then it says that it does not.
async fn works_again(http: &Http) {
    let again = async {
        loop {
            let answer = http.get("/readyz").await;
            if answer.status() == 200 {
                return;
            }
            unavailable(&answer);
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SECONDS, again).await.expect("the service is ready again");
    // Not one connection that broke is left in its pool for long.
    let whole = async {
        while join_all((0..20).map(|_| http.get(USERS).into_future()))
            .await
            .iter()
            .any(|answer| answer.status() != 200)
        {}
    };
    timeout(SECONDS, whole).await.expect("every request is answered again");
    join_all((0..20).map(|nth| async move { http.user(&format!("again{nth}")).await })).await;
}

async fn a_service_survives_a_server_that_stops_and_starts(server: OwnPostgres) {
    let roster = serving(server.url()).serve().await;
    let ada = roster.user("ada").await;

    server.stop().await;
    is_unavailable(&roster).await;
    server.resume().await;

    works_again(&roster).await;
    assert_eq!(roster.get(&user_path(ada.id)).await.user(200), ada);
}

async fn a_service_survives_a_network_that_is_cut(OnPostgres(database): OnPostgres) {
    let gateway = Gateway::to(database.url()).await;
    let url = gateway.url(database.url());
    let mut roster = serving(&url).serve().await;
    let ada = roster.user("ada").await;

    gateway.cut();
    is_unavailable(&roster).await;
    let answer = roster.get(USERS).header("X-Request-Id", "find-me-4711").await;
    unavailable(&answer);
    gateway.open();

    works_again(&roster).await;
    assert_eq!(roster.get(&user_path(ada.id)).await.user(200), ada);
    let logged = roster.process().wait_for("the failure was logged under the request's id", |output| {
        output.stderr.lines().any(|line| line.contains("find-me-4711")).then_some(())
    });
    logged.await;
}

async fn a_network_that_swallows_everything_does_not_hang_a_request(OnPostgres(database): OnPostgres) {
    let gateway = Gateway::to(database.url()).await;
    let url = gateway.url(database.url());
    let roster = serving(&url).and(["--request-timeout", "2"]).serve().await;
    let ada = roster.user("ada").await;

    gateway.silence();
    let asked = Instant::now();
    let answers = join_all((0..30).map(|_| roster.get(&user_path(ada.id)).into_future())).await;
    assert!(asked.elapsed() < SECONDS, "{:?}", asked.elapsed());
    for answer in &answers {
        unavailable(answer);
    }
    gateway.open();

    works_again(&roster).await;
    assert_eq!(roster.get(&user_path(ada.id)).await.user(200), ada);
}

async fn more_requests_than_connections_wait_their_turn(OnPostgres(database): OnPostgres) {
    let roster = Program::serving(&database).and(["--database-pool-size", "2"]).serve().await;
    let ada = roster.user("ada").await;
    let mut connections = Vec::new();
    for _ in 0..40 {
        let mut raw = Raw::to(&roster).await;
        raw.ask("GET", &user_path(ada.id)).await.unwrap();
        connections.push(raw);
    }
    for mut raw in connections {
        assert_eq!(raw.answer().await.unwrap().user(200), ada);
    }
}
