//! `POST /events`: what others tell.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::kit::{Answer, Database, EVENTS, Event, Http, Program, Roster, USERS, User, suite, user_path};

suite![
    a_person_who_was_saved_is_created_then_updated_by_e_mail,
    a_person_who_was_removed_is_deleted,
    the_same_event_has_one_effect_however_often_it_comes,
    the_same_event_five_times_at_once_has_one_effect,
    an_event_that_comes_again_after_a_crash_has_no_second_effect,
    the_same_id_of_another_source_is_another_event,
    a_repeated_removal_of_nobody_spares_who_came_since,
    a_batch_takes_effect_in_its_order,
    an_event_that_stands_twice_in_a_batch_takes_effect_once,
    a_batch_with_one_bad_event_has_no_effect_at_all,
    a_batch_tells_what_is_wrong_with_each_of_its_events,
    a_batch_tells_a_hundred_rules_that_it_breaks_and_that_there_are_more,
    what_nobody_asked_for_is_ignored_whatever_it_is,
    an_empty_batch_is_taken,
    an_event_or_a_batch_comes_by_its_media_type,
    what_is_no_event_is_told,
    each_rule_of_an_event_is_told,
    what_means_nothing_here_is_ignored,
    a_body_that_is_too_large_is_refused,
    a_trailing_slash_makes_no_difference,
];

const EVENT: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";

fn event(id: &str, kind: &str, data: &Value) -> Value {
    json!({"specversion": "1.0", "id": id, "source": "/hr", "type": format!("directory.person.{kind}"), "data": data})
}

/// An e-mail made of `local`, and a name.
fn saved(id: &str, local: &str, name: &str) -> Value {
    event(id, "saved", &json!({"email": format!("{local}@example.org"), "name": name}))
}

fn removed(id: &str, local: &str) -> Value {
    event(id, "removed", &json!({"email": format!("{local}@example.org")}))
}

async fn post_as(http: &Http, media_type: &str, body: &Value) -> Answer {
    http.request("POST", EVENTS).body(media_type, body.to_string()).await
}

async fn tell(http: &Http, event: &Value) -> Answer {
    post_as(http, EVENT, event).await
}

async fn tell_all(http: &Http, events: &[Value]) -> Answer {
    post_as(http, BATCH, &json!(events)).await
}

/// Everyone there is, by the part of their e-mail before the `@`, name and version.
async fn people(http: &Http) -> Vec<(String, String, i64)> {
    let page = http.get(&format!("{USERS}?limit=100")).await.page();
    assert_eq!(page.next, None);
    let short = |user: User| (user.email.replace("@example.org", ""), user.name, user.version);
    page.items.into_iter().map(short).collect()
}

fn one(local: &str, name: &str, version: i64) -> (String, String, i64) {
    (local.to_owned(), name.to_owned(), version)
}

/// What happened, by e-mail.
async fn told(roster: &Roster) -> Vec<String> {
    let short = |event: &Event| format!("{} {}", event.user.email.replace("@example.org", ""), event.told());
    roster.all_events().await.iter().map(short).collect()
}

async fn a_person_who_was_saved_is_created_then_updated_by_e_mail(roster: Roster) {
    tell(&roster, &saved("1", " ADA", " Ada ")).await.empty(202);
    assert_eq!(people(&roster).await, [one("ada", "Ada", 1)]);
    tell(&roster, &saved("2", "Ada", "Ada King")).await.empty(202);
    assert_eq!(people(&roster).await, [one("ada", "Ada King", 2)]);
    tell(&roster, &saved("3", "ada", "Ada King")).await.empty(202);
    assert_eq!(people(&roster).await, [one("ada", "Ada King", 2)]);
    assert_eq!(told(&roster).await, ["ada created 1", "ada updated 2"]);
}

