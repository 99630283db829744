//! Events out.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, StorageType};
use serde_json::{Value, json};

use super::{at_least, messages, serving, until};
use crate::kit::{Gateway, Http, Program, USERS, WithNats, new_user, suite, user_path};

suite![
    each_change_is_published_with_the_id_that_it_has_in_the_feed,
    events_wait_for_a_broker_that_is_away,
    what_is_left_is_published_before_the_program_ends,
    an_event_that_the_broker_refuses_is_set_aside_and_holds_up_no_other,
    a_stream_that_would_lose_events_is_told_and_left_as_it_is,
    old_events_are_forgotten_once_they_were_published,
    what_a_broker_lost_is_published_again,
    what_a_broker_lost_and_says_that_it_has_is_published_once_it_takes_it,
    who_has_no_broker_leaves_events_to_whoever_has_one,
    who_does_not_reach_the_broker_lets_another_try,
];

pub(super) async fn metric(http: &Http, name: &str) -> Option<f64> {
    let metrics = http.get("/metrics").await.any_body(200).text();
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    Some(line.parse().expect("a measurement is a number"))
}

async fn each_change_is_published_with_the_id_that_it_has_in_the_feed(WithNats(database, nats): WithNats) {
    let roster = serving(&database, &nats).serve().await;
    let ada = roster.user("ada").await;
    roster.patch(&user_path(ada.id), &json!({"name": "Ada King"})).await.user(200);
    roster.patch(&user_path(ada.id), &json!({"name": "Ada King"})).await.user(200);
    roster.delete(&user_path(ada.id)).await.empty(204);

    let told = at_least(&nats.client().await, "ROSTER", 3).await;

    let feed: Value = roster.get("/api/v1/events").await.any_json(200);
    assert_eq!(told.iter().map(super::Message::json).collect::<Value>(), feed);
    let subjects: Vec<_> = told.iter().map(|message| message.subject.as_str()).collect();
    assert_eq!(subjects, ["roster.users.created", "roster.users.updated", "roster.users.deleted"]);
    for message in &told {
        assert_eq!(json!(message.id), message.json()["id"]);
        assert_eq!(message.content_type, "application/cloudevents+json");
    }
    // What is published is counted once that is noted.
    for (name, expected) in [("roster_events_unpublished", 0.0), ("roster_events_published_total", 3.0)] {
        until(name, async || metric(&roster, name).await == Some(expected)).await;
    }
}

