use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use super::behaviours;
use super::cancellation::{POLLS, drop_after};
use super::given::{commit, email, many, name, new, receipt, rename, time, user};
use crate::ports::{EventLog, UserRepository, UserRepositoryError};
use crate::{
    Change, Event, Position, Precondition, TraceContext, User, UserChanges, UserFilter, UserId, UserQuery,
    Version,
};

/// The names of the behaviours, handed to another macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __events_behaviours {
    ([$($then:tt)+] $($with:tt)*) => {
        $($then)+! { [
            each_change_is_recorded_once_with_the_user_it_made,
            each_event_tells_the_trace_that_its_change_is_part_of,
            what_changes_nothing_records_nothing,
            what_fails_records_nothing,
            many_creates_record_one_event_each_in_their_order,
            a_repeated_receipt_records_nothing,
            a_page_of_events_begins_after_a_position,
            a_page_of_users_tells_the_newest_position,
            positions_have_no_gaps_and_versions_no_disorder_under_concurrent_writers,
            a_dropped_write_leaves_a_change_with_its_event_or_neither,
        ] $($with)* }
    };
}

__events_behaviours! {
    [behaviours]
    /// What a [`UserRepository`] and the [`EventLog`] on the same store promise together.
    EVENTS: EventsCheck(users, events)
}

/// All events, once those that were committed are in the feed.
async fn all(events: &dyn EventLog) -> Vec<Event> {
    events.sequence().await.expect("committed events get their positions");
    let all = events.read(Position::START, 10_000).await.expect("events can be read");
    let newest = events.newest().await.expect("the newest position can be read");
    assert_eq!(newest, all.last().map_or(Position::START, |event| event.position));
    all
}

async fn each_change_is_recorded_once_with_the_user_it_made(
    users: &dyn UserRepository,
    events: &dyn EventLog,
) {
    let created = user(users, "ada").await;
    let changes = UserChanges { email: Some(email("countess@example.org")), name: Some(name("Ada King")) };
    let updated = users.update(created.id, changes, Precondition::Any, commit(5)).await.unwrap().into_inner();
    users.delete(created.id, Precondition::Any, commit(9)).await.unwrap();

    let recorded = all(events).await;

    let expected = [
        (1, time(0), Change::UserCreated(created)),
        (2, time(5), Change::UserUpdated(updated.clone())),
        (3, time(9), Change::UserDeleted(updated)),
    ];
    let told = recorded.iter().map(|event| (event.position.get(), event.time, event.change.clone()));
    assert_eq!(told.collect::<Vec<_>>(), expected);
    let ids: BTreeSet<_> = recorded.iter().map(|event| event.id).collect();
    assert_eq!(ids.len(), 3, "each event has an id of its own");
    assert!(ids.iter().all(|id| id.as_uuid().get_version_num() == 7), "{ids:?}");
    assert_eq!(all(events).await, recorded, "an event is the same at each reading");
}

async fn each_event_tells_the_trace_that_its_change_is_part_of(
    users: &dyn UserRepository,
    events: &dyn EventLog,
) {
    let trace = |nth: u8, state| {
        let parent = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b{nth}-01");
        Some(TraceContext::parse(&parent, state).unwrap())
    };
    let traced = |nth, state| commit(1).traced(trace(nth, state));
    let created = users.create(new("ada"), traced(1, Some("a=1, b=2"))).await.unwrap().into_inner();
    users.update(created.id, rename("Ada King"), Precondition::Any, traced(2, None)).await.unwrap();
    users.delete(created.id, Precondition::Any, traced(3, None)).await.unwrap();
    users.create(new("eve"), traced(4, None).once(receipt("a"))).await.unwrap();
    let many = [("bob", traced(5, None)), ("cid", commit(1)), ("dan", traced(6, None))];
    let many = many.map(|(local, commit)| (new(local), commit)).into();
    users.create_many(many).await.unwrap().into_iter().for_each(|one| drop(one.unwrap()));

    let told: Vec<_> = all(events).await.into_iter().map(|event| event.trace).collect();

    let (first, others) = (trace(1, Some("a=1, b=2")), |nth| trace(nth, None));
    assert_eq!(told, [first, others(2), others(3), others(4), others(5), None, others(6)]);
}

async fn what_changes_nothing_records_nothing(users: &dyn UserRepository, events: &dyn EventLog) {
    let ada = user(users, "ada").await;
    users.update(ada.id, UserChanges::default(), Precondition::Any, commit(1)).await.unwrap();
    users.update(ada.id, new("ada").into(), Precondition::Any, commit(1)).await.unwrap();
    users.acknowledge(receipt("nothing"), time(1)).await.unwrap();

    assert_eq!(all(events).await.len(), 1);
}

async fn what_fails_records_nothing(users: &dyn UserRepository, events: &dyn EventLog) {
    let ada = user(users, "ada").await;
    let bob = user(users, "bob").await;
    let stale = Precondition::OneOf(vec![Version::FIRST.next()]);

    users.create(new("ada"), commit(1)).await.unwrap_err();
    users.update(bob.id, new("ada").into(), Precondition::Any, commit(1)).await.unwrap_err();
    users.update(ada.id, rename("Ada King"), stale.clone(), commit(1)).await.unwrap_err();
    users.delete(ada.id, stale, commit(1)).await.unwrap_err();
    users.create_many(vec![(new("ada"), commit(1))]).await.unwrap()[0].as_ref().unwrap_err();

    assert_eq!(all(events).await.len(), 2);
}

