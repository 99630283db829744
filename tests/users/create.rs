//! `POST /users`.

use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use roster_domain::Timestamp;
use serde_json::json;

use crate::kit::{Roster, USERS, new_user, suite, user_path};

suite![
    a_created_user_is_answered_as_it_is_stored,
    a_created_user_is_at_its_location,
    a_user_is_created_at_the_time_of_the_clock,
    an_email_is_trimmed_and_lowercased_and_a_name_trimmed,
    text_of_any_language_is_kept,
    members_that_are_not_named_are_ignored,
    a_taken_email_is_refused_however_it_is_written,
    a_refused_user_changes_nothing,
    of_fifty_concurrent_creates_of_one_email_one_wins,
    an_id_is_never_reused,
    a_trailing_slash_makes_no_difference,
];

async fn a_created_user_is_answered_as_it_is_stored(roster: Roster) {
    let ada = json!({"email": "ada@example.org", "name": "Ada Lovelace"});

    let created = roster.post(USERS, &ada).await.user(201);

    assert_eq!((created.email.as_str(), created.name.as_str()), ("ada@example.org", "Ada Lovelace"));
    assert_eq!((created.version, &created.created_at), (1, &created.updated_at));
    assert_eq!(roster.get(&user_path(created.id)).await.user(200), created);
}

async fn a_created_user_is_at_its_location(roster: Roster) {
    let answer = roster.post(USERS, &new_user("ada")).await;
    let created = answer.user(201);
    let location = answer.header("location");

    assert!(!location.contains("://") && !location.starts_with("//"), "{location} is relative");
    let target = roster.resolve(USERS, &location);
    assert_eq!(target, user_path(created.id));
    assert_eq!(roster.get(&target).await.user(200), created);
}

async fn a_user_is_created_at_the_time_of_the_clock(roster: Roster) {
    let now = || {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Timestamp::from_micros(i64::try_from(since_epoch.as_micros()).unwrap()).unwrap().to_string()
    };
    let before = now();
    let created = roster.user("ada").await;
    let after = now();

    // In this form, times are in order where their texts are.
    assert!(before <= created.created_at && created.created_at <= after, "{before} {created:?} {after}");
}

async fn an_email_is_trimmed_and_lowercased_and_a_name_trimmed(roster: Roster) {
    let raw = json!({"email": " \tAda.LÍVIA@Example.ORG\n", "name": "\u{3000} Ada  Lovelace\r\n"});

    let created = roster.post(USERS, &raw).await.user(201);

    assert_eq!((created.email.as_str(), created.name.as_str()), ("ada.lívia@example.org", "Ada  Lovelace"));
}

async fn text_of_any_language_is_kept(roster: Roster) {
    for (nth, name) in
        ["李坤", "कुवेर खड्गी", "אליאב ח'טיב", "e\u{301}\u{301}", "👩‍👩‍👧 %_\\'\"; --", "\u{10ffff}\u{10ffff}"]
            .into_iter()
            .enumerate()
    {
        let email = format!("用户{nth}@例え.jp");
        let created = roster.post(USERS, &json!({"email": email, "name": name})).await.user(201);
        assert_eq!((created.email.as_str(), created.name.as_str()), (email.as_str(), name));
        assert_eq!(roster.get(&user_path(created.id)).await.user(200), created);
    }
}

async fn members_that_are_not_named_are_ignored(roster: Roster) {
    let mut asked = new_user("ada");
    asked["id"] = json!(4711);
    asked["version"] = json!("nine");
    asked["created_at"] = json!(null);
    asked["role"] = json!({"of": ["any", "kind"]});

    let created = roster.post(USERS, &asked).await.user(201);

    assert_eq!(created.version, 1);
    assert_ne!(created.id, 4711);
}

async fn a_taken_email_is_refused_however_it_is_written(roster: Roster) {
    let ada = roster.user("ada").await;
    for email in ["ada@example.org", "ADA@Example.ORG", "  ada@example.org\n"] {
        let answer = roster.post(USERS, &json!({"email": email, "name": "Another"})).await;
        answer.error_saying(400, "business_rule", "Email already exists");
    }
    assert_eq!(roster.get(USERS).await.page().items, [ada]);
}

async fn a_refused_user_changes_nothing(roster: Roster) {
    roster.post(USERS, &json!({"email": "ada", "name": "A"})).await.error(422, "validation");
    roster.request("POST", USERS).body("application/json", "{").await.error(400, "malformed_request");
    roster.post(USERS, &json!([new_user("ada")])).await.error(422, "validation");

    assert_eq!(roster.get(USERS).await.page().items, []);
    assert_eq!(roster.events().await.len(), 0);
}

async fn of_fifty_concurrent_creates_of_one_email_one_wins(roster: Roster) {
    let rivals = (0..50).map(|nth| {
        let rival = json!({"email": "ada@example.org", "name": format!("Rival {nth}")});
        roster.post(USERS, &rival).into_future()
    });

    let answers = join_all(rivals).await;

    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status() == 201);
    for answer in &lost {
        answer.error_saying(400, "business_rule", "Email already exists");
    }
    assert_eq!((won.len(), lost.len()), (1, 49));
    assert_eq!(roster.get(USERS).await.page().items, [won[0].user(201)]);
    assert_eq!(roster.events().await.len(), 1);
}

async fn an_id_is_never_reused(roster: Roster) {
    let first = roster.user("ada").await;
    roster.delete(&user_path(first.id)).await.empty(204);

    let second = roster.user("ada").await;

    assert!(second.id > first.id, "{second:?}");
}

async fn a_trailing_slash_makes_no_difference(roster: Roster) {
    let created = roster.post(&format!("{USERS}/"), &new_user("ada")).await.user(201);
    assert_eq!(roster.get(USERS).await.page().items, [created]);
}
