//! More requests than there are places for.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::time::{sleep, timeout};

use crate::kit::{Database, Output, Program, Raw, Reply, Roster, StandIn, USERS, suite};

suite![
    a_request_without_a_place_is_refused_at_once,
    requests_without_a_place_are_told_of_together,
    health_and_measurements_need_no_place,
];

const PLACES: usize = 4;

/// A service whose places are all taken, by requests that a directory leaves unanswered.
async fn full(database: &Database) -> (Roster, Vec<Raw>, StandIn) {
    let directory = StandIn::answering([Reply::Nothing]).await;
    let settings = ["--directory-url", &directory.url(), "--max-requests", &PLACES.to_string()];
    let roster = Program::serving(database).and(settings).serve().await;
    let mut waiting = Vec::new();
    for _ in 0..PLACES {
        let mut raw = Raw::to(&roster).await;
        raw.ask("GET", "/api/v1/directory/users/1").await.unwrap();
        waiting.push(raw);
    }
    let asked = async {
        while directory.requests().len() < PLACES {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(30), asked).await.expect("the directory is asked");
    (roster, waiting, directory)
}

// Seen to fail where everyone is let in.
async fn a_request_without_a_place_is_refused_at_once(database: Database) {
    let (roster, waiting, _directory) = full(&database).await;

    let asked = Instant::now();
    let refused = roster.get(USERS).await;
    let took = asked.elapsed();

    refused.error(503, "unavailable");
    assert_eq!(refused.header("retry-after"), "1");
    for mut raw in waiting {
        raw.answer().await.expect("it is answered").error(504, "upstream_timeout");
    }
    assert!(asked.elapsed() > took, "the places were taken all the while");
    roster.get(USERS).await.page();
    let measured = roster.get("/metrics").await.any_body(200).text();
    assert!(measured.contains("\nroster_requests_shed_total 1\n"), "{measured}");
    assert!(measured.contains("\nroster_http_requests_in_flight 1\n"), "the one that reads this: {measured}");
}

/// Seen to fail where each had a line of its own.
async fn requests_without_a_place_are_told_of_together(database: Database) {
    let (mut roster, _waiting, _directory) = full(&database).await;
    for answer in join_all((0..100).map(|_| roster.get(USERS).into_future())).await {
        answer.error(503, "unavailable");
    }
    let refused = |line: &str| line.split_once(" refused=")?.1.split(' ').next()?.parse().ok();
    let all_are_told = |output: &Output| {
        let told: Vec<usize> = output.stderr.lines().filter_map(refused).collect();
        (told.iter().sum::<usize>() == 100).then_some(told.len())
    };
    let lines = roster.process().wait_for("all are told of", all_are_told).await;
    assert!((1..=5).contains(&lines), "one a second: {lines}");
    let log = roster.stop().await.stderr;
    assert!(log.lines().filter(|line| line.contains("could not answer")).count() <= PLACES, "{log}");
}

async fn health_and_measurements_need_no_place(database: Database) {
    let (roster, _waiting, _directory) = full(&database).await;
    let targets = ["/livez", "/readyz", "/metrics"];
    let answers = join_all(targets.map(|target| roster.get(target).into_future()));
    // At once with them, as places are taken for no longer than the directory's deadline.
    let (refused, answers) = futures_util::join!(roster.get(USERS).into_future(), answers);
    refused.error(503, "unavailable");
    for answer in answers {
        answer.any_body(200);
    }
}