async fn a_person_who_was_removed_is_deleted(roster: Roster) {
    let users = roster.users(2).await;
    tell(&roster, &removed("1", " USER0")).await.empty(202);
    roster.get(&user_path(users[0].id)).await.error(404, "not_found");
    assert_eq!(roster.get(&user_path(users[1].id)).await.user(200), users[1]);
    assert_eq!(told(&roster).await, ["user0 created 1", "user1 created 1", "user0 deleted 1"]);
}

// Seen to fail with a service that gives the repository no receipts.
async fn the_same_event_has_one_effect_however_often_it_comes(roster: Roster) {
    let sequence = [saved("1", "ada", "Ada"), saved("2", "ada", "Ada King"), saved("3", "bob", "Bob")];
    for event in sequence.iter().chain(&sequence) {
        tell(&roster, event).await.empty(202);
    }
    tell(&roster, &removed("4", "bob")).await.empty(202);
    // With another content it is the same event still.
    tell(&roster, &saved("1", "eve", "Eve")).await.empty(202);
    tell(&roster, &saved("5", "bob", "Bob again")).await.empty(202);
    tell(&roster, &removed("4", "bob")).await.empty(202);

    assert_eq!(people(&roster).await, [one("ada", "Ada King", 2), one("bob", "Bob again", 1)]);
    let expected = ["ada created 1", "ada updated 2", "bob created 1", "bob deleted 1", "bob created 1"];
    assert_eq!(told(&roster).await, expected);
}

// Seen to fail with a service that gives the repository no receipts.
async fn the_same_event_five_times_at_once_has_one_effect(roster: Roster) {
    let five = async |event: &Value| {
        for answer in join_all((0..5).map(|_| tell(&roster, event))).await {
            answer.empty(202);
        }
    };
    for round in 0..5 {
        let (local, id) = (format!("ada{round}"), |kind: &str| format!("{round}-{kind}"));
        five(&saved(&id("saved"), &local, "Ada")).await;
        five(&saved(&id("renamed"), &local, "Ada King")).await;
        five(&removed(&id("removed"), &local)).await;
        tell(&roster, &saved(&id("back"), &local, "Ada again")).await.empty(202);
        five(&removed(&id("removed"), &local)).await;
        five(&saved(&id("saved"), &local, "Ada")).await;
    }

    let mut expected = Vec::new();
    for round in 0..5 {
        let changes = ["created 1", "updated 2", "deleted 2", "created 1"];
        expected.extend(changes.map(|change| format!("ada{round} {change}")));
    }
    assert_eq!(told(&roster).await, expected);
}

// Seen to fail with a service that gives the repository no receipts.
async fn an_event_that_comes_again_after_a_crash_has_no_second_effect(database: Database) {
    let events = |round| {
        [
            saved(&format!("{round}-saved"), "ada", &format!("Ada {round}")),
            removed(&format!("{round}-removed"), "bob"),
            removed(&format!("{round}-nobody"), "eve"),
        ]
    };
    for round in 0..3 {
        let roster = Program::serving(&database).serve().await;
        tell(&roster, &saved(&format!("{round}-bob"), "bob", "Bob")).await.empty(202);
        tell_all(&roster, &events(round)).await.empty(202);
        roster.kill().await;

        let roster = Program::serving(&database).serve().await;
        tell(&roster, &saved(&format!("{round}-later"), "ada", &format!("Later {round}"))).await.empty(202);
        for local in ["bob", "eve"] {
            tell(&roster, &saved(&format!("{round}-{local}-back"), local, "Came since")).await.empty(202);
        }
        for event in events(round) {
            tell(&roster, &event).await.empty(202);
        }
        let (ada, version) = (format!("Later {round}"), 2 * (round + 1));
        let expected = [one("ada", &ada, version), one("bob", "Came since", 1), one("eve", "Came since", 1)];
        assert_eq!(people(&roster).await, expected);
        for local in ["bob", "eve"] {
            tell(&roster, &removed(&format!("{round}-{local}-gone"), local)).await.empty(202);
        }
    }
}

