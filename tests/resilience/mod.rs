//! What becomes of users when something else fails: a file a kind of trouble.

mod clock;
mod connections;
mod crash;
mod creates;
mod disconnect;
mod failover;
mod file;
mod language;
mod locks;
mod outage;
mod pgbouncer;
mod slow;
mod upgrade;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use libtest_mimic::Trial;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::kit::{Answer, Http, Ports, Tally, USERS, all_users, in_time, new_user, user_path};

pub(crate) fn suite() -> Vec<Trial> {
    [
        clock::suite(),
        connections::suite(),
        crash::suite(),
        creates::suite(),
        disconnect::suite(),
        failover::suite(),
        file::suite(),
        language::suite(),
        locks::suite(),
        outage::suite(),
        pgbouncer::suite(),
        slow::suite(),
        upgrade::suite(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// How long whoever asks waits to be told that the store is away.
const TOLD: Duration = Duration::from_secs(1);
/// How long after the store is back the first request is answered.
const RECOVERED: Duration = Duration::from_secs(2);
/// How long after another server is to be written to the first write is acknowledged.
const FAILED_OVER: Duration = Duration::from_secs(5);
/// Far above what it takes, and far below "it hangs".
const SECONDS: Duration = Duration::from_secs(15);

/// How many sessions of a server have something to commit.
const WRITING: &str = "SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL";

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
        eprintln!("seven requests are told that the store is away after {:?}", asked.elapsed());
        assert!(asked.elapsed() < in_time(TOLD), "{:?}", asked.elapsed());
        for answer in &answers {
            unavailable(answer);
        }
        http.get("/livez").await.any_body(200);
        http.get(&user_path("abc")).await.error(422, "validation");
    }
}

/// An answer that says so, and when to ask again.
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
    static COUNT: AtomicUsize = AtomicUsize::new(0);
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
        loop {
            let user = || new_user(&format!("again{}", COUNT.fetch_add(1, Ordering::Relaxed)));
            let reads = join_all((0..20).map(|_| http.get(USERS).into_future())).await;
            let creates = join_all((0..20).map(|_| http.post(USERS, &user()).into_future())).await;
            let refused: Vec<_> =
                reads.iter().chain(&creates).filter(|answer| answer.status() >= 300).collect();
            if refused.is_empty() {
                return;
            }
            refused.into_iter().for_each(unavailable);
        }
    };
    timeout(SECONDS, whole).await.expect("every request is answered again");
}

/// Whatever was acknowledged is stored in the database of this URL, and told of.
async fn nothing_is_lost(tally: &Tally, url: &str, http: &Http) {
    tally.hold_feed(&Ports::of_postgres(url).recorded().await, &all_users(http).await);
}

/// Waits until something holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waited = async {
        while !holds().await {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SECONDS, waited).await.unwrap_or_else(|_| panic!("{what}: not in {SECONDS:?}"));
}
