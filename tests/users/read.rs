//! `GET /users/{id}`.

use crate::kit::{Roster, USERS, suite, user_path};

suite![
    a_user_is_read_with_its_entity_tag,
    head_tells_the_same_without_the_body,
    a_matching_entity_tag_is_not_modified,
    what_is_not_modified_tells_what_the_user_would_have_told,
    another_entity_tag_gets_the_user,
    an_entity_tag_that_is_not_quoted_is_malformed,
    a_changed_user_is_modified,
    an_id_that_no_user_has_is_not_found,
    an_id_that_is_no_integer_is_refused,
];

async fn a_user_is_read_with_its_entity_tag(roster: Roster) {
    let ada = roster.user("ada").await;
    for path in [user_path(ada.id), user_path(ada.id) + "/"] {
        assert_eq!(roster.get(&path).await.user(200), ada);
    }
}

async fn head_tells_the_same_without_the_body(roster: Roster) {
    let ada = roster.user("ada").await;
    let answer = roster.request("HEAD", &user_path(ada.id)).await;

    assert_eq!(answer.empty(200).header("etag"), ada.etag());
    roster.request("HEAD", &user_path(ada.id + 1)).await.empty(404);
}

async fn a_matching_entity_tag_is_not_modified(roster: Roster) {
    let path = user_path(roster.user("ada").await.id);
    for tag in [r#""1""#, r#"W/"1""#, "*", r#""7", "1""#, r#""x",W/"1" , "9""#] {
        let answer = roster.get(&path).header("If-None-Match", tag).await;
        assert_eq!(answer.empty(304).header("etag"), r#""1""#, "{tag}");
    }
    let answer = roster.get(&path).header("If-None-Match", r#""8""#).header("If-None-Match", r#""1""#).await;
    answer.empty(304);
}

async fn what_is_not_modified_tells_what_the_user_would_have_told(roster: Roster) {
    let path = user_path(roster.user("ada").await.id);
    let whole = roster.get(&path).await;
    for method in ["GET", "HEAD"] {
        let answer = roster.request(method, &path).header("If-None-Match", r#""1""#).await;
        answer.empty(304);
        for header in ["etag", "cache-control", "content-location", "vary"] {
            assert_eq!(answer.all(header), whole.all(header), "{header} (RFC 9110 §15.4.5)");
        }
        assert_eq!(answer.all("date").len(), 1);
        assert_eq!(answer.all("content-type"), [""; 0]);
    }
}

async fn another_entity_tag_gets_the_user(roster: Roster) {
    let ada = roster.user("ada").await;
    for tag in [
        r#""2""#,
        r#""0""#,
        r#""-1""#,
        r#""01""#,
        r#""one""#,
        r#""""#,
        r#""99999999999999999999""#,
        r#"W/"2", "3""#,
    ] {
        let answer = roster.get(&user_path(ada.id)).header("If-None-Match", tag).await;
        assert_eq!(answer.user(200), ada, "{tag}");
    }
}

async fn an_entity_tag_that_is_not_quoted_is_malformed(roster: Roster) {
    let path = user_path(roster.user("ada").await.id);
    for tag in ["1", "W/1", r#""1"#, r#"1""#, r#""1", 2"#, "one"] {
        let answer = roster.get(&path).header("If-None-Match", tag).await;
        answer.error(400, "malformed_request");
    }
}

async fn a_changed_user_is_modified(roster: Roster) {
    let ada = roster.user("ada").await;
    let path = user_path(ada.id);
    let changed = roster.patch(&path, &serde_json::json!({"name": "Ada King"})).await.user(200);

    assert_eq!(roster.get(&path).header("If-None-Match", &ada.etag()).await.user(200), changed);
    roster.get(&path).header("If-None-Match", &changed.etag()).await.empty(304);
}

async fn an_id_that_no_user_has_is_not_found(roster: Roster) {
    roster.user("ada").await;
    for id in [i64::MIN, -1, 0, 2, i64::MAX] {
        for path in [user_path(id), user_path(id) + "/"] {
            roster.get(&path).await.error_saying(404, "not_found", &format!("User {id} not found"));
        }
        let answer = roster.get(&user_path(id)).header("If-None-Match", "*").await;
        answer.error(404, "not_found");
    }
}

async fn an_id_that_is_no_integer_is_refused(roster: Roster) {
    for id in [
        "abc",
        "1.0",
        "1e3",
        "1a",
        "0x1",
        "9223372036854775808",
        "-9223372036854775809",
        "%20",
        "1%2C2",
        "٣",
        "--1",
        "%00",
    ] {
        for method in ["GET", "DELETE"] {
            roster.request(method, &user_path(id)).await.violated_fields(&["id"]);
        }
        let changes = serde_json::json!({"email": "ada@example.org", "name": "Ada"});
        roster.put(&user_path(id), &changes).await.violated_fields(&["id"]);
        roster.patch(&user_path(id), &changes).await.violated_fields(&["id"]);
    }
    roster.get(&format!("{USERS}/abc/")).await.violated_fields(&["id"]);
}