async fn the_same_id_of_another_source_is_another_event(roster: Roster) {
    let mut other = saved("1", "ada", "Ada King");
    other["source"] = json!("/payroll");
    tell(&roster, &saved("1", "ada", "Ada")).await.empty(202);
    tell(&roster, &other).await.empty(202);
    assert_eq!(people(&roster).await, [one("ada", "Ada King", 2)]);
    // An id and a source are compared as they are.
    for (nth, id) in ["1 ", "１", "01"].iter().enumerate() {
        tell(&roster, &saved(id, "ada", &format!("Other {nth}"))).await.empty(202);
    }
    assert_eq!(people(&roster).await, [one("ada", "Other 2", 5)]);
}

// Seen to fail with a service that acknowledges nothing where there is nobody to remove.
async fn a_repeated_removal_of_nobody_spares_who_came_since(roster: Roster) {
    tell(&roster, &removed("1", "user0")).await.empty(202);
    roster.users(1).await;
    tell(&roster, &removed("1", "user0")).await.empty(202);
    assert_eq!(people(&roster).await, [one("user0", "Name of user0", 1)]);
}

async fn a_batch_takes_effect_in_its_order(roster: Roster) {
    let events = [
        saved("1", "ada", "Ada"),
        saved("2", "bob", "Bob"),
        saved("3", "ada", "Ada King"),
        removed("4", "ada"),
        saved("5", "ada", "Ada again"),
    ];
    tell_all(&roster, &events).await.empty(202);
    // All of it again is nothing new.
    tell_all(&roster, &events).await.empty(202);
    assert_eq!(people(&roster).await, [one("bob", "Bob", 1), one("ada", "Ada again", 1)]);
    let expected = ["ada created 1", "bob created 1", "ada updated 2", "ada deleted 2", "ada created 1"];
    assert_eq!(told(&roster).await, expected);
}

async fn an_event_that_stands_twice_in_a_batch_takes_effect_once(roster: Roster) {
    let events = [saved("1", "ada", "Ada"), removed("2", "ada"), saved("1", "ada", "Ada")];
    tell_all(&roster, &events).await.empty(202);
    assert_eq!(people(&roster).await, []);
    let counted = &roster.measured().await["roster_inbound_events_total"];
    assert_eq!(["applied", "repeated"].map(|outcome| counted.sum(&[("outcome", outcome)])), [2.0, 1.0]);
}

/// Seen to fail where the good events of a batch were taken and the bad one was passed over.
async fn a_batch_with_one_bad_event_has_no_effect_at_all(roster: Roster) {
    let (good, other) = (saved("1", "ada", "Ada"), saved("3", "eve", "Eve"));
    let bad = event("2", "saved", &json!({"email": "bob", "name": "Bob"}));
    let answer = tell_all(&roster, &[good.clone(), bad, other]).await;
    answer.violations(&[("[1].data.email", "Event 1: Invalid email format")]);

    assert_eq!(people(&roster).await, []);
    tell(&roster, &good).await.empty(202);
    assert_eq!(people(&roster).await, [one("ada", "Ada", 1)]);
    assert_eq!(told(&roster).await, ["ada created 1"]);
}

async fn a_batch_tells_what_is_wrong_with_each_of_its_events(roster: Roster) {
    let unknown = event("1", "eaten", &json!({}));
    let nameless = event("3", "saved", &json!({"email": "ada@example.org"}));
    let answer = tell_all(&roster, &[unknown, saved("2", "ada", "Ada"), json!(7), nameless]).await;
    answer.violations(&[
        ("[0].type", "Event 0: Type must be directory.person.saved or directory.person.removed"),
        ("[2].body", "Event 2: Event must be a JSON object"),
        ("[3].data.name", "Event 3: Name is required"),
    ]);
    assert_eq!(people(&roster).await, []);
}

