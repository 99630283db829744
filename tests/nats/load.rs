//! Events out while the service, the broker or the relay are killed.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::{messages, until};
use crate::kit::{
    Database, Happened, OnPostgresWithNats, OwnNats, Program, Roster, Tally, WithNats, all_users, in_time,
    suite, times,
};

suite![
    every_acknowledged_change_is_delivered_though_the_service_is_killed,
    every_change_is_delivered_though_the_broker_is_killed,
    another_program_goes_on_where_one_that_published_is_killed,
    another_program_goes_on_where_one_that_published_is_stopped,
];

const WRITERS: usize = 16;

/// No change is refused by it.
fn serving(database: &Database, nats: &OwnNats) -> Program {
    Program::serving(database).and(["--nats-url", nats.url()])
}

fn write(tally: &Tally, roster: &Roster, round: usize) -> Vec<JoinHandle<()>> {
    let writer = |nth| tokio::spawn(tally.clone().write((**roster).clone(), format!("{round}-{nth}")));
    (0..WRITERS).map(writer).collect()
}

async fn acknowledged(tally: &Tally, more: usize) {
    let enough = tally.acknowledged() + more;
    until("the service works", async || tally.acknowledged() >= enough).await;
}

async fn ended(writers: Vec<JoinHandle<()>>) {
    for writer in writers {
        writer.await.expect("a writer sees right answers, or none");
    }
}

/// What the broker has, as the id of each message and what it says happened.
async fn delivered(nats: &OwnNats) -> Vec<(String, Happened)> {
    let told = messages(&nats.client().await, "ROSTER").await;
    let read = |message: super::Message| {
        let event = message.json();
        let what = match event["type"].as_str() {
            Some("roster.user.created") => "created",
            Some("roster.user.updated") => "updated",
            Some("roster.user.deleted") => "deleted",
            other => panic!("nobody knows {other:?}"),
        };
        let number = |name: &str| event["data"][name].as_i64().unwrap();
        (message.id, (number("id"), what, number("version")))
    };
    told.into_iter().map(read).collect()
}

/// Once the broker has all of the feed, holds both to what was acknowledged.
async fn hold(tally: &Tally, roster: &Roster, nats: &OwnNats) {
    let feed = roster.events().await;
    let newest = feed.last().map(|event| event.id.to_string()).expect("there are events");
    until("all is published", async || delivered(nats).await.iter().any(|(id, _)| *id == newest)).await;
    let stored = all_users(roster).await;
    tally.hold_feed(&feed, &stored);
    tally.hold_delivered(&delivered(nats).await, &stored);
    assert_eq!(tally.refused(), [""; 0], "no change was refused");
}

/// Seen to fail where the mark was moved before the acknowledgements of the broker were awaited: of some 1,050
/// changes, 200 were lost on SQLite and 32 on PostgreSQL.
async fn every_acknowledged_change_is_delivered_though_the_service_is_killed(
    WithNats(database, nats): WithNats,
) {
    let tally = Tally::default();
    for round in 0..times(10) {
        let roster = serving(&database, &nats).serve().await;
        let writers = write(&tally, &roster, round);
        acknowledged(&tally, 100).await;
        roster.kill().await;
        ended(writers).await;
    }
    let roster = serving(&database, &nats).serve().await;
    hold(&tally, &roster, &nats).await;
}

/// Seen to fail with the same fault, which lost more than half of the changes.
async fn every_change_is_delivered_though_the_broker_is_killed(WithNats(database, nats): WithNats) {
    let tally = Tally::default();
    let roster = serving(&database, &nats).serve().await;
    let writers = write(&tally, &roster, 0);
    for round in 0..times(6) {
        acknowledged(&tally, 100).await;
        nats.kill().await;
        if round == 3 {
            // Away for a while.
            sleep(Duration::from_secs(3)).await;
        }
        acknowledged(&tally, 100).await;
        nats.resume().await;
    }
    assert_eq!(tally.ended(), 0, "every request was answered");
    assert_eq!(roster.stop().await.code, Some(0));
    ended(writers).await;

    let roster = serving(&database, &nats).serve().await;
    hold(&tally, &roster, &nats).await;
}

/// Seen to fail where everybody got the lead: two published at a time.
async fn another_program_goes_on_where_one_that_published_is_killed(
    OnPostgresWithNats(database, nats): OnPostgresWithNats,
) {
    hand_over(&database, &nats, Duration::from_secs(5), async |publishing| publishing.kill().await).await;
}

/// Whoever stops publishes to the end, so that nothing waits before. Seen to fail where who stands by asked for the
/// lead every nine seconds.
async fn another_program_goes_on_where_one_that_published_is_stopped(
    OnPostgresWithNats(database, nats): OnPostgresWithNats,
) {
    let stop = async |publishing: Roster| assert_eq!(publishing.stop().await.code, Some(0));
    hand_over(&database, &nats, in_time(Duration::from_secs(2)), stop).await;
}

/// Ends whoever publishes, again and again; another publishes within so long, and nothing is lost or told amiss.
async fn hand_over(database: &Database, nats: &OwnNats, within: Duration, end: impl AsyncFn(Roster)) {
    let tally = Tally::default();
    let mut standing_by = serving(database, nats).serve().await;
    let mut longest = Duration::ZERO;
    for round in 0..times(4) {
        until("it publishes", async || leads(&standing_by).await).await;
        let publishing = std::mem::replace(&mut standing_by, serving(database, nats).serve().await);
        let mut writers = write(&tally, &publishing, 2 * round);
        writers.extend(write(&tally, &standing_by, 2 * round + 1));
        acknowledged(&tally, 200).await;
        assert!(!leads(&standing_by).await, "one publishes at a time");

        end(publishing).await;

        let began = Instant::now();
        until("the other publishes", async || leads(&standing_by).await).await;
        longest = longest.max(began.elapsed());
        acknowledged(&tally, 100).await;
        let last = std::mem::replace(&mut standing_by, serving(database, nats).serve().await);
        assert_eq!(last.stop().await.code, Some(0));
        ended(writers).await;
    }
    until("it publishes", async || leads(&standing_by).await).await;
    hold(&tally, &standing_by, nats).await;
    eprintln!("another went on after {longest:?} at the latest");
    assert!(longest < within, "{longest:?}");
}

async fn leads(roster: &Roster) -> bool {
    roster.get("/metrics").await.any_body(200).text().contains("\nroster_relay_leads 1\n")
}
