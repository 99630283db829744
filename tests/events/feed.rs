//! `GET /events`: the feed in pages.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::kit::{
    Backend, Database, EVENTS, Event, Http, Program, Roster, USERS, User, assert_in_order, new_user, suite,
    user_path,
};

suite![
    each_change_is_one_event_in_the_order_of_versions,
    what_changes_nothing_or_fails_is_no_event,
    nothing_is_lost_or_told_twice_while_writers_write,
    who_reads_the_list_can_follow_on_without_loss,
    a_page_has_a_hundred_events_or_as_many_as_are_asked_for,
    a_last_page_has_no_link,
    a_link_keeps_the_size_of_the_page,
    a_part_begins_after_a_position_or_with_the_oldest,
    a_position_or_limit_that_is_out_of_range_is_told,
    a_reader_behind_what_is_kept_begins_again,
    nothing_is_published_again_from_where_nothing_is_yet,
    the_form_is_json_unless_a_stream_is_asked_for,
    a_trailing_slash_makes_no_difference,
    head_tells_the_same_without_the_body,
    another_method_is_told_which_there_are,
];

/// Far above what it takes.
const PATIENCE: Duration = Duration::from_secs(60);

const WRITERS: usize = 6;
const ROUNDS: usize = 12;
/// How many events a writer makes in a round.
const CHANGES: usize = 4;

/// Creates users, changes them, and deletes every second.
async fn write(http: Http, writer: usize) {
    for round in 0..ROUNDS {
        let user = http.user(&format!("writer{writer}-{round}")).await;
        http.patch(&user_path(user.id), &json!({"name": "Changed once"})).await.user(200);
        let changed = json!({"email": format!("moved{writer}-{round}@example.org"), "name": "Changed twice"});
        http.put(&user_path(user.id), &changed).await.user(200);
        let twice = json!({"email": changed["email"], "name": "Changed thrice"});
        match round % 2 {
            0 => drop(http.delete(&user_path(user.id)).await.empty(204)),
            _ => drop(http.put(&user_path(user.id), &twice).await.user(200)),
        }
    }
}

fn writers(http: &Http) -> Vec<JoinHandle<()>> {
    (0..WRITERS).map(|writer| tokio::spawn(write(http.clone(), writer))).collect()
}

/// Lets some transactions end later than others that began after them, as those of a busy server do: ids of events
/// then become visible out of their order.
async fn disorder(database: &Database) {
    if database.backend() == Backend::Postgres {
        let late = "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS \
                    'BEGIN PERFORM pg_sleep(0.05 * random()); RETURN NULL; END';
                    CREATE CONSTRAINT TRIGGER late AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED \
                    FOR EACH ROW WHEN (NEW.id % 3 = 0) EXECUTE FUNCTION late();";
        database.execute(late).await;
    }
}

fn told(events: &[Event]) -> Vec<String> {
    events.iter().map(Event::told).collect()
}

async fn each_change_is_one_event_in_the_order_of_versions(roster: Roster) {
    let created = roster.user("ada").await;
    let path = user_path(created.id);
    let replaced = roster.put(&path, &new_user("countess")).await.user(200);
    let patched = roster.patch(&path, &json!({"name": "Ada King"})).await.user(200);
    roster.delete(&path).await.empty(204);

    let events = roster.all_events().await;

    assert_in_order(&events, 1);
    assert_eq!(told(&events), ["created 1", "updated 2", "updated 3", "deleted 3"]);
    let users: Vec<_> = events.into_iter().map(|event| event.user).collect();
    assert_eq!(users, [created, replaced, patched.clone(), patched]);
}

async fn what_changes_nothing_or_fails_is_no_event(roster: Roster) {
    let ada = roster.user("ada").await;
    let path = user_path(ada.id);
    roster.put(&path, &new_user("ada")).await.user(200);
    roster.patch(&path, &json!({"name": ada.name})).await.user(200);
    roster.patch(&path, &json!({})).await.user(200);
    roster.post(USERS, &new_user("ada")).await.error(400, "business_rule");
    roster.post(USERS, &new_user("no e-mail")).await.error(422, "validation");
    let stale = roster.patch(&path, &json!({"name": "Lost"})).header("If-Match", "\"9\"").await;
    stale.error(412, "precondition_failed");
    roster.delete(&user_path(4711)).await.error(404, "not_found");

    assert_eq!(told(&roster.all_events().await), ["created 1"]);
}

// Seen to fail on PostgreSQL with events that get their id as their position when they are inserted.
async fn nothing_is_lost_or_told_twice_while_writers_write(roster: Roster) {
    disorder(roster.database()).await;
    let writers = writers(&roster);
    let mut read: Vec<Event> = Vec::new();
    let reading = async {
        while read.len() < WRITERS * ROUNDS * CHANGES {
            let after = read.last().map_or(0, |last| last.position);
            read.extend(roster.follow(after, 3).await);
            assert_in_order(&read, 1);
        }
    };
    timeout(PATIENCE, reading).await.expect("every change comes to its reader");
    join_all(writers).await.into_iter().for_each(|ended| ended.expect("a writer sees right answers"));

    assert_in_order(&read, 1);
    assert_eq!(roster.all_events().await, read, "what is read at leisure is what was read in haste");
}

