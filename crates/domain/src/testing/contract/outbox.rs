use super::behaviours;
use super::given::{commit, many, new, receipt, time, user};
use crate::ports::{EventLog, Outbox, SetAside, UserRepository};
use crate::{Commit, Event, Position, Receipt, Written};

/// The names of the behaviours, handed to another macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __outbox_behaviours {
    ([$($then:tt)+] $($with:tt)*) => {
        $($then)+! { [
            the_mark_begins_at_the_start_and_only_moves_on,
            what_is_unpublished_comes_after_the_mark_in_order,
            an_event_is_set_aside_once,
            what_was_set_aside_is_forgotten_where_it_is_tried_again,
            what_was_set_aside_is_forgotten_with_its_event,
            a_rewound_mark_has_events_published_again,
            a_mark_that_is_rewound_amid_publishing_stays_there,
            one_leads_at_a_time,
            what_is_published_and_old_is_pruned_in_batches,
            what_is_not_published_is_not_pruned,
            a_young_event_keeps_those_after_it,
            positions_go_on_after_all_events_were_pruned,
            expired_receipts_are_pruned_and_others_kept,
        ] $($with)* }
    };
}

__outbox_behaviours! {
    [behaviours]
    /// What an [`Outbox`] promises, with the [`UserRepository`] and the [`EventLog`] on the same store.
    OUTBOX: OutboxCheck(users, events, outbox)
}

fn position(number: i64) -> Position {
    Position::new(number).unwrap()
}

/// `count` events, all numbered, those of one second.
async fn recorded(users: &dyn UserRepository, events: &dyn EventLog, count: usize) {
    many(users, count).await;
    events.sequence().await.unwrap();
}

/// Moves the mark from wherever it is.
async fn published(outbox: &dyn Outbox, up_to: i64) {
    let from = outbox.published().await.unwrap();
    outbox.mark_published(from, position(up_to), Vec::new()).await.unwrap();
}

async fn waiting(outbox: &dyn Outbox, limit: usize) -> Vec<Event> {
    let waiting = outbox.unpublished(limit).await.unwrap().expect("there are some");
    assert_eq!(waiting.mark, outbox.published().await.unwrap());
    waiting.events
}

async fn kept(events: &dyn EventLog) -> Vec<i64> {
    events.sequence().await.unwrap();
    let events = events.read(Position::START, 1_000).await.unwrap();
    events.iter().map(|event| event.position.get()).collect()
}

async fn the_mark_begins_at_the_start_and_only_moves_on(
    users: &dyn UserRepository,
    events: &dyn EventLog,
    outbox: &dyn Outbox,
) {
    recorded(users, events, 5).await;
    assert_eq!(outbox.published().await.unwrap(), Position::START);
    for (mark, expected) in [(3, 3), (2, 3), (3, 3), (6, 3), (5, 5), (i64::MAX, 5)] {
        published(outbox, mark).await;
        assert_eq!(outbox.published().await.unwrap(), position(expected));
    }
}

async fn what_is_unpublished_comes_after_the_mark_in_order(
    users: &dyn UserRepository,
    events: &dyn EventLog,
    outbox: &dyn Outbox,
) {
    assert_eq!(outbox.unpublished(10).await.unwrap(), None);
    recorded(users, events, 9).await;
    let all = events.read(Position::START, 10).await.unwrap();

    assert_eq!(waiting(outbox, 4).await, all[..4]);
    published(outbox, 4).await;
    assert_eq!(waiting(outbox, 10).await, all[4..]);
    published(outbox, 9).await;
    assert_eq!(outbox.unpublished(10).await.unwrap(), None);
}

async fn an_event_is_set_aside_once(users: &dyn UserRepository, events: &dyn EventLog, outbox: &dyn Outbox) {
    recorded(users, events, 3).await;
    let aside = |reason: &str| SetAside { position: position(2), reason: reason.to_owned(), at: time(1) };

    outbox.mark_published(position(0), position(2), vec![aside("it is too large")]).await.unwrap();
    outbox.mark_published(position(2), position(3), vec![aside("again")]).await.unwrap();

    assert_eq!(outbox.published().await.unwrap(), position(3));
    assert_eq!(outbox.set_aside(10).await.unwrap(), [aside("it is too large")]);
}

/// Each second event of the first four, all of which were looked at.
async fn set_aside(users: &dyn UserRepository, events: &dyn EventLog, outbox: &dyn Outbox) {
    recorded(users, events, 5).await;
    let aside = |number| SetAside { position: position(number), reason: "too large".to_owned(), at: time(1) };
    outbox.mark_published(position(0), position(4), vec![aside(2), aside(4)]).await.unwrap();
}

async fn those_set_aside(outbox: &dyn Outbox) -> Vec<i64> {
    outbox.set_aside(10).await.unwrap().iter().map(|one| one.position.get()).collect()
}

async fn what_was_set_aside_is_forgotten_where_it_is_tried_again(
    users: &dyn UserRepository,
    events: &dyn EventLog,
    outbox: &dyn Outbox,
) {
    set_aside(users, events, outbox).await;
    for (to, left) in [(4, vec![2, 4]), (3, vec![2]), (2, vec![2]), (0, vec![])] {
        outbox.rewind(position(to)).await.unwrap();
        assert_eq!(those_set_aside(outbox).await, left, "after a rewind to {to}");
    }
}