/// Seen to fail where each event of a batch had its rules told: a hundred thousand of them.
async fn a_batch_tells_a_hundred_rules_that_it_breaks_and_that_there_are_more(roster: Roster) {
    let mut events = vec![json!({}); 21_000];
    events[0] = saved("1", "ada", "Ada");
    let answer = tell_all(&roster, &events).await;
    let told = answer.error(422, "validation")["errors"].as_array().expect("rules are told").clone();
    assert_eq!((told.len(), &told[0]["field"]), (101, &json!("[1].specversion")));
    assert_eq!(told[100], json!({"field": "body", "message": "Only the first 100 broken rules are told"}));
    assert_eq!(people(&roster).await, []);
}

/// As of `POST /users`; seen to fail where all of an event was read as values.
async fn what_nobody_asked_for_is_ignored_whatever_it_is(roster: Roster) {
    let (good, odd) = (saved("1", "ada", "Ada").to_string(), saved("2", "bob", "Bob").to_string());
    let deep = format!("{{\"x\":{}{},", "[".repeat(500), "]".repeat(500));
    for odd in [
        odd.replace("\"name\":", "\"note\":\"Hi \\ud83d\",\"name\":"),
        odd.replacen('{', "{\"x\":1e999,", 1),
        odd.replacen('{', &deep, 1),
    ] {
        let batch = roster.request("POST", EVENTS).body(BATCH, format!("[{good},{odd}]")).await;
        batch.any_body(202);
        let one = roster.request("POST", EVENTS).body("application/cloudevents+json", odd).await;
        one.any_body(202);
    }
    let half = odd.replace("Bob", "B\\ud83d");
    let batch = roster.request("POST", EVENTS).body(BATCH, format!("[{good},{half}]")).await;
    batch.violations(&[("[1].data.name", "Event 1: Name must be valid Unicode")]);
    let one = roster.request("POST", EVENTS).body("application/cloudevents+json", half).await;
    one.violations(&[("data.name", "Name must be valid Unicode")]);
    assert_eq!(people(&roster).await.len(), 2);
}

async fn an_empty_batch_is_taken(roster: Roster) {
    tell_all(&roster, &[]).await.empty(202);
    assert_eq!(told(&roster).await, [""; 0]);
}

async fn an_event_or_a_batch_comes_by_its_media_type(roster: Roster) {
    let event = saved("1", "ada", "Ada");
    for media_type in ["application/json", "text/plain", "application/cloudevents", "application/x-ndjson"] {
        post_as(&roster, media_type, &event).await.error(415, "unsupported_media_type");
    }
    let untyped = roster.request("POST", EVENTS).untyped_body(event.to_string()).await;
    untyped.error(415, "unsupported_media_type");
    let bytes = post_as(&roster, "application/cloudevents+json; charset=iso-8859-1", &event).await;
    bytes.error(415, "unsupported_media_type");
    assert_eq!(people(&roster).await, []);
    post_as(&roster, "Application/CloudEvents+JSON; charset=UTF-8", &event).await.empty(202);
    assert_eq!(people(&roster).await, [one("ada", "Ada", 1)]);
}

async fn what_is_no_event_is_told(roster: Roster) {
    for media_type in [EVENT, BATCH] {
        for body in ["", "   ", "{", "{\"id\": }", "[1,]", "nonsense", "{} {}", "\u{feff}{}"] {
            let answer = roster.request("POST", EVENTS).body(media_type, body).await;
            answer.error(400, "malformed_request");
        }
        let answer = roster.request("POST", EVENTS).body(media_type, b"{\"id\": \"\xff\"}".to_vec()).await;
        answer.error(400, "malformed_request");
    }
    for no_object in [json!(null), json!(7), json!("text"), json!(true), json!([saved("1", "ada", "Ada")])] {
        tell(&roster, &no_object).await.violations(&[("body", "Event must be a JSON object")]);
    }
    for no_array in [json!(null), json!(7), json!("text"), json!({}), saved("1", "ada", "Ada")] {
        let answer = post_as(&roster, BATCH, &no_array).await;
        answer.violations(&[("body", "Request body must be a JSON array of events")]);
    }
}

