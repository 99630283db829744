//! `If-Match` and `If-None-Match` (RFC 9110 §13.1) on every request of one user, and what is judged before what.

use serde_json::{Value, json};

use crate::kit::{Answer, Roster, suite, user_path};

suite![
    a_write_takes_effect_at_a_version_it_names,
    a_write_at_another_version_is_refused_and_changes_nothing,
    an_entity_tag_that_is_not_quoted_is_malformed,
    a_precondition_holds_for_what_changes_nothing_too,
    broken_rules_are_told_before_an_absent_user,
    an_absent_user_is_told_before_a_failed_precondition,
    a_failed_precondition_is_told_before_a_taken_email,
    a_write_leaves_alone_the_versions_it_excludes,
    a_read_gets_the_version_it_wants_or_none,
];

const WRITES: [&str; 3] = ["PUT", "PATCH", "DELETE"];

/// A write of any kind, on these conditions: each a line of its own.
async fn write(roster: &Roster, method: &str, id: i64, body: &Value, conditions: &[&str]) -> Answer {
    let mut request = roster.request(method, &user_path(id));
    if method != "DELETE" {
        request = request.json(body);
    }
    for condition in conditions {
        request = request.header("If-Match", condition);
    }
    request.await
}

async fn a_write_takes_effect_at_a_version_it_names(roster: Roster) {
    let conditions: [&[&str]; 6] = [
        &[r#""1""#],
        &["*"],
        &[r#""7", "1""#],
        &[r#""x","1" , W/"3""#],
        &[r#""7""#, r#""1""#],
        &[r#"W/"1", "1""#],
    ];
    for (nth, condition) in conditions.iter().enumerate() {
        for method in WRITES {
            let ada = roster.user(&format!("{}{nth}", method.to_lowercase())).await;
            let body = json!({"email": ada.email, "name": "Changed"});
            let answer = write(&roster, method, ada.id, &body, condition).await;
            if method == "DELETE" {
                answer.empty(204);
            } else {
                assert_eq!(answer.user(200).version, 2);
            }
        }
    }
}

async fn a_write_at_another_version_is_refused_and_changes_nothing(roster: Roster) {
    let ada = roster.user("ada").await;
    let body = json!({"email": ada.email, "name": "Changed"});
    let conditions: [&[&str]; 9] = [
        &[r#""2""#],
        &[r#""0""#],
        &[r#"W/"1""#],
        &[r#""2", "3""#],
        &[r#""2""#, r#""3""#],
        &[r#""one""#],
        &[r#""""#],
        &[r#""-1""#],
        &[r#""99999999999999999999""#],
    ];
    for condition in conditions {
        for method in WRITES {
            write(&roster, method, ada.id, &body, condition).await.error(412, "precondition_failed");
        }
    }
    assert_eq!(roster.get(&user_path(ada.id)).await.user(200), ada);
    assert_eq!(roster.events().await.len(), 1);
}

async fn an_entity_tag_that_is_not_quoted_is_malformed(roster: Roster) {
    let ada = roster.user("ada").await;
    let body = json!({"email": ada.email, "name": "Changed"});
    for condition in ["1", "W/1", r#""1"#, r#"1""#, r#""1", 2"#, "one", "'1'"] {
        for method in WRITES {
            let answer = write(&roster, method, ada.id, &body, &[condition]).await;
            answer.error(400, "malformed_request");
        }
    }
    assert_eq!(roster.get(&user_path(ada.id)).await.user(200), ada);
}

async fn a_precondition_holds_for_what_changes_nothing_too(roster: Roster) {
    let ada = roster.user("ada").await;
    for method in ["PUT", "PATCH"] {
        write(&roster, method, ada.id, &ada.to_json(), &[r#""2""#]).await.error(412, "precondition_failed");
        let answer = write(&roster, method, ada.id, &ada.to_json(), &[r#""1""#]).await;
        assert_eq!(answer.user(200), ada);
    }
}

async fn broken_rules_are_told_before_an_absent_user(roster: Roster) {
    let body = json!({"email": "ada", "name": "Ada"});
    for id in [4711, 0, -1] {
        for method in ["PUT", "PATCH"] {
            for conditions in [&[][..], &[r#""2""#]] {
                let answer = write(&roster, method, id, &body, conditions).await;
                answer.violations(&[("email", "Invalid email format")]);
            }
        }
    }
}

async fn an_absent_user_is_told_before_a_failed_precondition(roster: Roster) {
    let body = json!({"email": "ada@example.org", "name": "Ada"});
    for method in WRITES {
        for condition in [r#""1""#, "*", r#"W/"1""#] {
            let answer = write(&roster, method, 4711, &body, &[condition]).await;
            answer.error_saying(404, "not_found", "User 4711 not found");
        }
    }
}

async fn a_failed_precondition_is_told_before_a_taken_email(roster: Roster) {
    let (ada, bob) = (roster.user("ada").await, roster.user("bob").await);
    for method in ["PUT", "PATCH"] {
        let taken = json!({"email": ada.email, "name": "Bob"});
        write(&roster, method, bob.id, &taken, &[r#""2""#]).await.error(412, "precondition_failed");
        let answer = write(&roster, method, bob.id, &taken, &[r#""1""#]).await;
        answer.error_saying(400, "business_rule", "Email already exists");
    }
}

async fn a_write_leaves_alone_the_versions_it_excludes(roster: Roster) {
    let ada = roster.user("ada").await;
    let body = json!({"email": ada.email, "name": "Changed"});
    for excluded in ["*", r#""1""#, r#"W/"1""#, r#""7", "1""#] {
        for method in WRITES {
            let request = roster.request(method, &user_path(ada.id)).header("If-None-Match", excluded);
            let request = if method == "DELETE" { request } else { request.json(&body) };
            request.await.error(412, "precondition_failed");
        }
        let absent = roster.request("DELETE", &user_path(4711)).header("If-None-Match", excluded).await;
        absent.error(404, "not_found");
    }
    assert_eq!(roster.get(&user_path(ada.id)).await.user(200), ada);

    let both =
        roster.put(&user_path(ada.id), &body).header("If-Match", "*").header("If-None-Match", r#""2""#);
    assert_eq!(both.await.user(200).version, 2);
    roster.delete(&user_path(ada.id)).header("If-None-Match", r#""1""#).await.empty(204);
}

async fn a_read_gets_the_version_it_wants_or_none(roster: Roster) {
    let ada = roster.user("ada").await;
    let path = user_path(ada.id);
    for wanted in [r#""1""#, "*", r#""2", "1""#] {
        assert_eq!(roster.get(&path).header("If-Match", wanted).await.user(200), ada, "{wanted}");
    }
    for unwanted in [r#""2""#, r#"W/"1""#] {
        // If-Match is judged first (RFC 9110 §13.2.2).
        let answer = roster.get(&path).header("If-Match", unwanted).header("If-None-Match", "*").await;
        answer.error(412, "precondition_failed");
        roster.request("HEAD", &path).header("If-Match", unwanted).await.empty(412);
    }
    roster.get(&path).header("If-Match", "1").await.error(400, "malformed_request");
    roster.get(&user_path(4711)).header("If-Match", r#""1""#).await.error(404, "not_found");
}