async fn what_was_set_aside_is_forgotten_with_its_event(
    users: &dyn UserRepository,
    events: &dyn EventLog,
    outbox: &dyn Outbox,
) {
    set_aside(users, events, outbox).await;
    assert_eq!(outbox.prune_events(time(0), 10).await.unwrap(), 0, "they are not older");
    assert_eq!(those_set_aside(outbox).await, [2, 4]);
    for (pruned, left) in [(3, vec![4]), (1, vec![])] {
        assert_eq!(outbox.prune_events(time(1), 3).await.unwrap(), pruned);
        assert_eq!(those_set_aside(outbox).await, left);
    }
}

async fn a_rewound_mark_has_events_published_again(
    users: &dyn UserRepository,
    events: &dyn EventLog,
    outbox: &dyn Outbox,
) {
    recorded(users, events, 5).await;
    published(outbox, 4).await;
    for (to, expected) in [(5, 4), (2, 2), (3, 2)] {
        outbox.rewind(position(to)).await.unwrap();
        assert_eq!(outbox.published().await.unwrap(), position(expected));
    }
    assert_eq!(waiting(outbox, 10).await.len(), 3);
}

async fn a_mark_that_is_rewound_amid_publishing_stays_there(
    users: &dyn UserRepository,
    events: &dyn EventLog,
    outbox: &dyn Outbox,
) {
    recorded(users, events, 5).await;
    published(outbox, 3).await;
    let under_way = outbox.unpublished(10).await.unwrap().expect("there are two");

    outbox.rewind(position(1)).await.unwrap();
    let refused = SetAside { position: position(4), reason: "too large".to_owned(), at: time(1) };
    outbox.mark_published(under_way.mark, position(5), vec![refused]).await.unwrap();

    assert_eq!(outbox.published().await.unwrap(), position(1));
    assert_eq!(outbox.set_aside(10).await.unwrap(), [], "it is tried again");
}

async fn one_leads_at_a_time(_: &dyn UserRepository, _: &dyn EventLog, outbox: &dyn Outbox) {
    let mut first = outbox.lead().await.unwrap().expect("nobody leads");
    assert!(first.is_held().await);
    for _ in 0..3 {
        assert!(outbox.lead().await.unwrap().is_none(), "somebody leads");
    }
    drop(first);
    // A server may take a moment to see that a connection has ended.
    let mut second = loop {
        if let Some(lead) = outbox.lead().await.unwrap() {
            break lead;
        }
    };
    assert!(second.is_held().await);
    assert!(outbox.lead().await.unwrap().is_none(), "somebody leads again");
}

async fn what_is_published_and_old_is_pruned_in_batches(
    users: &dyn UserRepository,
    events: &dyn EventLog,
    outbox: &dyn Outbox,
) {
    recorded(users, events, 10).await;
    assert_eq!(events.pruned().await.unwrap(), Position::START);
    published(outbox, 9).await;

    assert_eq!(outbox.prune_events(time(0), 100).await.unwrap(), 0, "they are not older");
    for (pruned, in_all) in [(4, 4), (4, 8), (1, 9), (0, 9)] {
        assert_eq!(outbox.prune_events(time(1), 4).await.unwrap(), pruned);
        assert_eq!(events.pruned().await.unwrap(), position(in_all));
        assert_eq!(kept(events).await, (in_all + 1..=10).collect::<Vec<_>>());
    }
}

async fn what_is_not_published_is_not_pruned(
    users: &dyn UserRepository,
    events: &dyn EventLog,
    outbox: &dyn Outbox,
) {
    recorded(users, events, 3).await;
    assert_eq!(outbox.prune_events(time(9), 100).await.unwrap(), 0);
    assert_eq!(kept(events).await, [1, 2, 3]);
}

async fn a_young_event_keeps_those_after_it(
    users: &dyn UserRepository,
    events: &dyn EventLog,
    outbox: &dyn Outbox,
) {
    // The clocks of two programs differ.
    for (local, seconds) in [("ada", 1), ("bob", 5), ("eve", 2)] {
        users.create(new(local), commit(seconds)).await.unwrap();
        events.sequence().await.unwrap();
    }
    published(outbox, 3).await;

    assert_eq!(outbox.prune_events(time(4), 100).await.unwrap(), 1);
    assert_eq!(kept(events).await, [2, 3], "what is left has no gap");
}

async fn positions_go_on_after_all_events_were_pruned(
    users: &dyn UserRepository,
    events: &dyn EventLog,
    outbox: &dyn Outbox,
) {
    recorded(users, events, 5).await;
    published(outbox, 5).await;
    assert_eq!(outbox.prune_events(time(1), 100).await.unwrap(), 5);
    assert_eq!(kept(events).await, [0; 0]);
    assert_eq!(events.newest().await.unwrap(), position(5));
    assert_eq!(events.pruned().await.unwrap(), position(5));

    user(users, "late").await;
    assert_eq!(kept(events).await, [6]);
    assert_eq!(events.pruned().await.unwrap(), position(5));
}

async fn expired_receipts_are_pruned_and_others_kept(
    users: &dyn UserRepository,
    _: &dyn EventLog,
    outbox: &dyn Outbox,
) {
    let expiring = |name: &str, seconds| Receipt { expires_at: time(seconds), ..receipt(name) };
    for nth in 0..5 {
        users.acknowledge(expiring(&format!("old{nth}"), 10), time(0)).await.unwrap();
    }
    let young = || Commit::at(time(0)).once(expiring("young", 11));
    users.create(new("ada"), young()).await.unwrap();

    assert_eq!(outbox.prune_receipts(time(9), 100).await.unwrap(), 0);
    for pruned in [3, 2, 0] {
        assert_eq!(outbox.prune_receipts(time(10), 3).await.unwrap(), pruned);
    }
    let again = users.create(new("ada"), young()).await.unwrap();
    assert!(matches!(again, Written::Before(_)), "{again:?}");
}
