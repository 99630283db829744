//! Events in.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::pull::Config;
use serde_json::{Value, json};

use super::{at_least, messages, serving, until};
use crate::kit::{Gateway, Http, OnPostgresWithNats, Program, USERS, WithNats, name_in, suite, user_in};

suite![
    a_person_who_is_saved_and_removed_is_a_user_in_between,
    the_same_event_five_times_takes_effect_once,
    events_take_effect_once_though_the_service_is_killed_amid_them,
    what_can_never_succeed_is_a_dead_letter_and_holds_up_no_other,
    what_is_refused_over_http_is_no_dead_letter,
    a_store_that_is_away_holds_events_until_it_is_back,
    an_event_that_waits_for_long_is_held_and_nothing_overtakes_it,
    an_event_that_is_too_large_to_be_kept_is_cut,
    an_event_that_fails_each_time_is_a_dead_letter_after_some_attempts,
];

pub(super) fn event(id: &str, verb: &str, local: &str, name: &str) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "/hr", "type": format!("directory.person.{verb}"),
        "data": {"email": format!("{local}@example.org"), "name": name},
    })
}

/// Publishes a message, whatever it says.
pub(crate) async fn publish(context: &Context, subject: &str, payload: impl Into<Vec<u8>>) {
    let sent =
        context.publish_with_headers(subject.to_owned(), HeaderMap::new(), payload.into().into()).await;
    sent.unwrap().await.expect("the stream takes the message");
}

async fn tell(context: &Context, event: &Value) {
    let verb = event["type"].as_str().unwrap().rsplit('.').next().unwrap();
    publish(context, &format!("directory.people.{verb}"), event.to_string()).await;
}

pub(super) async fn names(http: &Http) -> Vec<String> {
    let page = http.get(&format!("{USERS}?limit=100")).await.page();
    page.items.into_iter().map(|user| user.name).collect()
}

/// The service makes the stream of inbound events, and its consumer, as it starts; until then there is none to
/// publish to.
pub(crate) async fn has_stream(context: &Context) {
    until("the consumer is made", async || {
        let Ok(stream) = context.get_stream("DIRECTORY").await else { return false };
        stream.get_consumer::<Config>("roster").await.is_ok()
    })
    .await;
}

async fn a_person_who_is_saved_and_removed_is_a_user_in_between(WithNats(database, nats): WithNats) {
    let roster = serving(&database, &nats).serve().await;
    let context = nats.client().await;
    has_stream(&context).await;
    for (nth, name) in ["Ada", "Ada Lovelace", "Ada King"].into_iter().enumerate() {
        tell(&context, &event(&format!("saved{nth}"), "saved", "ada", name)).await;
    }
    until("the last is applied", async || names(&roster).await == ["Ada King"]).await;
    let versions = roster.get(USERS).await.page().items[0].version;
    assert_eq!(versions, 3, "each took effect, in its order");

    tell(&context, &event("removed", "removed", "ada", "")).await;
    until("it is applied", async || names(&roster).await.is_empty()).await;
    assert_eq!(roster.events().await.len(), 4);
}

/// Seen to fail where the receipt of an event was left out: the user who was removed came back.
async fn the_same_event_five_times_takes_effect_once(WithNats(database, nats): WithNats) {
    let roster = serving(&database, &nats).serve().await;
    let context = nats.client().await;
    has_stream(&context).await;
    let saved = event("once", "saved", "ada", "Ada");
    let sent = (0..5).map(|_| tell(&context, &saved));
    let asked = (0..5).map(|_| {
        let body = saved.to_string();
        let request = roster.request("POST", "/api/v1/events").body("application/cloudevents+json", body);
        async move { request.await.status() }
    });
    let (_, answers) =
        tokio::join!(futures_util::future::join_all(sent), futures_util::future::join_all(asked));
    assert!(answers.iter().all(|status| [202, 503].contains(status)), "{answers:?}");
    until("it is applied", async || names(&roster).await == ["Ada"]).await;

    tell(&context, &event("removed", "removed", "ada", "")).await;
    until("it is removed", async || names(&roster).await.is_empty()).await;
    tell(&context, &saved).await;
    tell(&context, &event("last", "saved", "bob", "Bob")).await;
    until("what comes after is applied", async || names(&roster).await == ["Bob"]).await;
    assert_eq!(roster.events().await.len(), 3);
}

