//! A broker that is away, silent, full or robbed of its stream, while changes go on.

use std::time::{Duration, Instant};

use async_nats::jetstream::stream::{Config, DiscardPolicy, StorageType};
use futures_util::future::join_all;
use serde_json::json;

use super::outbound::metric;
use super::{at_least, messages, serving, until};
use crate::kit::{Gateway, Http, Program, Roster, WithNats, suite, times};

suite![
    changes_do_not_notice_a_broker_that_is_away_and_are_told_in_order_when_it_is_back,
    a_network_that_swallows_everything_holds_up_events_and_nothing_else,
    a_stream_that_is_full_holds_up_events_until_there_is_room,
    a_stream_that_was_deleted_is_made_again,
];

const CLIENTS: usize = 8;

/// Creates so many users, and tells how long each took, the shortest first.
async fn create(http: &Http, name: &str, count: usize) -> Vec<Duration> {
    let clients = (0..CLIENTS).map(|client| async move {
        let mut took = Vec::new();
        for nth in (client..count).step_by(CLIENTS) {
            let began = Instant::now();
            http.user(&format!("{name}{nth}")).await;
            took.push(began.elapsed());
        }
        took
    });
    let mut took: Vec<_> = join_all(clients).await.into_iter().flatten().collect();
    took.sort_unstable();
    took
}

fn p99(took: &[Duration]) -> Duration {
    took[(took.len() - 1) * 99 / 100]
}

/// Nothing waits any more, and none did for any time.
async fn is_drained(roster: &Roster) {
    until("all is published", async || {
        metric(roster, "roster_events_unpublished").await == Some(0.0)
            && metric(roster, "roster_events_oldest_unpublished_seconds").await == Some(0.0)
    })
    .await;
}

/// Holds what the broker has to the feed: every event, in its order.
async fn is_told_in_order(roster: &Roster, nats: &crate::kit::OwnNats) {
    let feed: Vec<_> = roster.events().await.iter().map(|event| event.id.to_string()).collect();
    let mut told: Vec<_> =
        at_least(&nats.client().await, "ROSTER", feed.len()).await.into_iter().map(|one| one.id).collect();
    told.dedup();
    assert!(told == feed, "the broker has {} events, the feed {}", told.len(), feed.len());
}

async fn changes_do_not_notice_a_broker_that_is_away_and_are_told_in_order_when_it_is_back(
    WithNats(database, nats): WithNats,
) {
    let roster = serving(&database, &nats).and(["--log", "warn"]).serve().await;
    let count = times(300);
    let with = create(&roster, "with", count).await;
    is_drained(&roster).await;

    nats.kill().await;
    let without = create(&roster, "without", count).await;
    until("the queue is measured", async || {
        metric(&roster, "roster_events_unpublished").await.is_some_and(|waiting| waiting > 0.0)
    })
    .await;
    nats.resume().await;
    let back = Instant::now();
    is_drained(&roster).await;

    eprintln!(
        "{count} changes with a broker, p99 {:?}; without, p99 {:?}; drained in {:?}",
        p99(&with),
        p99(&without),
        back.elapsed()
    );
    is_told_in_order(&roster, &nats).await;
}

async fn a_network_that_swallows_everything_holds_up_events_and_nothing_else(
    WithNats(database, nats): WithNats,
) {
    let gateway = Gateway::to(nats.url()).await;
    let program = Program::serving(&database).and(["--nats-url", &gateway.url(nats.url())]);
    let roster = program.serve().await;
    create(&roster, "before", 10).await;
    is_drained(&roster).await;

    gateway.silence();
    let degraded = json!({"status": "degraded", "degraded": ["broker"]});
    let mut nth = 0;
    // Nobody is told that the network is gone: it shows by what is not answered.
    until("it is seen", async || {
        nth += 1;
        create(&roster, &format!("during{nth}-"), 8).await;
        roster.readiness().await == degraded
    })
    .await;
    gateway.open();

    is_drained(&roster).await;
    is_told_in_order(&roster, &nats).await;
    until("all is well", async || roster.readiness().await == json!({"status": "ready"})).await;
    assert_eq!(roster.stop().await.code, Some(0));
}

async fn a_stream_that_is_full_holds_up_events_until_there_is_room(WithNats(database, nats): WithNats) {
    let context = nats.client().await;
    let small = Config {
        name: "ROSTER".to_owned(),
        subjects: vec!["roster.users.*".to_owned()],
        storage: StorageType::File,
        discard: DiscardPolicy::New,
        max_messages: 5,
        duplicate_window: Duration::from_secs(120),
        ..Config::default()
    };
    context.create_stream(small.clone()).await.unwrap();
    let roster = serving(&database, &nats).serve().await;

    create(&roster, "user", 20).await;
    until("the rest waits", async || metric(&roster, "roster_events_unpublished").await == Some(15.0)).await;
    assert_eq!(messages(&context, "ROSTER").await.len(), 5);

    context.update_stream(Config { max_messages: -1, ..small }).await.unwrap();

    is_drained(&roster).await;
    is_told_in_order(&roster, &nats).await;
}

async fn a_stream_that_was_deleted_is_made_again(WithNats(database, nats): WithNats) {
    let context = nats.client().await;
    let roster = serving(&database, &nats).serve().await;
    create(&roster, "before", 10).await;
    at_least(&context, "ROSTER", 10).await;

    context.delete_stream("ROSTER").await.unwrap();
    create(&roster, "after", 10).await;

    let told = at_least(&context, "ROSTER", 10).await;
    let feed = roster.events().await;
    let ids: Vec<_> = told.iter().map(|one| one.id.clone()).collect();
    assert_eq!(ids, feed[10..].iter().map(|event| event.id.to_string()).collect::<Vec<_>>());
}