async fn each_rule_of_an_event_is_told(roster: Roster) {
    let (long_id, long_source) = ("x".repeat(257), "x".repeat(385));
    let too_long = |field: &str, max: usize| format!("{field} must be at most {max} characters");
    let known = "Type must be directory.person.saved or directory.person.removed";
    for (member, value, field, message) in [
        ("specversion", json!(null), "specversion", "Specversion is required".into()),
        ("specversion", json!("0.3"), "specversion", "Specversion must be 1.0".into()),
        ("specversion", json!(1.0), "specversion", "Specversion must be a string".into()),
        ("id", json!(null), "id", "Id is required".into()),
        ("id", json!(""), "id", "Id is required".into()),
        ("id", json!(1), "id", "Id must be a string".into()),
        ("id", json!(long_id), "id", too_long("Id", 256)),
        ("id", json!("a\u{0}b"), "id", "Id must not contain control characters".into()),
        ("source", json!(null), "source", "Source is required".into()),
        ("source", json!(""), "source", "Source is required".into()),
        ("source", json!({}), "source", "Source must be a string".into()),
        ("source", json!(long_source), "source", too_long("Source", 384)),
        ("source", json!("/hr\n"), "source", "Source must not contain control characters".into()),
        ("type", json!(null), "type", "Type is required".into()),
        ("type", json!(7), "type", "Type must be a string".into()),
        ("type", json!("directory.person.Saved"), "type", known.into()),
        ("type", json!(""), "type", known.into()),
        ("time", json!("yesterday"), "time", "Time must be a time of RFC 3339".into()),
        ("time", json!(0), "time", "Time must be a string".into()),
        (
            "datacontenttype",
            json!("text/xml"),
            "datacontenttype",
            "Datacontenttype must be application/json".into(),
        ),
        ("data", json!(null), "data", "Data is required".into()),
        ("data", json!("text"), "data", "Data must be an object".into()),
        ("data", json!({"name": "Ada"}), "data.email", "Email is required".into()),
        ("data", json!({"email": "ada@example.org"}), "data.name", "Name is required".into()),
        ("data", json!({"email": [], "name": "Ada"}), "data.email", "Email must be a string".into()),
        ("data", json!({"email": "ada", "name": "Ada"}), "data.email", "Invalid email format".into()),
        (
            "data",
            json!({"email": "ada@example.org", "name": "A"}),
            "data.name",
            "Name must be at least 2 characters".into(),
        ),
    ] {
        let mut event = saved("1", "ada", "Ada");
        event[member] = value;
        let message: String = message;
        tell(&roster, &event).await.violations(&[(field, &message)]);
    }
    let nothing = tell(&roster, &json!({})).await;
    nothing.violated_fields(&["specversion", "id", "source", "type", "data"]);
    assert_eq!(people(&roster).await, []);
}

async fn what_means_nothing_here_is_ignored(roster: Roster) {
    let mut event = removed("1", "ada");
    event["time"] = json!("1985-04-12T23:20:50.52+01:00");
    event["datacontenttype"] = json!("application/vnd.hr+json; charset=utf-8");
    event["subject"] = json!(null);
    event["traceparent"] = json!("00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01");
    event["data"]["name"] = json!(7);
    tell(&roster, &event).await.empty(202);
}

async fn a_body_that_is_too_large_is_refused(roster: Roster) {
    let mut event = saved("1", "ada", "Ada");
    event["padding"] = json!("x".repeat(64 * 1024));
    tell(&roster, &event).await.error(413, "payload_too_large");
    tell_all(&roster, &[event]).await.error(413, "payload_too_large");
    assert_eq!(people(&roster).await, []);
}

async fn a_trailing_slash_makes_no_difference(roster: Roster) {
    let event = saved("1", "ada", "Ada").to_string();
    roster.request("POST", &format!("{EVENTS}/")).body(EVENT, event).await.empty(202);
    assert_eq!(people(&roster).await, [one("ada", "Ada", 1)]);
}