/// Of people who take turns. Seen to fail where a message was acknowledged before its commit: events that were in hand at
/// a kill were lost; and where events of one person took effect at once.
async fn events_take_effect_once_though_the_service_is_killed_amid_them(WithNats(database, nats): WithNats) {
    const ROUNDS: usize = 5;
    const EACH: usize = 60;
    const PEOPLE: [&str; 3] = ["ada", "bob", "eve"];
    let context = nats.client().await;
    for round in 0..ROUNDS {
        let roster = serving(&database, &nats).serve().await;
        has_stream(&context).await;
        for nth in round * EACH..(round + 1) * EACH {
            let name = format!("Round {nth}");
            tell(&context, &event(&nth.to_string(), "saved", PEOPLE[nth % PEOPLE.len()], &name)).await;
        }
        // Amid them: some took effect, and the last did not.
        until("some took effect", async || roster.events().await.len() > round * EACH).await;
        roster.kill().await;
    }
    let roster = serving(&database, &nats).serve().await;
    let mut last: Vec<_> =
        (1..=PEOPLE.len()).map(|from_last| format!("Round {}", ROUNDS * EACH - from_last)).collect();
    last.sort();
    let settled = async || {
        let mut names = names(&roster).await;
        names.sort();
        names == last
    };
    until("all are applied", settled).await;
    // Whatever is still delivered again does nothing.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let events = roster.events().await;
    assert_eq!(events.len(), ROUNDS * EACH, "each took effect once");
    for (nth, person) in PEOPLE.iter().enumerate() {
        let email = format!("{person}@example.org");
        let of_person = events.iter().filter(|event| user_in(&event.change).email.as_str() == email);
        let names: Vec<_> = of_person.map(|event| name_in(&event.change)).collect();
        let expected: Vec<_> =
            (nth..ROUNDS * EACH).step_by(PEOPLE.len()).map(|nth| format!("Round {nth}")).collect();
        assert_eq!(names, expected, "those of {person} took effect in the order of the stream");
    }
    assert_eq!(messages(&context, "ROSTER_DEAD_LETTERS").await.len(), 0);
}

/// Seen to fail where what could not be read was held, as if that could pass.
async fn what_can_never_succeed_is_a_dead_letter_and_holds_up_no_other(WithNats(database, nats): WithNats) {
    let roster = serving(&database, &nats).serve().await;
    let context = nats.client().await;
    has_stream(&context).await;
    publish(&context, "directory.people.saved", "no JSON").await;
    tell(&context, &event("1", "saved", "ada", "A")).await;
    publish(&context, "directory.people.eaten", event("2", "eaten", "ada", "Ada").to_string()).await;
    publish(&context, "directory.people.saved", b"\xff\xfe").await;
    tell(&context, &event("3", "saved", "bob", "Bob")).await;

    until("the good one is applied", async || names(&roster).await == ["Bob"]).await;
    let dead = at_least(&context, "ROSTER_DEAD_LETTERS", 4).await;
    assert_eq!(dead.len(), 4);
    assert_eq!(dead[0].payload, b"no JSON");
    assert_eq!(dead[3].payload, b"\xff\xfe");
}

/// Whoever sent it was told. What comes by the broker after it is the first there.
async fn what_is_refused_over_http_is_no_dead_letter(WithNats(database, nats): WithNats) {
    let roster = serving(&database, &nats).serve().await;
    let context = nats.client().await;
    has_stream(&context).await;
    let bad = event("1", "saved", "ada", "A").to_string();
    let sent = roster.request("POST", "/api/v1/events").body("application/cloudevents+json", bad);
    sent.await.violated_fields(&["data.name"]);
    publish(&context, "directory.people.saved", "no JSON").await;
    tell(&context, &event("2", "saved", "bob", "Bob")).await;

    until("the good one is applied", async || names(&roster).await == ["Bob"]).await;
    let dead = at_least(&context, "ROSTER_DEAD_LETTERS", 1).await;
    assert_eq!(dead.iter().map(|letter| &*letter.payload).collect::<Vec<_>>(), [b"no JSON"]);
}

