//! `HEAD`, `OPTIONS`, and `Allow`.

use std::collections::BTreeSet;

use crate::kit::{Answer, EVENTS, Raw, Roster, USERS, new_user, suite, user_path};

suite![
    every_resource_says_what_it_can_be_asked_for,
    a_refused_method_is_told_the_same,
    the_service_as_a_whole_can_be_asked_as_well,
    what_is_not_there_has_no_options,
    head_is_answered_as_get_is_without_the_body,
];

const READ: &[&str] = &["GET", "HEAD", "OPTIONS"];

fn resources() -> [(String, &'static [&'static str]); 16] {
    let of = |path: &str, methods: &'static [&'static str]| (path.to_owned(), methods);
    [
        of(USERS, &["GET", "HEAD", "OPTIONS", "POST"]),
        (format!("{USERS}/"), &["GET", "HEAD", "OPTIONS", "POST"]),
        (user_path(1), &["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "PUT"]),
        of("/api/v1/users/from-directory", &["OPTIONS", "POST"]),
        of("/api/v1/users/import", &["OPTIONS", "POST"]),
        of("/api/v1/users/export", READ),
        of("/api/v1/directory/users/1", READ),
        of(EVENTS, &["GET", "HEAD", "OPTIONS", "POST"]),
        of("/livez", READ),
        of("/readyz", READ),
        of("/metrics", READ),
        of("/openapi.json", READ),
        of("/docs", READ),
        of("/docs/", READ),
        of("/docs/problems", READ),
        of("/docs/assets/swagger-ui.css", READ),
    ]
}

fn allowed(answer: &Answer) -> BTreeSet<String> {
    answer.header("allow").split(", ").map(str::to_owned).collect()
}

fn set(methods: &[&str]) -> BTreeSet<String> {
    methods.iter().map(|method| (*method).to_owned()).collect()
}

async fn every_resource_says_what_it_can_be_asked_for(roster: Roster) {
    for (path, methods) in resources() {
        for accept in ["*/*", "image/png"] {
            let answer = roster.request("OPTIONS", &path).header("Accept", accept).await;
            assert_eq!(allowed(answer.empty(204)), set(methods), "{path}");
            let patches: &[_] = &["application/merge-patch+json, application/json"];
            assert_eq!(answer.all("accept-patch"), if methods.contains(&"PATCH") { patches } else { &[] });
        }
    }
}

async fn a_refused_method_is_told_the_same(roster: Roster) {
    for (path, methods) in resources() {
        let answer = roster.request("TRACE", &path).await;
        answer.error(405, "method_not_allowed");
        assert_eq!(allowed(&answer), set(methods), "{path}");
    }
}

async fn the_service_as_a_whole_can_be_asked_as_well(roster: Roster) {
    let mut raw = Raw::to(&roster).await;
    raw.send("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    raw.answer().await.unwrap().empty(204);
}

async fn what_is_not_there_has_no_options(roster: Roster) {
    for path in ["/nope", "/api/v1/nope", "/api/v1/users/1/2"] {
        roster.request("OPTIONS", path).await.error(404, "not_found");
    }
}

async fn head_is_answered_as_get_is_without_the_body(roster: Roster) {
    roster.post(USERS, &new_user("ada")).await.user(201);
    for (path, methods) in resources().into_iter().filter(|(_, methods)| methods.contains(&"GET")) {
        assert!(methods.contains(&"HEAD"));
        let got = roster.get(&path).await;
        let head = roster.request("HEAD", &path).await;
        head.empty(got.status());
        for name in ["content-type", "cache-control"] {
            assert_eq!(head.header(name), got.header(name), "{name} of {path}");
        }
        // What is measured changes from one reading to the next, and of what is streamed the length is not known.
        if path != "/metrics" && got.status() == 200 && got.has("content-length") {
            assert_eq!(head.header("content-length"), got.text().len().to_string(), "{path}");
        }
    }
}
