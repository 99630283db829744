//! The rules of a user, and how broken ones are told: the same for every request that brings values.

use serde_json::{Value, json};

use crate::kit::{Roster, USERS, new_user, suite, user_path};

const REQUIRED: (&str, &str) = ("email", "Email is required");
const FORMAT: (&str, &str) = ("email", "Invalid email format");
const SHORT: (&str, &str) = ("name", "Name must be at least 2 characters");

suite![
    an_email_that_is_empty_or_blank_is_required,
    an_email_without_its_form_is_invalid,
    an_email_of_any_valid_form_is_taken,
    a_name_that_is_too_short_is_refused,
    every_broken_rule_is_listed,
    fields_that_are_missing_or_null_are_named,
    a_wrong_type_joins_the_list_of_broken_rules,
    lengths_are_counted_in_characters,
    control_characters_are_refused,
    half_a_surrogate_pair_is_no_text,
    what_nobody_asked_for_is_ignored_whatever_it_is,
    json_that_is_no_object_is_refused,
    a_patch_breaks_the_same_rules,
];

/// What is answered where a user is made, and where one is replaced.
async fn refused(roster: &Roster, body: &Value, expected: &[(&str, &str)]) {
    roster.post(USERS, body).await.violations(expected);
    roster.put(&user_path(1), body).await.violations(expected);
}

async fn refused_for(roster: &Roster, body: &Value, fields: &[&str]) {
    roster.post(USERS, body).await.violated_fields(fields);
    roster.put(&user_path(1), body).await.violated_fields(fields);
}

fn email(email: &str) -> Value {
    json!({"email": email, "name": "Ada Lovelace"})
}

fn name(name: &str) -> Value {
    json!({"email": "ada@example.org", "name": name})
}

async fn an_email_that_is_empty_or_blank_is_required(roster: Roster) {
    for blank in ["", " ", "\t\n", "\u{3000}"] {
        refused(&roster, &email(blank), &[REQUIRED]).await;
    }
}

async fn an_email_without_its_form_is_invalid(roster: Roster) {
    for invalid in [
        "ada",
        "ada@",
        "@example.org",
        "ada@example",
        "ada@.",
        "ada@example.",
        "ada@.org",
        "a@b@c.org",
        "a b@c.org",
        "a@b c.org",
        "a@b\u{2003}.c",
    ] {
        refused(&roster, &email(invalid), &[FORMAT]).await;
    }
}

async fn an_email_of_any_valid_form_is_taken(roster: Roster) {
    for valid in ["a@b.c", "a@b..c", "a+b@c.d.e", "\"@x.y", "'--@x.y", "用户@例え.jp", "%00@x.y"] {
        let created = roster.post(USERS, &email(valid)).await.user(201);
        assert_eq!(created.email, valid);
    }
}

async fn a_name_that_is_too_short_is_refused(roster: Roster) {
    for short in ["", " ", "A", " 界\u{3000}", "\n\n"] {
        refused(&roster, &name(short), &[SHORT]).await;
    }
}

async fn every_broken_rule_is_listed(roster: Roster) {
    refused(&roster, &json!({"email": "", "name": ""}), &[REQUIRED, SHORT]).await;
    refused(&roster, &json!({"name": "A", "email": "ada"}), &[FORMAT, SHORT]).await;
    // That of the path is one of them.
    let no_id = format!("{USERS}/ada");
    let id = ("id", "Id must be a 64-bit integer");
    roster.put(&no_id, &json!({"name": "A"})).await.violations(&[id, REQUIRED, SHORT]);
    roster.patch(&no_id, &json!({"name": "A"})).await.violations(&[id, SHORT]);
    roster.put(&no_id, &json!({})).header("If-Match", "1").await.error(400, "malformed_request");
    roster.request("PUT", &no_id).body("text/plain", "{}").await.error(415, "unsupported_media_type");
    roster.get(&no_id).await.violations(&[id]);
    roster.delete(&no_id).await.violations(&[id]);
}

async fn fields_that_are_missing_or_null_are_named(roster: Roster) {
    refused_for(&roster, &json!({}), &["email", "name"]).await;
    refused_for(&roster, &json!({"email": null, "name": null}), &["email", "name"]).await;
    refused_for(&roster, &json!({"email": "ada@example.org"}), &["name"]).await;
    refused_for(&roster, &json!({"email": "ada@example.org", "name": null}), &["name"]).await;
    refused(&roster, &json!({"name": "Ada"}), &[REQUIRED]).await;
    refused(&roster, &json!({"Email": "ada@example.org", "name": "Ada"}), &[REQUIRED]).await;
}

