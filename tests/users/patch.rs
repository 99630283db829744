//! `PATCH /users/{id}`, a JSON Merge Patch (RFC 7396).

use serde_json::json;

use crate::kit::{Roster, new_user, suite, user_path};

suite![
    a_patch_changes_what_it_names_and_nothing_else,
    a_patch_is_taken_as_either_media_type,
    a_patch_that_changes_nothing_leaves_the_version,
    members_that_are_not_named_are_ignored,
    a_taken_email_is_refused_and_changes_nothing,
    a_user_that_is_not_there_is_not_found,
    a_patch_of_another_media_type_is_refused,
];

async fn a_patch_changes_what_it_names_and_nothing_else(roster: Roster) {
    let ada = roster.user("ada").await;
    let path = user_path(ada.id);

    let renamed = roster.patch(&path, &json!({"name": " Ada King "})).await.user(200);
    assert_eq!((renamed.name.as_str(), &renamed.email, renamed.version), ("Ada King", &ada.email, 2));
    assert_eq!(renamed.created_at, ada.created_at);

    let moved = roster.patch(&(path.clone() + "/"), &json!({"email": "King@Example.org"})).await.user(200);
    assert_eq!(
        (moved.name.as_str(), moved.email.as_str(), moved.version),
        ("Ada King", "king@example.org", 3)
    );

    let both = roster.patch(&path, &new_user("ada")).await.user(200);
    assert_eq!((&both.name, &both.email, both.version), (&ada.name, &ada.email, 4));
    assert!(both.updated_at >= moved.updated_at && moved.updated_at >= renamed.updated_at);
    assert_eq!(roster.get(&path).await.user(200), both);
    assert_eq!(roster.events().await.len(), 4);
}

async fn a_patch_is_taken_as_either_media_type(roster: Roster) {
    let path = user_path(roster.user("ada").await.id);
    let types = [
        "application/merge-patch+json",
        "application/json",
        "application/json; charset=utf-8",
        "Application/Merge-Patch+JSON",
    ];
    for (nth, media_type) in types.into_iter().enumerate() {
        let renamed = json!({"name": format!("Name {nth}")}).to_string();
        let answer = roster.request("PATCH", &path).body(media_type, renamed).await;
        assert_eq!(answer.user(200).name, format!("Name {nth}"), "{media_type}");
    }
}

async fn a_patch_that_changes_nothing_leaves_the_version(roster: Roster) {
    let ada = roster.user("ada").await;
    let path = user_path(ada.id);
    for nothing in
        [json!({}), json!({"name": ada.name}), json!({"email": " ADA@example.org "}), ada.to_json()]
    {
        assert_eq!(roster.patch(&path, &nothing).await.user(200), ada);
    }
    assert_eq!(roster.events().await.len(), 1, "what changes nothing is no event");
}

async fn members_that_are_not_named_are_ignored(roster: Roster) {
    let ada = roster.user("ada").await;
    let patch = json!({"id": 99, "version": null, "created_at": [], "nobody": {"knows": null}});
    assert_eq!(roster.patch(&user_path(ada.id), &patch).await.user(200), ada);
}

async fn a_taken_email_is_refused_and_changes_nothing(roster: Roster) {
    let (ada, bob) = (roster.user("ada").await, roster.user("bob").await);

    let patch = json!({"email": ada.email, "name": "Changed"});
    let answer = roster.patch(&user_path(bob.id), &patch).await;

    answer.error_saying(400, "business_rule", "Email already exists");
    assert_eq!(roster.get(&user_path(bob.id)).await.user(200), bob);
}

async fn a_user_that_is_not_there_is_not_found(roster: Roster) {
    for id in [-1, 0, 1, i64::MAX] {
        for patch in [json!({}), json!({"name": "Ada King"})] {
            let answer = roster.patch(&user_path(id), &patch).await;
            answer.error_saying(404, "not_found", &format!("User {id} not found"));
        }
    }
}

async fn a_patch_of_another_media_type_is_refused(roster: Roster) {
    let path = user_path(roster.user("ada").await.id);
    for media_type in ["application/json-patch+json", "text/plain", "application/x-www-form-urlencoded"] {
        let answer = roster.request("PATCH", &path).body(media_type, r#"{"name": "Ada King"}"#).await;
        answer.error(415, "unsupported_media_type");
    }
}