async fn all_users(http: &Http) -> (BTreeMap<i64, User>, i64) {
    // Those that change most come first.
    let mut target = format!("{USERS}?limit=20&order=desc");
    let mut all = BTreeMap::new();
    let mut position = None;
    loop {
        let page = http.get(&target).await.page();
        // What comes after the first page is told again by the events after it.
        position.get_or_insert(page.position);
        all.extend(page.items.into_iter().map(|user| (user.id, user)));
        let Some(link) = page.link else { return (all, position.unwrap_or_default()) };
        target = http.resolve(&target, &link);
    }
}

// Seen to fail on PostgreSQL with events that get their id as their position when they are inserted, and on both
// databases, though not each time, with a list whose position is read after its users.
async fn who_reads_the_list_can_follow_on_without_loss(roster: Roster) {
    disorder(roster.database()).await;
    let writers = writers(&roster);
    let mut copies = Vec::new();
    while !writers.iter().all(JoinHandle::is_finished) {
        copies.push(all_users(&roster).await);
    }
    join_all(writers).await.into_iter().for_each(|ended| ended.expect("a writer sees right answers"));
    roster.fed_up_to(i64::try_from(WRITERS * ROUNDS * CHANGES).unwrap()).await;
    let (expected, _) = all_users(&roster).await;
    assert!(!copies.is_empty() && expected.len() == WRITERS * ROUNDS / 2);

    for (mut copy, position) in copies {
        let events = roster.follow(position, 100).await;
        assert_in_order(&events, position + 1);
        for Event { change, user, .. } in events {
            match change.as_str() {
                "deleted" => drop(copy.remove(&user.id)),
                _ => drop(copy.insert(user.id, user)),
            }
        }
        assert_eq!(copy, expected, "a copy made at {position} has missed something");
    }
}

async fn a_page_has_a_hundred_events_or_as_many_as_are_asked_for(roster: Roster) {
    let lines: Vec<_> = (0..1_001).map(|nth| new_user(&format!("user{nth}")).to_string()).collect();
    let import = roster.request("POST", &format!("{USERS}/import?report=errors"));
    let report = import.body("application/x-ndjson", lines.join("\n")).await.lines();
    assert_eq!(report.last().expect("a summary")["created"], 1_001);
    roster.fed_up_to(1_001).await;

    for (query, count) in [("", 100), ("limit=1000", 1_000), ("limit=101", 101)] {
        let page = roster.feed(query).await;
        assert_eq!((page.events.len(), page.link.is_some()), (count, true), "{query:?}");
    }
}

async fn a_last_page_has_no_link(roster: Roster) {
    assert_eq!(roster.feed("").await.link, None);
    roster.users(4).await;
    roster.fed_up_to(4).await;

    assert!(roster.feed("after=0&limit=2").await.link.is_some());
    assert_eq!(roster.feed("after=2&limit=2").await.link, None, "a page that is full");
    assert_eq!(roster.feed("after=3&limit=2").await.link, None);
    assert_eq!(roster.feed("after=4&limit=2").await.link, None);
}

async fn a_link_keeps_the_size_of_the_page(roster: Roster) {
    roster.users(5).await;
    roster.fed_up_to(5).await;
    let first = roster.feed("limit=2").await;
    let target = roster.resolve(&format!("{EVENTS}?limit=2"), &first.link.unwrap());
    assert_eq!(target, format!("{EVENTS}?limit=2&after=2"));
    assert_eq!(roster.get(&target).await.events().events.len(), 2);
    assert_in_order(&roster.follow(0, 2).await, 1);
    assert_eq!(roster.follow(0, 2).await.len(), 5);
}

async fn a_part_begins_after_a_position_or_with_the_oldest(roster: Roster) {
    let empty = roster.feed("").await;
    assert_eq!((empty.events, empty.position), (vec![], 0));
    let users = roster.users(3).await;
    roster.fed_up_to(3).await;

    let begin = roster.feed("").await;
    assert_in_order(&begin.events, 1);
    assert_eq!(begin.events.into_iter().map(|event| event.user).collect::<Vec<_>>(), users);
    for (query, first, count) in [("after=0", 1, 3), ("after=1", 2, 2), ("after=1&limit=1", 2, 1)] {
        let page = roster.feed(query).await;
        assert_in_order(&page.events, first);
        assert_eq!((page.events.len(), page.position), (count, 3), "{query}");
    }
    for beyond in ["3", "4", "9223372036854775807"] {
        let page = roster.feed(&format!("after={beyond}")).await;
        assert_eq!((page.events, page.link, page.position), (vec![], None, 3), "{beyond}");
    }
}