async fn a_wrong_type_joins_the_list_of_broken_rules(roster: Roster) {
    for wrong in [json!(5), json!(true), json!(["ada@example.org"]), json!({"a": "b"}), json!(1.5)] {
        refused_for(&roster, &json!({"email": wrong, "name": "Ada"}), &["email"]).await;
        refused_for(&roster, &json!({"email": "ada@example.org", "name": wrong}), &["name"]).await;
        refused_for(&roster, &json!({"email": wrong, "name": wrong}), &["email", "name"]).await;
        let body = roster.post(USERS, &json!({"email": wrong, "name": "A"})).await.error(422, "validation");
        let told = body["errors"].as_array().unwrap();
        assert!(told.contains(&json!({"field": "name", "message": SHORT.1})), "{body}");
        assert!(told.iter().any(|one| one["field"] == "email"), "{body}");
    }
}

async fn lengths_are_counted_in_characters(roster: Roster) {
    let emails = |length: usize| format!("{}@界.例", "é".repeat(length - 4));
    let names = |length: usize| "界".repeat(length);

    let created =
        roster.post(USERS, &json!({"email": format!(" {} ", emails(254)), "name": names(200)})).await;
    let created = created.user(201);
    assert_eq!((created.email, created.name), (emails(254), names(200)));
    roster.post(USERS, &json!({"email": "short@example.org", "name": "李坤"})).await.user(201);
    refused_for(&roster, &email(&emails(255)), &["email"]).await;
    refused_for(&roster, &name(&names(201)), &["name"]).await;
    refused_for(&roster, &json!({"email": emails(255), "name": names(201)}), &["email", "name"]).await;
}

async fn control_characters_are_refused(roster: Roster) {
    for control in ['\0', '\u{1}', '\u{7}', '\u{1b}', '\u{7f}', '\u{9f}'] {
        refused_for(&roster, &name(&format!("Ada{control}Lovelace")), &["name"]).await;
        refused_for(&roster, &email(&format!("a{control}da@example.org")), &["email"]).await;
    }
    refused_for(&roster, &name("Ada\tLovelace"), &["name"]).await;
    let escaped = r#"{"email": "a\u0000@example.org", "name": "\u0000da"}"#;
    let answer = roster.request("POST", USERS).body("application/json", escaped).await;
    answer.violated_fields(&["email", "name"]);
}

async fn half_a_surrogate_pair_is_no_text(roster: Roster) {
    let body = r#"{"email": "a@b.c", "name": "\ud800da"}"#;
    for (method, path) in [("POST", USERS.to_owned()), ("PUT", user_path(1)), ("PATCH", user_path(1))] {
        let answer = roster.request(method, &path).body("application/json", body).await;
        answer.violations(&[("name", "Name must be valid Unicode")]);
    }
}

async fn what_nobody_asked_for_is_ignored_whatever_it_is(roster: Roster) {
    let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    for (nth, ignored) in ["1e999", r#""\ud800""#, "null", &deep].into_iter().enumerate() {
        let body = format!(r#"{{"id": {ignored}, "email": "a{nth}@b.c", "name": "Ada"}}"#);
        roster.request("POST", USERS).body("application/json", body).await.user(201);
    }
}

async fn json_that_is_no_object_is_refused(roster: Roster) {
    for body in [json!([]), json!([new_user("ada")]), json!("ada"), json!(7), json!(true), json!(null)] {
        roster.post(USERS, &body).await.error(422, "validation");
        roster.put(&user_path(1), &body).await.error(422, "validation");
        roster.patch(&user_path(1), &body).await.error(422, "validation");
    }
}

async fn a_patch_breaks_the_same_rules(roster: Roster) {
    let ada = roster.user("ada").await;
    let path = user_path(ada.id);
    for (patch, expected) in [
        (json!({"email": " "}), vec![REQUIRED]),
        (json!({"email": "ada"}), vec![FORMAT]),
        (json!({"name": "A"}), vec![SHORT]),
        (json!({"email": "@", "name": ""}), vec![FORMAT, SHORT]),
    ] {
        roster.patch(&path, &patch).await.violations(&expected);
    }
    // To a merge patch, null removes a member; a user has to have both.
    for (patch, fields) in [
        (json!({"email": null}), vec!["email"]),
        (json!({"name": null}), vec!["name"]),
        (json!({"email": 1, "name": []}), vec!["email", "name"]),
        (json!({"name": "Ada\u{0}"}), vec!["name"]),
        (json!({"name": "界".repeat(201)}), vec!["name"]),
    ] {
        roster.patch(&path, &patch).await.violated_fields(&fields);
    }
    assert_eq!(roster.get(&path).await.user(200), ada);
}
