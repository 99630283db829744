//! `PUT /users/{id}`.

use futures_util::future::join_all;
use serde_json::json;

use crate::kit::{Roster, USERS, new_user, suite, user_path};

suite![
    both_fields_are_replaced,
    what_was_read_can_be_put_back,
    the_same_values_in_another_spelling_change_nothing,
    a_missing_field_is_not_kept_but_refused,
    a_taken_email_is_refused_and_changes_nothing,
    a_freed_email_can_be_taken,
    a_user_that_is_not_there_is_not_created,
    of_concurrent_replacements_of_one_version_one_wins,
    concurrent_replacements_at_any_version_all_count,
];

async fn both_fields_are_replaced(roster: Roster) {
    let ada = roster.user("ada").await;
    let countess = json!({"email": " Countess@Example.org", "name": "Ada King "});

    let replaced = roster.put(&user_path(ada.id), &countess).await.user(200);

    assert_eq!((replaced.email.as_str(), replaced.name.as_str()), ("countess@example.org", "Ada King"));
    assert_eq!((replaced.id, replaced.version, &replaced.created_at), (ada.id, 2, &ada.created_at));
    assert!(replaced.updated_at >= ada.updated_at, "{replaced:?}");
    for path in [user_path(ada.id), user_path(ada.id) + "/"] {
        assert_eq!(roster.get(&path).await.user(200), replaced);
    }
    let again = roster.put(&(user_path(ada.id) + "/"), &new_user("ada")).await.user(200);
    assert_eq!((again.version, again.email), (3, ada.email));
}

async fn what_was_read_can_be_put_back(roster: Roster) {
    let ada = roster.user("ada").await;

    let put = roster.put(&user_path(ada.id), &ada.to_json()).header("If-Match", &ada.etag()).await;

    assert_eq!(put.user(200), ada);
    assert_eq!(roster.get(&user_path(ada.id)).await.user(200), ada);
    assert_eq!(roster.events().await.len(), 1, "what changes nothing is no event");
}

async fn the_same_values_in_another_spelling_change_nothing(roster: Roster) {
    let ada = roster.user("ada").await;
    let same = json!({"email": format!(" {} ", ada.email.to_uppercase()), "name": format!("{}\n", ada.name)});

    assert_eq!(roster.put(&user_path(ada.id), &same).await.user(200), ada);
    assert_eq!(roster.events().await.len(), 1);
}

async fn a_missing_field_is_not_kept_but_refused(roster: Roster) {
    let ada = roster.user("ada").await;
    let path = user_path(ada.id);

    roster.put(&path, &json!({"email": "new@example.org"})).await.violated_fields(&["name"]);
    roster.put(&path, &json!({"name": "New"})).await.violated_fields(&["email"]);

    assert_eq!(roster.get(&path).await.user(200), ada);
}

async fn a_taken_email_is_refused_and_changes_nothing(roster: Roster) {
    let (ada, bob) = (roster.user("ada").await, roster.user("bob").await);
    let taken = json!({"email": "ADA@example.org", "name": "Changed"});

    let answer = roster.put(&user_path(bob.id), &taken).await;

    answer.error_saying(400, "business_rule", "Email already exists");
    assert_eq!(roster.get(USERS).await.page().items, [ada, bob]);
    assert_eq!(roster.events().await.len(), 2);
}

async fn a_freed_email_can_be_taken(roster: Roster) {
    let (ada, bob) = (roster.user("ada").await, roster.user("bob").await);
    roster.put(&user_path(ada.id), &new_user("eve")).await.user(200);

    assert_eq!(roster.put(&user_path(bob.id), &new_user("ada")).await.user(200).email, ada.email);
}

async fn a_user_that_is_not_there_is_not_created(roster: Roster) {
    for id in [-1, 0, 1, i64::MAX] {
        let answer = roster.put(&user_path(id), &new_user("ada")).await;
        answer.error_saying(404, "not_found", &format!("User {id} not found"));
    }
    assert_eq!(roster.get(USERS).await.page().items, []);
}

async fn of_concurrent_replacements_of_one_version_one_wins(roster: Roster) {
    let ada = roster.user("ada").await;
    let rivals = (0..20).map(|nth| {
        let rival = json!({"email": ada.email, "name": format!("Rival {nth}")});
        roster.put(&user_path(ada.id), &rival).header("If-Match", &ada.etag()).into_future()
    });

    let answers = join_all(rivals).await;

    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status() == 200);
    for answer in &lost {
        answer.error(412, "precondition_failed");
    }
    assert_eq!((won.len(), lost.len()), (1, 19));
    let user = won[0].user(200);
    assert_eq!((user.version, &roster.get(&user_path(ada.id)).await.user(200)), (2, &user));
}

async fn concurrent_replacements_at_any_version_all_count(roster: Roster) {
    let ada = roster.user("ada").await;
    let writers = (0..20).map(|nth| {
        let changes = json!({"email": ada.email, "name": format!("Writer {nth}")});
        roster.put(&user_path(ada.id), &changes).into_future()
    });

    let mut versions: Vec<_> =
        join_all(writers).await.iter().map(|answer| answer.user(200).version).collect();

    versions.sort_unstable();
    assert_eq!(versions, (2..=21).collect::<Vec<_>>());
    assert_eq!(roster.events().await.len(), 21);
}