async fn a_store_that_is_away_holds_events_until_it_is_back(
    OnPostgresWithNats(database, nats): OnPostgresWithNats,
) {
    let gateway = Gateway::to(database.url()).await;
    let url = gateway.url(database.url());
    let program =
        Program::with(["--listen", "127.0.0.1:0", "--database-url", &url, "--nats-url", nats.url()]);
    let roster = program.serve().await;
    let context = nats.client().await;
    has_stream(&context).await;
    tell(&context, &event("before", "saved", "before", "Before")).await;
    until("it is applied", async || names(&roster).await == ["Before"]).await;

    gateway.cut();
    rounds(&context).await;
    // Longer than the first pauses between attempts.
    tokio::time::sleep(Duration::from_secs(2)).await;
    gateway.open();

    all_rounds_are_applied(&roster, &context).await;
}

/// A store that takes no write for longer than the server waits for a sign of life of whoever holds an event.
async fn an_event_that_waits_for_long_is_held_and_nothing_overtakes_it(
    OnPostgresWithNats(database, nats): OnPostgresWithNats,
) {
    let roster = serving(&database, &nats).serve().await;
    let context = nats.client().await;
    has_stream(&context).await;
    tell(&context, &event("before", "saved", "before", "Before")).await;
    until("it is applied", async || names(&roster).await == ["Before"]).await;

    let locked = database.execute("BEGIN; LOCK TABLE users IN SHARE MODE; SELECT pg_sleep(14); COMMIT");
    tokio::join!(locked, rounds(&context));

    all_rounds_are_applied(&roster, &context).await;
    let stream = context.get_stream("DIRECTORY").await.unwrap();
    let consumer = stream.get_consumer::<Config>("roster").await.unwrap();
    assert_eq!(consumer.cached_info().num_redelivered, 0, "the server was told that they are held");
}

/// Thirty events of one person.
async fn rounds(context: &Context) {
    for nth in 0..30 {
        tell(context, &event(&nth.to_string(), "saved", "ada", &format!("Round {nth}"))).await;
    }
}

async fn all_rounds_are_applied(http: &Http, context: &Context) {
    let applied = async || {
        let answer = http.get(USERS).await;
        answer.status() == 200 && answer.text().contains("Round 29")
    };
    until("all are applied", applied).await;
    let user = http.get(USERS).await.page().items.remove(1);
    assert_eq!((user.name.as_str(), user.version), ("Round 29", 30), "each took effect, in its order");
    assert_eq!(messages(context, "ROSTER_DEAD_LETTERS").await.len(), 0);
}

async fn an_event_that_fails_each_time_is_a_dead_letter_after_some_attempts(
    OnPostgresWithNats(database, nats): OnPostgresWithNats,
) {
    let roster = serving(&database, &nats).serve().await;
    let context = nats.client().await;
    has_stream(&context).await;
    // What no program can mend: a row that this version of the program cannot write.
    database.execute("ALTER TABLE users ADD CONSTRAINT no_ada CHECK (email <> 'ada@example.org')").await;
    tell(&context, &event("1", "saved", "ada", "Ada")).await;
    tell(&context, &event("2", "saved", "bob", "Bob")).await;

    until("what comes after is applied", async || names(&roster).await == ["Bob"]).await;

    let dead = messages(&context, "ROSTER_DEAD_LETTERS").await;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].json()["id"], "1");
    let exit = roster.stop().await;
    assert!(exit.stderr.contains("it failed 5 times"), "{}", exit.stderr);
}

async fn an_event_that_is_too_large_to_be_kept_is_cut(WithNats(database, nats): WithNats) {
    let roster = serving(&database, &nats).serve().await;
    let context = nats.client().await;
    has_stream(&context).await;
    // With what is kept beside it, it is more than the server takes.
    publish(&context, "directory.people.saved", vec![b'x'; 1024 * 1024 - 100]).await;
    tell(&context, &event("1", "saved", "bob", "Bob")).await;

    until("what comes after is applied", async || names(&roster).await == ["Bob"]).await;

    let dead = messages(&context, "ROSTER_DEAD_LETTERS").await;
    assert_eq!((dead.len(), dead[0].payload.len()), (1, 256));
    let retry = Program::with(["dead-letters", "retry", "1", "--nats-url", nats.url()]).run().await;
    assert_eq!(retry.code, Some(1), "{retry:?}");
    assert!(retry.stderr.contains("too large to be kept whole"), "{retry:?}");
}
