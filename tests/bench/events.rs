//! Events out and in, on a NATS server.

use std::time::{Duration, Instant};

use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::pull::{Config, OrderedConfig};
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::arguments::Service;
use crate::generator::{Generator, percentile};
use crate::kit::{Backend, Database, Given, OwnNats};
use crate::load::serve;
use crate::requests::Creates;
use crate::seeded::Seeded;
use crate::table::{Figure, Table};

/// Far above what anything takes here.
const PATIENCE: Duration = Duration::from_secs(1_800);

/// How often it is looked whether all is done.
const OFTEN: Duration = Duration::from_millis(5);

/// Where the service publishes.
const OUT: &str = "ROSTER";

/// Where others do, and by which name the service reads there.
const IN: (&str, &str) = ("DIRECTORY", "roster");

/// How many requests a second there are while it is measured how soon they are told of.
const RATE: f64 = 200.0;

/// How many requests are under way that are not waited for.
const UNDER_WAY: usize = 256;

/// How long it takes from the first event that is published to the last of so many.
pub(super) async fn published(nats: &OwnNats, events: usize) -> Duration {
    let context = nats.client().await;
    let first = once(async || messages(&context).await > 0).await;
    once(async || messages(&context).await >= events).await;
    first.elapsed()
}

async fn messages(context: &Context) -> usize {
    let Ok(stream) = context.get_stream(OUT).await else { return 0 };
    usize::try_from(stream.cached_info().state.messages).expect("a number of messages")
}

/// When something began to hold.
async fn once(mut holds: impl AsyncFnMut() -> bool) -> Instant {
    let waited = async {
        while !holds().await {
            sleep(OFTEN).await;
        }
        Instant::now()
    };
    timeout(PATIENCE, waited).await.expect("the service does what it has to do")
}

/// How long it takes from a change, as its event says when it was, until the broker has that.
pub(super) async fn latency(of: &Service, on: Backend, table: &mut Table) -> Result<(), String> {
    let seeded = Seeded::new(on, 1_000).await?;
    let nats = OwnNats::given(on).await?;
    let (roster, _) = serve(seeded.database.url(), &nats, seeded.users).await;
    let outcomes = Generator::of(&roster, Creates("told".to_owned())).at(RATE, 2 * of.each()).await;
    assert_eq!((outcomes.failed, outcomes.refused.len()), (Vec::new(), 0));
    let created = outcomes.done.len();
    let context = nats.client().await;
    once(async || messages(&context).await >= created).await;

    let stream = context.get_stream(OUT).await.expect("the stream is there");
    let consumer = stream.create_consumer(OrderedConfig::default()).await.expect("a stream can be read");
    let messages = consumer.messages().await.expect("a stream can be read");
    let took = messages.take(created).map(|message| {
        let message = message.expect("a message can be read");
        let event: Value = serde_json::from_slice(&message.payload).expect("an event");
        let time: DateTime<Utc> = event["time"].as_str().and_then(|time| time.parse().ok()).expect("a time");
        let kept = message.info().expect("a message tells when it was kept").published;
        (kept - time).to_std().unwrap_or_default()
    });
    let took: Vec<_> = took.collect().await;
    let latency = Some([50, 99].map(|of_hundred| percentile(&took, of_hundred)));
    table.note(on, "commit to broker", Figure { latency, ..Figure::of(RATE, "/s") });
    roster.kill().await;
    Ok(())
}

/// How many events of others are applied in a second: a tenth of the users, who are all new.
pub(super) async fn inbound(of: &Service, on: Backend, table: &mut Table) -> Result<(), String> {
    let events = of.users() / 10;
    let seeded = Seeded::new(on, 1_000).await?;
    let nats = OwnNats::given(on).await?;
    let context = nats.client().await;
    // The service makes the stream; it is away while others fill it.
    let (roster, _) = serve(seeded.database.url(), &nats, seeded.users).await;
    once(async || left(&context).await.is_some()).await;
    assert_eq!(roster.stop().await.code, Some(0));
    tell(&context, events).await;

    let (roster, _) = serve(seeded.database.url(), &nats, seeded.users).await;
    let first = once(async || left(&context).await.is_some_and(|left| left < events)).await;
    let before = left(&context).await.unwrap_or_default();
    let last = once(async || left(&context).await == Some(0)).await;
    let (took, stored) = (last - first, stored(&seeded.database).await);
    assert_eq!(stored, seeded.users + events, "each event took effect once");
    table.note(on, "events of others applied", Figure::of(before as f64 / took.as_secs_f64(), "/s"));
    roster.kill().await;
    Ok(())
}

/// How many events of others are not settled yet; `None` where nobody reads them.
async fn left(context: &Context) -> Option<usize> {
    let stream = context.get_stream(IN.0).await.ok()?;
    let consumer = stream.get_consumer::<Config>(IN.1).await.ok()?;
    let told = consumer.cached_info();
    usize::try_from(told.num_pending).ok()?.checked_add(told.num_ack_pending)
}

/// Publishes so many events, each of a person who is new.
async fn tell(context: &Context, events: usize) {
    let sent = stream::iter(0..events).map(async |nth| {
        let event = json!({
            "specversion": "1.0", "id": format!("event{nth}"), "source": "/hr", "type": "directory.person.saved",
            "data": {"email": format!("person{nth}@example.org"), "name": format!("Person {nth}")},
        });
        context.publish("directory.people.saved", event.to_string().into()).await?.await
    });
    let kept = sent.buffered(UNDER_WAY).try_for_each(async |_| Ok(())).await;
    kept.expect("the stream keeps what is told");
}

async fn stored(database: &Database) -> usize {
    let mut query = roster_domain::UserQuery::default();
    query.with_total = true;
    let page = database.ports().users.list(&query).await.expect("users can be listed");
    usize::try_from(page.total.expect("it was asked for")).expect("a number of users")
}
