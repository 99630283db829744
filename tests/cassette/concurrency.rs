//! Many tasks on one cassette.

use crate::support::upstream::{Upstream, ok};
use crate::support::{base, standard};
use roster_cassette::RecordMode;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

const TASKS: usize = 64;
const REPLAYS: usize = 1000;

/// A cassette of so many interactions: `paths` different ones, over and over, each with its number as body.
fn cassette(interactions: usize, paths: usize) -> String {
    let mut text = "interactions:\n".to_owned();
    for number in 0..interactions {
        let path = number % paths;
        write!(
            text,
            "- request: {{body: null, headers: {{}}, method: GET, uri: 'http://h/{path}'}}\n  response: {{body: {{string: \
             '{number}'}}, headers: {{}}, status: {{code: 200, message: OK}}}}\n"
        )
        .unwrap();
    }
    text + "version: 1\n"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn each_interaction_plays_exactly_once_however_many_tasks_ask() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.yaml"), cassette(TASKS * REPLAYS, 10)).unwrap();
    let vcr =
        standard(folder.path(), RecordMode::None).max_interactions(TASKS * REPLAYS).require_all_played(true);
    let open = vcr.build().use_cassette("a.yaml").unwrap();
    let client = open.client(base());
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                let mut bodies = Vec::with_capacity(REPLAYS);
                for number in 0..REPLAYS {
                    let response = client.get(format!("http://h/{}", number % 10)).send().await.unwrap();
                    bodies.push(response.text().await.unwrap().parse::<usize>().unwrap());
                }
                bodies
            })
        })
        .collect();
    let mut seen = BTreeSet::new();
    for task in tasks {
        seen.extend(task.await.unwrap());
    }
    assert_eq!(seen, (0..TASKS * REPLAYS).collect());
    assert_eq!(open.finish().await.unwrap().played, TASKS * REPLAYS);
}

/// A request is made once it is whole, and takes its place in the file then, however late it is answered.
#[tokio::test]
async fn requests_that_race_are_recorded_in_the_order_they_were_made() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start(|_, _| ok("x")).await;
    let cassette = standard(folder.path(), RecordMode::Once).build().use_cassette("a.yaml").unwrap();
    let client = cassette.client(base());
    let (first, second) = (format!("{}/first", upstream.url), format!("{}/second", upstream.url));
    let (answered, late) = tokio::sync::oneshot::channel();
    let slow = async {
        let response = client.get(&first).body(reqwest::Body::wrap_stream(Late(late))).send();
        response.await.unwrap();
    };
    let fast = async {
        client.get(&second).send().await.unwrap();
        answered.send(()).unwrap();
    };
    tokio::join!(slow, fast);
    assert_eq!(cassette.requests().iter().map(|it| it.uri.clone()).collect::<Vec<_>>(), [second, first]);
    assert_eq!(cassette.finish().await.unwrap().recorded, 2);
}

/// An empty body that ends when it is told to.
struct Late(tokio::sync::oneshot::Receiver<()>);

impl futures_core::Stream for Late {
    type Item = Result<&'static str, std::io::Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::pin::Pin::new(&mut self.0).poll(context).map(|_| None)
    }
}

#[tokio::test]
async fn a_request_that_is_given_up_leaves_nothing_on_the_tape() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start(|request, _| {
        if request.starts_with("GET /slow") {
            std::thread::sleep(Duration::from_millis(300));
        }
        ok("x")
    })
    .await;
    let cassette = standard(folder.path(), RecordMode::Once).build().use_cassette("a.yaml").unwrap();
    let client = cassette.client(base());
    let slow = client.get(format!("{}/slow", upstream.url)).send();
    assert!(tokio::time::timeout(Duration::from_millis(1), slow).await.is_err());
    client.get(format!("{}/fast", upstream.url)).send().await.unwrap();
    let report = cassette.finish().await.unwrap();
    assert_eq!((report.recorded, report.in_flight), (1, 0));
}

#[tokio::test]
async fn a_request_under_way_is_counted_and_not_saved() {
    let folder = tempfile::tempdir().unwrap();
    let never = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", never.local_addr().unwrap());
    let cassette = standard(folder.path(), RecordMode::Once).build().use_cassette("a.yaml").unwrap();
    let client = cassette.client(base());
    let waiting = tokio::spawn(async move { client.get(url).send().await.is_ok() });
    let _connection = never.accept().await.unwrap();
    let report = cassette.finish().await.unwrap();
    assert_eq!((report.recorded, report.in_flight, report.saved), (0, 1, false));
    waiting.abort();
}
