use std::collections::BTreeSet;

use futures_util::future::join_all;
use uuid::Uuid;

use super::StagedBroker;
use super::behaviours;
use super::cancellation::{POLLS, drop_after};
use super::given::{named, time};
use crate::ports::PublishError;
use crate::{Change, Event, EventId, Name, Position, TraceContext, User, UserId};

/// The names of the behaviours, handed to another macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __publisher_behaviours {
    ([$($then:tt)+] $($with:tt)*) => {
        $($then)+! { [
            what_is_published_is_kept_in_its_order,
            every_kind_of_change_is_published,
            no_events_have_no_outcomes,
            an_event_that_is_published_again_is_kept_once,
            an_event_that_is_refused_for_good_holds_up_no_other,
            a_broker_that_is_away_takes_each_event_later,
            calls_at_once_keep_what_each_of_them_publishes,
            a_dropped_call_harms_no_later_one,
        ] $($with)* }
    };
}

__publisher_behaviours! {
    [behaviours]
    /// What an [`EventPublisher`](crate::ports::EventPublisher) promises.
    PUBLISHER: PublisherCheck(broker)
}

/// What happened to a user of this name, at a position.
fn event_of(position: u8, name: &str, change: fn(User) -> Change) -> Event {
    let (seconds, number) = (i64::from(position), i64::from(position));
    let new = named(&format!("user{position}"), name);
    let user = User::created(UserId::new(number).unwrap(), new, time(seconds));
    Event {
        id: EventId::new(time(seconds), Uuid::from_u128(position.into())),
        position: Position::new(number).unwrap(),
        time: time(seconds),
        change: change(user),
        trace: None,
    }
}

/// An event of a user of its own.
fn event(position: u8) -> Event {
    event_of(position, "Ada Lovelace", Change::UserCreated)
}

fn ids(events: &[Event]) -> Vec<EventId> {
    events.iter().map(|event| event.id).collect()
}

/// Publishes events that the broker takes.
async fn published(broker: &dyn StagedBroker, events: &[Event]) {
    let outcomes = broker.publisher().publish(events).await;
    assert_eq!(outcomes.len(), events.len(), "each event has an outcome: {outcomes:?}");
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
}

async fn what_is_published_is_kept_in_its_order(broker: &dyn StagedBroker) {
    assert_eq!(broker.kept().await, []);
    let events: Vec<_> = (1..=40).map(event).collect();

    published(broker, &events[..1]).await;
    assert_eq!(broker.kept().await, ids(&events[..1]), "it is kept once that was told");
    published(broker, &events[1..]).await;

    assert_eq!(broker.kept().await, ids(&events));
}

async fn every_kind_of_change_is_published(broker: &dyn StagedBroker) {
    let kinds = [Change::UserCreated, Change::UserUpdated, Change::UserDeleted];
    let mut events: Vec<_> = (1..).zip(kinds).map(|(nth, kind)| event_of(nth, "Ada", kind)).collect();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    events[1].trace = TraceContext::parse(trace, Some("a=1"));
    for one in &events {
        published(broker, std::slice::from_ref(one)).await;
    }
    assert_eq!(broker.kept().await, ids(&events));
}

async fn no_events_have_no_outcomes(broker: &dyn StagedBroker) {
    published(broker, &[]).await;
    assert_eq!(broker.kept().await, []);
}

async fn an_event_that_is_published_again_is_kept_once(broker: &dyn StagedBroker) {
    let events: Vec<_> = (1..=6).map(event).collect();
    published(broker, &events[..4]).await;
    published(broker, &events[..2]).await;
    published(broker, &events[2..]).await;

    assert_eq!(broker.kept().await, ids(&events));
}

async fn an_event_that_is_refused_for_good_holds_up_no_other(broker: &dyn StagedBroker) {
    broker.refuse_the_longest_names().await;
    let mut events: Vec<_> = (1..=5).map(event).collect();
    events[2] = event_of(3, &"\u{10000}".repeat(Name::MAX_CHARS), Change::UserCreated);

    for _ in 0..2 {
        let outcomes = broker.publisher().publish(&events).await;
        assert_eq!(outcomes.len(), events.len(), "each event has an outcome: {outcomes:?}");
        for (nth, outcome) in outcomes.iter().enumerate() {
            let refused = matches!(outcome, Err(PublishError::Refused(_)));
            assert!(if nth == 2 { refused } else { outcome.is_ok() }, "{nth}: {outcome:?}");
        }
    }
    events.remove(2);
    assert_eq!(broker.kept().await, ids(&events));
}

async fn a_broker_that_is_away_takes_each_event_later(broker: &dyn StagedBroker) {
    let events: Vec<_> = (1..=6).map(event).collect();
    published(broker, &events[..3]).await;
    broker.take_away().await;

    let outcomes = broker.publisher().publish(&events[3..]).await;
    assert_eq!(outcomes.len(), 3, "each event has an outcome: {outcomes:?}");
    for outcome in outcomes {
        assert!(matches!(outcome, Err(PublishError::Unavailable(_))), "it may succeed later: {outcome:?}");
    }

    broker.bring_back().await;
    published(broker, &events[3..]).await;
    assert_eq!(broker.kept().await, ids(&events));
}

async fn calls_at_once_keep_what_each_of_them_publishes(broker: &dyn StagedBroker) {
    let calls: Vec<Vec<_>> = (0..8).map(|call| (1..=5).map(|nth| event(call * 5 + nth)).collect()).collect();

    join_all(calls.iter().map(|events| published(broker, events))).await;

    let kept = broker.kept().await;
    assert_eq!(kept.len(), 40);
    assert_eq!(kept.iter().collect::<BTreeSet<_>>().len(), 40);
    for events in &calls {
        let of_call: Vec<_> = kept.iter().copied().filter(|id| ids(events).contains(id)).collect();
        assert_eq!(of_call, ids(events), "the events of a call are in their order");
    }
}

async fn a_dropped_call_harms_no_later_one(broker: &dyn StagedBroker) {
    let events: Vec<_> = (1..).zip(POLLS).map(|(nth, _)| event(nth)).collect();
    for (one, polls) in events.iter().zip(POLLS) {
        let one = std::slice::from_ref(one);
        drop_after(polls, broker.publisher().publish(one)).await;
        published(broker, one).await;
    }
    assert_eq!(broker.kept().await, ids(&events));
}
