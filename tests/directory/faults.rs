//! The adapter against a directory that is slow, broken or away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use roster_directory_http::{DirectoryConfig, HttpDirectory};
use roster_domain::DirectoryId;
use roster_domain::ports::{Directory, DirectoryError, HealthCheck};
use tokio::time::timeout;

use super::LEANNE;
use crate::kit::{Reply, StandIn, suite};

suite![
    what_passes_is_tried_again_until_it_works,
    what_does_not_pass_is_not_tried_again,
    a_directory_that_asks_for_a_pause_gets_it,
    a_pause_beyond_the_budget_is_not_waited_for,
    a_directory_that_says_nothing_takes_too_long,
    a_directory_that_drips_takes_too_long,
    a_connection_that_is_refused_or_reset_is_a_failure,
    a_body_that_is_too_large_is_cut_off,
    another_person_than_was_asked_for_is_a_failure,
    five_failures_in_a_row_leave_the_directory_alone_until_a_probe_succeeds,
    a_person_that_is_not_there_is_no_failure,
    a_record_that_is_wrong_does_not_keep_others_from_theirs,
    what_would_be_so_for_everyone_leaves_the_directory_alone,
    calls_that_were_given_up_after_a_while_leave_it_alone_too,
    calls_beyond_the_limit_are_refused_at_once_and_dropped_ones_give_their_place_back,
];

fn config(stand_in: &StandIn) -> DirectoryConfig {
    let mut config = DirectoryConfig::new(&stand_in.url()).unwrap();
    config.first_pause = Duration::from_millis(1);
    config
}

fn directory(stand_in: &StandIn) -> HttpDirectory {
    HttpDirectory::new(config(stand_in)).unwrap()
}

fn one() -> DirectoryId {
    DirectoryId::new(1).unwrap()
}

/// Why the directory failed.
async fn failure(directory: &HttpDirectory) -> String {
    match directory.find(one()).await {
        Err(DirectoryError::Failed(reason)) => reason.to_string(),
        other => panic!("the directory failed: {other:?}"),
    }
}

async fn what_passes_is_tried_again_until_it_works() {
    for status in [429, 500, 502, 503, 504] {
        let stand_in = StandIn::answering([
            Reply::json(status, "{}"),
            Reply::json(status, "{}"),
            Reply::json(200, LEANNE),
        ])
        .await;
        let person = directory(&stand_in).find(one()).await.unwrap().expect("the person is there");
        assert_eq!((person.name.as_str(), stand_in.requests().len()), ("Leanne Graham", 3), "{status}");
        assert!(stand_in.requests().iter().all(|request| request.starts_with("GET /users/1 HTTP/1.1\r\n")));
    }
    let stand_in = StandIn::answering([Reply::json(503, "{}")]).await;
    assert_eq!(failure(&directory(&stand_in)).await, "answered 503 Service Unavailable");
    assert_eq!(stand_in.requests().len(), 3, "two retries, and no more");
}

async fn what_does_not_pass_is_not_tried_again() {
    for (status, reason) in [
        (400, "400 Bad Request"),
        (401, "401 Unauthorized"),
        (403, "403 Forbidden"),
        (301, "301 Moved Permanently"),
    ] {
        let stand_in =
            StandIn::answering([Reply::with(status, "location: http://127.0.0.1:1/\r\n", "{}")]).await;
        assert_eq!(failure(&directory(&stand_in)).await, format!("answered {reason}"));
        assert_eq!(stand_in.requests().len(), 1, "{status}");
    }
}

async fn a_directory_that_asks_for_a_pause_gets_it() {
    let busy = Reply::with(429, "retry-after: 1\r\n", "{}");
    let stand_in = StandIn::answering([busy, Reply::json(200, LEANNE)]).await;
    let began = Instant::now();
    directory(&stand_in).find(one()).await.unwrap().expect("the person is there");
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(stand_in.requests().len(), 2);
}

async fn a_pause_beyond_the_budget_is_not_waited_for() {
    for pause in ["60", "9223372036854775807", "18446744073709551615"] {
        let busy = Reply::with(503, &format!("retry-after: {pause}\r\n"), "{}");
        let stand_in = StandIn::answering([busy]).await;
        assert_eq!(failure(&directory(&stand_in)).await, "answered 503 Service Unavailable");
        assert_eq!(stand_in.requests().len(), 1, "another try would come too late");
    }
}

async fn timed_out(reply: Reply) {
    let stand_in = StandIn::answering([reply]).await;
    let mut config = config(&stand_in);
    config.attempt_timeout = Duration::from_millis(200);
    let found = HttpDirectory::new(config).unwrap().find(one()).await;
    assert!(matches!(found, Err(DirectoryError::TimedOut(_))), "{found:?}");
    assert_eq!(stand_in.requests().len(), 1);
}

async fn a_directory_that_says_nothing_takes_too_long() {
    timed_out(Reply::Nothing).await;
}

async fn a_directory_that_drips_takes_too_long() {
    timed_out(Reply::json(200, LEANNE).dripped()).await;
}

