//! CORS: `--cors-origin`.

use crate::kit::{Answer, OnSqlite, Program, Roster, USERS, new_user, suite, user_path};

suite![
    without_the_setting_nothing_is_said,
    a_page_of_a_named_origin_may_use_the_api,
    a_page_of_another_origin_is_not_told_that_it_may,
    errors_can_be_read_as_well,
    an_error_in_place_of_an_answer_can_be_read_as_well,
    all_origins_can_be_named_at_once,
    an_origin_that_is_none_is_told_at_the_start,
];

const APP: &str = "https://app.example.org";
const MAY: &str = "access-control-allow-origin";

async fn serving(OnSqlite(database): &OnSqlite, origins: &str) -> Roster {
    Program::serving(database).env("ROSTER_CORS_ORIGIN", origins).serve().await
}

/// What a browser asks before it sends a page's `PATCH`.
async fn preflight(roster: &Roster, origin: &str) -> Answer {
    let request = roster.request("OPTIONS", &user_path(1)).header("Origin", origin);
    let request = request.header("Access-Control-Request-Method", "PATCH");
    request.header("Access-Control-Request-Headers", "content-type,if-match").await
}

async fn without_the_setting_nothing_is_said(roster: Roster) {
    let answer = preflight(&roster, APP).await;
    assert!(!answer.empty(204).has(MAY));
    assert!(!roster.get(USERS).header("Origin", APP).await.any_body(200).has(MAY));
}

async fn a_page_of_a_named_origin_may_use_the_api(database: OnSqlite) {
    let roster = serving(&database, "http://localhost:3000,https://app.example.org").await;
    for origin in [APP, "http://localhost:3000"] {
        let answer = preflight(&roster, origin).await;
        assert_eq!(answer.any_body(200).header(MAY), origin);
        assert!(answer.header("access-control-allow-methods").contains("PATCH"));
        assert!(answer.header("access-control-allow-headers").contains("if-match"));
        let answer = roster.get(USERS).header("Origin", origin).await;
        assert_eq!(answer.any_body(200).header(MAY), origin);
        let readable = answer.header("access-control-expose-headers").to_lowercase();
        for name in [
            "allow",
            "content-disposition",
            "etag",
            "idempotency-replayed",
            "link",
            "location",
            "retry-after",
            "roster-position",
            "x-request-id",
        ] {
            assert!(readable.contains(name), "{name}: {readable}");
        }
        assert!(answer.header("vary").to_lowercase().contains("origin"));
    }
    let export = roster.get(&format!("{USERS}/export")).header("Origin", APP).await;
    let varies = export.any_body(200).header("vary").to_lowercase();
    for name in ["accept", "accept-encoding", "origin"] {
        assert!(varies.split(',').any(|said| said.trim() == name), "{name}: {varies}");
    }
    let created = roster.post(USERS, &new_user("ada")).header("Origin", APP).await;
    created.user(201);
    assert_eq!(created.header(MAY), APP);
}

async fn a_page_of_another_origin_is_not_told_that_it_may(database: OnSqlite) {
    let roster = serving(&database, APP).await;
    let answer = preflight(&roster, "https://evil.example.org").await;
    answer.error(400, "malformed_request");
    assert!(!answer.has(MAY), "{}", answer.told());
    let answer = roster.get(USERS).header("Origin", "https://evil.example.org").await;
    assert!(!answer.any_body(200).has(MAY), "{}", answer.told());
    // Who is no page is asked for nothing.
    roster.get(USERS).await.page();
    roster.request("OPTIONS", USERS).await.empty(204);
}

async fn errors_can_be_read_as_well(database: OnSqlite) {
    let roster = serving(&database, APP).await;
    for (request, status, error) in [
        (roster.get(&user_path(7)), 404, "not_found"),
        (roster.get("/nope"), 404, "not_found"),
        (roster.request("PUT", USERS), 405, "method_not_allowed"),
        (roster.get(USERS).header("Accept", "image/png"), 406, "not_acceptable"),
    ] {
        let answer = request.header("Origin", APP).await;
        answer.error(status, error);
        assert_eq!(answer.header(MAY), APP, "{}", answer.told());
    }
}

async fn an_error_in_place_of_an_answer_can_be_read_as_well(database: OnSqlite) {
    let OnSqlite(file) = &database;
    for origins in [APP, "*"] {
        let program = Program::serving(file).env("ROSTER_CORS_ORIGIN", origins);
        let roster = program.and(["--request-timeout", "0.2"]).serve().await;
        let held = file.hold_for_writing();
        let answer = roster.post(USERS, &new_user("ada")).header("Origin", APP).await;
        answer.error(503, "unavailable");
        assert_eq!(answer.header(MAY), if origins == "*" { "*" } else { APP });
        assert!(answer.header("access-control-expose-headers").contains("retry-after"));
        assert_eq!(answer.header("vary"), "Origin");
        let other = roster.post(USERS, &new_user("ada")).header("Origin", "https://evil.example.org").await;
        other.error(503, "unavailable");
        assert_eq!(other.has(MAY), origins == "*");
        drop(held);
    }
}

async fn all_origins_can_be_named_at_once(database: OnSqlite) {
    let roster = serving(&database, "*").await;
    assert_eq!(preflight(&roster, APP).await.any_body(200).header(MAY), "*");
    assert_eq!(roster.get(USERS).header("Origin", "null").await.any_body(200).header(MAY), "*");
}

async fn an_origin_that_is_none_is_told_at_the_start() {
    let exit = Program::with(["--cors-origin", "https://app.example.org/path"]).run().await;
    assert_eq!(exit.code, Some(2), "{exit:?}");
    assert!(exit.stderr.starts_with("roster: --cors-origin (ROSTER_CORS_ORIGIN): must be "), "{exit:?}");
}