async fn events_wait_for_a_broker_that_is_away(WithNats(database, nats): WithNats) {
    nats.kill().await;
    let roster = serving(&database, &nats).serve().await;
    let users = roster.users(20).await;
    assert_eq!(roster.readiness().await, json!({"status": "degraded", "degraded": ["broker"]}));
    until("the queue is measured", async || metric(&roster, "roster_events_unpublished").await == Some(20.0))
        .await;
    let feed: Value = roster.get("/api/v1/events").await.any_json(200);
    assert_eq!(feed.as_array().unwrap().len(), 20, "the feed needs no broker");

    nats.resume().await;

    let told = at_least(&nats.client().await, "ROSTER", 20).await;
    let ids: Vec<_> = told.iter().map(|message| message.json()["data"]["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, users.iter().map(|user| user.id).collect::<Vec<_>>());
    until("all is well", async || roster.readiness().await == json!({"status": "ready"})).await;
}

async fn what_is_left_is_published_before_the_program_ends(WithNats(database, nats): WithNats) {
    let roster = serving(&database, &nats).serve().await;
    let context = nats.client().await;
    roster.user("first").await;
    at_least(&context, "ROSTER", 1).await;
    let users = (0..50).map(|nth| {
        let roster = (*roster).clone();
        async move { roster.user(&format!("user{nth}")).await }
    });
    futures_util::future::join_all(users).await;

    let exit = roster.stop().await;

    assert_eq!(exit.code, Some(0), "{exit:?}");
    assert_eq!(messages(&context, "ROSTER").await.len(), 51);
}

async fn an_event_that_the_broker_refuses_is_set_aside_and_holds_up_no_other(
    WithNats(database, nats): WithNats,
) {
    let context = nats.client().await;
    let small = Config {
        name: "ROSTER".to_owned(),
        subjects: vec!["roster.users.*".to_owned()],
        storage: StorageType::File,
        max_message_size: 1_000,
        duplicate_window: Duration::from_secs(120),
        ..Config::default()
    };
    context.create_stream(small).await.unwrap();
    let roster = serving(&database, &nats).serve().await;

    roster.user("before").await;
    let large = json!({"email": "large@example.org", "name": "\u{10000}".repeat(200)});
    roster.post(USERS, &large).await.user(201);
    roster.user("after").await;

    let told = at_least(&context, "ROSTER", 2).await;
    let emails: Vec<_> = told.iter().map(|message| message.json()["data"]["email"].clone()).collect();
    assert_eq!(emails, [json!("before@example.org"), json!("after@example.org")]);
    until("it is counted", async || metric(&roster, "roster_events_set_aside_total").await == Some(1.0))
        .await;
    let exit = roster.stop().await;
    assert!(exit.stderr.contains("maximum"), "the reason is told: {}", exit.stderr);

    let doctor = ["doctor", "--listen", "127.0.0.1:0", "--database-url", database.url()];
    let examined = Program::with(doctor).and(["--nats-url", nats.url()]).run().await;
    let told = examined.stdout.lines().find(|line| line.starts_with("warning  events: "));
    let told = told.unwrap_or_else(|| panic!("nothing is told of it: {examined:?}"));
    for part in ["none of 3 waits", "refused them: 1,", "position 2", "maximum", "republish --after 1"] {
        assert!(told.contains(part), "{part} in {told}");
    }
}

async fn a_stream_that_would_lose_events_is_told_and_left_as_it_is(WithNats(database, nats): WithNats) {
    let context = nats.client().await;
    let in_memory = Config {
        name: "ROSTER".to_owned(),
        subjects: vec!["roster.users.*".to_owned()],
        storage: StorageType::Memory,
        ..Config::default()
    };
    context.create_stream(in_memory).await.unwrap();
    let mut roster = serving(&database, &nats).serve().await;
    roster.post(USERS, &new_user("ada")).await.user(201);

    let told = "the stream ROSTER is kept in memory alone";
    roster.process().wait_for(told, |output| output.stderr.contains(told).then_some(())).await;
    assert_eq!(roster.readiness().await, json!({"status": "degraded", "degraded": ["broker"]}));
    let mut found = context.get_stream("ROSTER").await.unwrap();
    let info = found.info().await.unwrap();
    assert_eq!((info.config.storage, info.state.messages), (StorageType::Memory, 0));
}

async fn old_events_are_forgotten_once_they_were_published(WithNats(database, nats): WithNats) {
    let context = nats.client().await;
    nats.kill().await;
    let roster = serving(&database, &nats).and(["--events-retention", "0.000005"]).serve().await;
    roster.users(5).await;
    // Longer than they are kept, and than it takes to look for old ones.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let feed: Value = roster.get("/api/v1/events?after=0").await.any_json(200);
    assert_eq!(feed.as_array().unwrap().len(), 5, "what is not published is kept");

    nats.resume().await;

    at_least(&context, "ROSTER", 5).await;
    until("they are forgotten", async || roster.get("/api/v1/events?after=0").await.status() == 410).await;
}

async fn what_a_broker_lost_is_published_again(WithNats(database, nats): WithNats) {
    let context = nats.client().await;
    let roster = serving(&database, &nats).serve().await;
    roster.users(10).await;
    let before = at_least(&context, "ROSTER", 10).await;
    context.delete_stream("ROSTER").await.unwrap();

    let republish =
        |after: &str| Program::with(["republish", "--after", after, "--database-url", database.url()]);
    let exit = republish("4").run().await;

    assert_eq!(exit.code, Some(0), "{exit:?}");
    assert_eq!(
        exit.stdout,
        "The events after 4, up to 10, will be published again by whoever serves with --nats-url\n"
    );
    let again = at_least(&context, "ROSTER", 6).await;
    let ids = |messages: &[super::Message]| messages.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&again), ids(&before[4..]));
}

/// For two minutes a server says of what was purged that it has it. Seen to fail where that counted as published.
async fn what_a_broker_lost_and_says_that_it_has_is_published_once_it_takes_it(
    WithNats(database, nats): WithNats,
) {
    let context = nats.client().await;
    let roster = serving(&database, &nats).serve().await;
    roster.users(3).await;
    let before = at_least(&context, "ROSTER", 3).await;
    context.get_stream("ROSTER").await.unwrap().purge().await.unwrap();

    let exit = Program::with(["republish", "--after", "0", "--database-url", database.url()]).run().await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    until("the broker refuses", async || {
        let measured = roster.get("/metrics").await.text();
        measured.lines().any(|line| line.starts_with("roster_relay_failures_total") && !line.ends_with(" 0"))
    })
    .await;
    context.delete_stream("ROSTER").await.unwrap();

    let again = at_least(&context, "ROSTER", 3).await;
    let ids = |messages: &[super::Message]| messages.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&again), ids(&before));
}

/// As while a broker is rolled out. Seen to fail where events of which nobody was told counted as published.
async fn who_has_no_broker_leaves_events_to_whoever_has_one(WithNats(database, nats): WithNats) {
    let without = Program::serving(&database).serve().await;
    without.users(3).await;
    without.fed_up_to(3).await;

    let with = serving(&database, &nats).serve().await;
    with.user("after").await;

    let told = at_least(&nats.client().await, "ROSTER", 4).await;
    let feed: Value = without.get("/api/v1/events").await.any_json(200);
    assert_eq!(told.iter().map(super::Message::json).collect::<Value>(), feed);
}

/// Seen to fail where whoever led did so for as long as the store had it.
async fn who_does_not_reach_the_broker_lets_another_try(WithNats(database, nats): WithNats) {
    let away = Gateway::to(nats.url()).await;
    away.cut();
    let alone = Program::serving(&database).and(["--nats-url", &away.url(nats.url())]).serve().await;
    until("it leads", async || metric(&alone, "roster_relay_leads").await == Some(1.0)).await;
    let other = serving(&database, &nats).serve().await;
    alone.users(3).await;

    at_least(&nats.client().await, "ROSTER", 3).await;
    until("the other leads", async || metric(&other, "roster_relay_leads").await == Some(1.0)).await;
}