async fn a_connection_that_is_refused_or_reset_is_a_failure() {
    let stand_in = StandIn::answering([Reply::Reset]).await;
    let reset = failure(&directory(&stand_in)).await;
    assert!(reset.starts_with("the connection broke"), "{reset}");
    let gone = config(&stand_in);
    drop(stand_in);
    let refused = failure(&HttpDirectory::new(gone).unwrap()).await;
    assert!(refused.starts_with("no connection"), "{refused}");
}

async fn a_body_that_is_too_large_is_cut_off() {
    let large = format!("{{\"id\": 1, \"padding\": \"{}\"}}", "x".repeat(10_000_000));
    let stand_in = StandIn::answering([Reply::json(200, &large)]).await;
    assert_eq!(failure(&directory(&stand_in)).await, "the answer has more than 65536 bytes");
}

async fn another_person_than_was_asked_for_is_a_failure() {
    let other = LEANNE.replace("\"id\": 1", "\"id\": 2");
    let stand_in = StandIn::answering([Reply::json(200, &other)]).await;
    assert_eq!(failure(&directory(&stand_in)).await, "the answer is another person than 1");
}

async fn five_failures_in_a_row_leave_the_directory_alone_until_a_probe_succeeds() {
    let stand_in = StandIn::answering([Reply::json(501, "{}")]).await;
    let mut config = config(&stand_in);
    config.open_for = Duration::from_millis(500);
    let directory = HttpDirectory::new(config).unwrap();
    for _ in 0..5 {
        failure(&directory).await;
    }
    directory.check().await.unwrap_err();
    match directory.find(one()).await {
        Err(DirectoryError::Unavailable { retry_after, .. }) => {
            assert!(retry_after <= Duration::from_millis(500), "{retry_after:?}");
        }
        other => panic!("the circuit is open: {other:?}"),
    }
    assert_eq!(stand_in.requests().len(), 5, "it was not asked");

    stand_in.answer(Reply::json(200, LEANNE));
    tokio::time::sleep(Duration::from_millis(500)).await;
    directory.find(one()).await.unwrap().expect("the person is there");
    directory.check().await.expect("all is well again");
}

async fn a_person_that_is_not_there_is_no_failure() {
    let stand_in = StandIn::answering([Reply::json(404, "{}")]).await;
    let directory = directory(&stand_in);
    for _ in 0..12 {
        assert_eq!(directory.find(one()).await.unwrap(), None);
    }
    directory.check().await.expect("all is well");
}

/// Seen to fail where whatever was no person counted as a failure of the directory.
async fn a_record_that_is_wrong_does_not_keep_others_from_theirs() {
    for reply in [
        Reply::json(200, "{}"),
        Reply::json(200, &LEANNE.replace("\"Bret\"", "null")),
        Reply::json(200, &LEANNE.replace("\"Bret\"", r#""\ud83d""#)),
        Reply::json(200, &LEANNE.replace("\"id\": 1", "\"id\": 2")),
        Reply::json(200, &"x".repeat(100_000)),
        Reply::json(301, "{}"),
        Reply::json(400, "{}"),
        Reply::json(410, "{}"),
    ] {
        let stand_in = StandIn::answering([reply.clone()]).await;
        let directory = directory(&stand_in);
        for _ in 0..12 {
            failure(&directory).await;
        }
        assert!(directory.check().await.is_ok(), "{reply:?}");
    }
}

async fn what_would_be_so_for_everyone_leaves_the_directory_alone() {
    let refused = [401, 403, 429, 500, 501, 503].map(|status| Reply::json(status, "{}"));
    let page = Reply::json(200, "<p>We are back soon</p>");
    for reply in refused.into_iter().chain([page]) {
        let stand_in = StandIn::answering([reply.clone()]).await;
        let directory = directory(&stand_in);
        for _ in 0..5 {
            failure(&directory).await;
        }
        assert!(directory.check().await.is_err(), "{reply:?}");
    }
}

/// Seen to fail where they counted for nothing.
async fn calls_that_were_given_up_after_a_while_leave_it_alone_too() {
    let stand_in = StandIn::answering([Reply::Nothing]).await;
    let directory = directory(&stand_in);
    let given_up = (0..5).map(|_| timeout(Duration::from_millis(800), directory.find(one())));
    assert!(join_all(given_up).await.iter().all(Result::is_err));
    directory.check().await.unwrap_err();
}

async fn calls_beyond_the_limit_are_refused_at_once_and_dropped_ones_give_their_place_back() {
    let stand_in = StandIn::answering([Reply::Nothing]).await;
    let mut config = config(&stand_in);
    config.max_calls = 4;
    let directory = Arc::new(HttpDirectory::new(config).unwrap());
    let find = |directory: Arc<HttpDirectory>| tokio::spawn(async move { directory.find(one()).await });
    let held: Vec<_> = (0..4).map(|_| find(directory.clone())).collect();
    while stand_in.requests().len() < 4 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let refused = directory.find(one()).await;
    assert!(matches!(refused, Err(DirectoryError::Unavailable { .. })), "{refused:?}");
    assert_eq!(stand_in.requests().len(), 4, "it was not asked");

    held.iter().for_each(tokio::task::JoinHandle::abort);
    join_all(held).await;
    stand_in.answer(Reply::json(200, LEANNE));
    directory.find(one()).await.unwrap().expect("the person is there");
}
