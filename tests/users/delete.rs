//! `DELETE /users/{id}`.

use futures_util::future::join_all;
use serde_json::json;

use crate::kit::{Roster, USERS, new_user, suite, user_path};

suite![
    a_deleted_user_is_gone,
    a_deleted_user_leaves_its_email_free,
    a_user_that_is_not_there_is_not_found,
    of_concurrent_deletes_one_wins,
];

async fn a_deleted_user_is_gone(roster: Roster) {
    let (ada, bob) = (roster.user("ada").await, roster.user("bob").await);
    let path = user_path(ada.id);
    let message = format!("User {} not found", ada.id);

    roster.delete(&path).await.empty(204);

    roster.get(&path).await.error_saying(404, "not_found", &message);
    roster.put(&path, &new_user("ada")).await.error_saying(404, "not_found", &message);
    roster.patch(&path, &json!({"name": "Ada King"})).await.error_saying(404, "not_found", &message);
    roster.delete(&path).await.error_saying(404, "not_found", &message);
    assert_eq!(roster.get(USERS).await.page().items, std::slice::from_ref(&bob));
    roster.delete(&(user_path(bob.id) + "/")).await.empty(204);
    assert_eq!(roster.get(USERS).await.page().items, []);
    assert_eq!(roster.events().await.len(), 4);
}

async fn a_deleted_user_leaves_its_email_free(roster: Roster) {
    let ada = roster.user("ada").await;
    roster.delete(&user_path(ada.id)).await.empty(204);

    let again = roster.user("ada").await;

    assert_eq!((again.version, &again.email), (1, &ada.email));
    assert_ne!(again.id, ada.id);
}

async fn a_user_that_is_not_there_is_not_found(roster: Roster) {
    for id in [i64::MIN, -1, 0, 1, i64::MAX] {
        let answer = roster.delete(&user_path(id)).await;
        answer.error_saying(404, "not_found", &format!("User {id} not found"));
    }
}

async fn of_concurrent_deletes_one_wins(roster: Roster) {
    let path = user_path(roster.user("ada").await.id);

    let answers = join_all((0..20).map(|_| roster.delete(&path).into_future())).await;

    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status() == 204);
    for answer in &lost {
        answer.error(404, "not_found");
    }
    assert_eq!((won.len(), lost.len()), (1, 19));
    won[0].empty(204);
    assert_eq!(roster.events().await.len(), 2);
}