async fn a_position_or_limit_that_is_out_of_range_is_told(roster: Roster) {
    for limit in ["1", "100", "1000"] {
        roster.feed(&format!("limit={limit}")).await;
    }
    for limit in ["0", "1001", "-1", "abc", "1.5", "", "99999999999999999999"] {
        roster.get(&format!("{EVENTS}?limit={limit}")).await.violated_fields(&["limit"]);
    }
    for after in ["-1", "abc", "1.5", "", "%20", "9223372036854775808"] {
        roster.get(&format!("{EVENTS}?after={after}")).await.violated_fields(&["after"]);
        let stream = roster.get(&format!("{EVENTS}?after={after}")).stream().await;
        stream.err().expect("there is no such stream").violated_fields(&["after"]);
    }
    roster.get(&format!("{EVENTS}?after=-1&limit=0")).await.violated_fields(&["after", "limit"]);
}

/// A program that forgets events after some seconds, when it has forgotten three.
pub(super) async fn forgetful(database: &Database) -> Roster {
    let roster = Program::serving(database).and(["--events-retention", "0.00002"]).serve().await;
    roster.users(3).await;
    roster.fed_up_to(3).await;
    let forgotten = async {
        while roster.get(&format!("{EVENTS}?after=2")).await.status() != 410 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, forgotten).await.expect("old events are forgotten");
    roster
}

async fn a_reader_behind_what_is_kept_begins_again(database: Database) {
    let roster = forgetful(&database).await;
    for after in ["0", "1", "2"] {
        roster.get(&format!("{EVENTS}?after={after}")).await.error(410, "gone");
    }
    for query in ["", "after=3", "limit=1"] {
        let page = roster.feed(query).await;
        assert_eq!((page.events, page.link, page.position), (vec![], None, 3), "{query}");
    }
    let (users, position) = all_users(&roster).await;
    assert_eq!((users.len(), position), (3, 3));

    // Positions go on where they were.
    roster.user("late").await;
    roster.fed_up_to(4).await;
    assert_eq!(roster.feed("").await.position, 4);
}

async fn the_form_is_json_unless_a_stream_is_asked_for(roster: Roster) {
    roster.users(1).await;
    roster.fed_up_to(1).await;
    for accept in [
        "*/*",
        "application/json",
        "application/cloudevents-batch+json",
        "application/*",
        "application/json, text/event-stream;q=0.5",
    ] {
        assert_eq!(roster.get(EVENTS).header("Accept", accept).await.events().events.len(), 1, "{accept}");
    }
    for accept in ["text/html", "application/xml", "*/*;q=0"] {
        roster.get(EVENTS).header("Accept", accept).await.error(406, "not_acceptable");
    }
}

async fn a_trailing_slash_makes_no_difference(roster: Roster) {
    roster.users(2).await;
    roster.fed_up_to(2).await;
    let page = roster.get(&format!("{EVENTS}/?limit=1")).await.events();
    assert_in_order(&page.events, 1);
    let rest = roster.resolve(&format!("{EVENTS}/?limit=1"), &page.link.unwrap());
    assert_in_order(&roster.get(&rest).await.events().events, 2);
}

async fn head_tells_the_same_without_the_body(roster: Roster) {
    roster.users(2).await;
    roster.fed_up_to(2).await;
    let target = format!("{EVENTS}?limit=1");
    let got = roster.get(&target).await;
    got.events();
    let head = roster.request("HEAD", &target).await;
    for header in ["link", "roster-position", "content-type", "content-length"] {
        assert_eq!(head.empty(200).header(header), got.header(header), "{header}");
    }
}

async fn another_method_is_told_which_there_are(roster: Roster) {
    for method in ["PUT", "PATCH", "DELETE"] {
        let answer = roster.request(method, EVENTS).json(&json!({})).await;
        answer.error(405, "method_not_allowed");
        let mut allowed: Vec<_> =
            answer.header("allow").split(',').map(|method| method.trim().to_owned()).collect();
        allowed.sort();
        assert_eq!(allowed, ["GET", "HEAD", "OPTIONS", "POST"], "{}", answer.told());
    }
}

async fn nothing_is_published_again_from_where_nothing_is_yet(roster: Roster) {
    roster.users(2).await;
    let newest = roster.events().await.last().unwrap().position.get();
    let republish = |after: i64| {
        let after = after.to_string();
        Program::with(["republish", "--database-url", roster.database().url(), "--after", &after])
    };

    let exit = republish(newest + 1).run().await;

    assert_eq!((exit.code, exit.stdout.as_str()), (Some(2), ""), "{exit:?}");
    assert!(
        exit.stderr.contains("--after (ROSTER_REPUBLISH_AFTER): must be at most 2, the newest position"),
        "{exit:?}"
    );
    let exit = republish(newest).run().await;
    let told = format!("There are no events after {newest}: none will be published again\n");
    assert_eq!((exit.code, exit.stdout), (Some(0), told));
}