async fn many_creates_record_one_event_each_in_their_order(
    users: &dyn UserRepository,
    events: &dyn EventLog,
) {
    let created = many(users, 300).await;
    let expected: Vec<_> = created.into_iter().map(Change::UserCreated).collect();

    let told: Vec<_> = all(events).await.into_iter().map(|event| event.change).collect();

    assert_eq!(told, expected);
}

async fn a_repeated_receipt_records_nothing(users: &dyn UserRepository, events: &dyn EventLog) {
    let once = || commit(0).once(receipt("first"));
    users.create(new("ada"), once()).await.unwrap();
    users.create(new("ada"), once()).await.unwrap();
    users.create_many(vec![(new("ada"), once())]).await.unwrap()[0].as_ref().unwrap();

    assert_eq!(all(events).await.len(), 1);
}

async fn a_page_of_events_begins_after_a_position(users: &dyn UserRepository, events: &dyn EventLog) {
    many(users, 10).await;
    let recorded = all(events).await;

    let page = events.read(recorded[3].position, 4).await.unwrap();
    assert_eq!(page, recorded[4..8]);
    let last = events.read(recorded[7].position, 4).await.unwrap();
    assert_eq!(last, recorded[8..]);
    let none = events.read(recorded[9].position, 4).await.unwrap();
    assert_eq!(none, []);
}

async fn a_page_of_users_tells_the_newest_position(users: &dyn UserRepository, events: &dyn EventLog) {
    let nobody = UserFilter { email: Some(email("nobody@example.org")), ..UserFilter::default() };
    for count in [0, 3] {
        many(users, count).await;
        all(events).await;
        for (filter, with_total) in
            [(UserFilter::default(), false), (UserFilter::default(), true), (nobody.clone(), false)]
        {
            let query = UserQuery { filter, with_total, ..UserQuery::default() };
            let page = users.list(&query).await.unwrap();
            assert_eq!(page.newest, events.newest().await.unwrap(), "{query:?}");
        }
    }
}

async fn positions_have_no_gaps_and_versions_no_disorder_under_concurrent_writers(
    users: &dyn UserRepository,
    events: &dyn EventLog,
) {
    let rounds = (0..12).map(|n| async move {
        let mine = user(users, &format!("writer{n}")).await;
        for round in 0..4 {
            let renamed = rename(&format!("Round {round}"));
            users.update(mine.id, renamed, Precondition::Any, commit(round)).await.unwrap();
            events.sequence().await.unwrap();
        }
        users.create(new("everyone"), commit(9)).await.is_ok()
    });
    let won = join_all(rounds).await.into_iter().filter(|won| *won).count();
    assert_eq!(won, 1);

    let recorded = all(events).await;
    let positions: Vec<_> = recorded.iter().map(|event| event.position.get()).collect();
    assert_eq!(positions, (1..=12 * 5 + 1).collect::<Vec<_>>());
    assert_versions_in_order(&recorded);
}

/// Each user's events are those of its versions 1, 2, 3, …, in that order.
fn assert_versions_in_order(recorded: &[Event]) {
    let mut versions = BTreeMap::new();
    for event in recorded {
        let (Change::UserCreated(user) | Change::UserUpdated(user)) = &event.change else {
            continue;
        };
        let last = versions.entry(user.id).or_insert(0);
        assert_eq!(user.version.get(), *last + 1, "user {} at {}", user.id, event.position);
        *last += 1;
    }
}

async fn a_dropped_write_leaves_a_change_with_its_event_or_neither(
    users: &dyn UserRepository,
    events: &dyn EventLog,
) {
    let ada = user(users, "ada").await;
    for polls in POLLS {
        drop_after(polls, users.create(new(&format!("dropped{polls}")), commit(1))).await;
        let renamed = rename(&format!("Dropped after {polls}"));
        drop_after(polls, users.update(ada.id, renamed, Precondition::Any, commit(1))).await;
    }
    settle(users).await;

    let (recorded, ada) = at_rest(users, events, ada.id).await;
    assert_versions_in_order(&recorded);
    let subject = format!("users/{}", ada.id);
    let of_ada = recorded.iter().filter(|event| event.change.subject() == subject);
    assert_eq!(of_ada.count(), usize::try_from(ada.version.get()).unwrap());
    let created = recorded.iter().filter(|event| matches!(event.change, Change::UserCreated(_)));
    let query = UserQuery { with_total: true, ..UserQuery::default() };
    let total = users.list(&query).await.unwrap().total;
    assert_eq!(total, Some(created.count() as u64));
}

/// All events and a user, read while no dropped write changed the user.
async fn at_rest(users: &dyn UserRepository, events: &dyn EventLog, id: UserId) -> (Vec<Event>, User) {
    loop {
        let before = users.find(id).await.unwrap();
        let recorded = all(events).await;
        let after = users.find(id).await.unwrap().unwrap();
        if before.as_ref() == Some(&after) {
            return (recorded, after);
        }
    }
}

/// Waits until no create that was dropped is under way: each either took its e-mail or never will, once
/// the same e-mail was asked for again.
async fn settle(users: &dyn UserRepository) {
    for polls in POLLS {
        let again = users.create(new(&format!("dropped{polls}")), commit(3)).await;
        assert!(matches!(again, Ok(_) | Err(UserRepositoryError::EmailTaken)), "{again:?}");
    }
}
