//! `/metrics`, as Prometheus reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use async_nats::jetstream::Context;
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::until_events_can_come;
use crate::kit::{
    Database, Family, Gateway, Http, Kind, OnPostgres, Program, Reply, Roster, StandIn, USERS, WithNats,
    new_user, suite, user_path,
};

suite![
    what_the_readme_lists_is_measured_and_nothing_else,
    requests_are_counted_by_method_route_and_status,
    requests_that_are_not_let_in_are_counted_by_the_route_that_they_would_have,
    routes_and_methods_that_nobody_knows_make_no_series_of_their_own,
    the_process_is_measured,
    what_waits_for_the_broker_does_so_while_the_store_is_away,
];

/// What the README lists, with its kind.
fn listed() -> BTreeMap<String, Kind> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let row = |line: &str| {
        let (name, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
        let kind = match rest.split_once(" |")?.0 {
            "counter" => Kind::Counter,
            "gauge" => Kind::Gauge,
            "histogram" => Kind::Histogram,
            _ => return None,
        };
        Some((name.to_owned(), kind))
    };
    readme.lines().filter_map(row).collect()
}

async fn publish(context: &Context, id: &str, data: &str) {
    let event = json!({
        "specversion": "1.0", "id": id, "source": "/hr", "type": "directory.person.saved",
        "data": {"email": data, "name": "Grace Hopper"},
    });
    let sent = context.publish("directory.people.saved", event.to_string().into()).await.unwrap();
    sent.await.unwrap();
}

/// Waits until what is measured holds.
async fn until(http: &Http, what: &str, holds: impl Fn(&BTreeMap<String, Family>) -> bool) {
    let waited = async {
        while !holds(&http.measured().await) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(60), waited).await.unwrap_or_else(|_| panic!("not measured: {what}"));
}

async fn what_the_readme_lists_is_measured_and_nothing_else(WithNats(database, nats): WithNats) {
    let person = r#"{"id": 1, "name": "Leanne Graham", "username": "Bret", "email": "leanne@example.org"}"#;
    let directory = StandIn::answering([Reply::json(200, person)]).await;
    let program =
        Program::serving(&database).and(["--nats-url", nats.url(), "--directory-url", &directory.url()]);
    let roster = program.serve().await;
    roster.user("ada").await;
    roster.get("/api/v1/directory/users/1").await.json(200);
    let stream = roster.get("/api/v1/events").header("Accept", "text/event-stream").stream().await;
    let stream = stream.unwrap_or_else(|answer| panic!("no stream: {}", answer.told()));
    let context = nats.client().await;
    until(&roster, "the consumer is there", |measured| {
        measured["roster_events_published_total"].sum(&[]) >= 1.0
    })
    .await;
    until_events_can_come(&context).await;
    publish(&context, "1", "grace@example.org").await;
    publish(&context, "2", "nobody").await;
    until(&roster, "events come in", |measured| {
        let count =
            |outcome| measured.get("roster_inbound_events_total").map(|of| of.sum(&[("outcome", outcome)]));
        count("applied") == Some(1.0) && count("dead_lettered") == Some(1.0)
    })
    .await;

    let measured = roster.measured().await;

    let ours = measured.iter().filter(|(name, _)| name.starts_with("roster_"));
    let ours: BTreeMap<_, _> = ours.map(|(name, family)| (name.clone(), family.kind)).collect();
    assert_eq!(ours, listed());
    for (name, at_least) in [
        ("roster_http_requests_total", 3.0),
        ("roster_http_request_duration_seconds", 3.0),
        ("roster_http_requests_in_flight", 1.0),
        ("roster_event_streams", 1.0),
        ("roster_relay_leads", 1.0),
        ("roster_events_published_total", 1.0),
        ("roster_inbound_events_total", 2.0),
        ("roster_inbound_event_lag_seconds", 2.0),
        ("roster_directory_attempts_total", 1.0),
        ("roster_directory_calls_total", 1.0),
        ("roster_directory_call_duration_seconds", 1.0),
        ("roster_build_info", 1.0),
    ] {
        assert!(measured[name].sum(&[]) >= at_least, "{name}: {:?}", measured[name]);
    }
    drop(stream);
}

async fn requests_are_counted_by_method_route_and_status(roster: Roster) {
    let ada = roster.user("ada").await;
    roster.post(USERS, &new_user("ada")).await.error(400, "business_rule");
    for _ in 0..3 {
        roster.get(&user_path(ada.id)).await.user(200);
    }
    // A trailing slash is the same route, and so is an id that is none.
    roster.get(&format!("{}/", user_path(ada.id))).await.user(200);
    roster.get(&user_path("abc")).await.error(422, "validation");

    let measured = roster.measured().await;

    let requests = &measured["roster_http_requests_total"];
    let one = "/api/v1/users/{id}";
    for (method, route, status, expected) in [
        ("POST", USERS, "201", 1.0),
        ("POST", USERS, "400", 1.0),
        ("GET", one, "200", 4.0),
        ("GET", one, "422", 1.0),
    ] {
        let labels = [("method", method), ("route", route), ("status", status)];
        assert_eq!(requests.sum(&labels), expected, "{labels:?}: {requests:#?}");
    }
    let durations = &measured["roster_http_request_duration_seconds"];
    assert_eq!(durations.sum(&[("method", "GET"), ("route", one)]), 5.0, "{durations:#?}");
}

/// Seen to fail where the path is looked up as it was sent: the route is `none`.
async fn requests_that_are_not_let_in_are_counted_by_the_route_that_they_would_have(database: Database) {
    let roster = Program::serving(&database).and(["--rate-limit", "1/h"]).serve().await;
    roster.get(USERS).await.page();
    let slash = format!("{USERS}/");
    for path in [USERS, &slash] {
        roster.get(path).await.error(429, "rate_limited");
    }

    let measured = roster.measured().await;

    let labels = [("method", "GET"), ("route", USERS), ("status", "429")];
    let requests = &measured["roster_http_requests_total"];
    assert_eq!(requests.sum(&labels), 2.0, "{requests:#?}");
}

async fn routes_and_methods_that_nobody_knows_make_no_series_of_their_own(roster: Roster) {
    let before = roster.measured().await;
    let before = before.get("roster_http_requests_total").map_or(0, |of| of.samples.len());
    for nth in 0..20 {
        roster.get(&format!("/nowhere/{nth}")).await.error(404, "not_found");
        roster.get(&user_path(nth + 1_000)).await.error(404, "not_found");
        roster.request(&format!("METHOD{nth}"), USERS).await.error(405, "method_not_allowed");
    }

    let after = roster.measured().await;

    let requests = &after["roster_http_requests_total"];
    // Those three, and the first reading.
    assert!(requests.samples.len() <= before + 4, "{requests:#?}");
    assert_eq!(requests.sum(&[("route", "none"), ("status", "404")]), 20.0);
    assert_eq!(requests.sum(&[("method", "_OTHER"), ("status", "405")]), 20.0);
    let values: BTreeSet<_> = requests.samples.iter().flat_map(|one| one.labels.keys()).collect();
    assert_eq!(values.into_iter().collect::<Vec<_>>(), ["method", "route", "status"]);
}

async fn the_process_is_measured(roster: Roster) {
    let measured = roster.measured().await;
    for (name, kind) in [
        ("process_cpu_seconds_total", Kind::Counter),
        ("process_resident_memory_bytes", Kind::Gauge),
        ("process_open_fds", Kind::Gauge),
        ("process_max_fds", Kind::Gauge),
        ("process_start_time_seconds", Kind::Gauge),
    ] {
        assert_eq!(measured[name].kind, kind, "{name}");
    }
    for name in ["process_resident_memory_bytes", "process_open_fds", "process_start_time_seconds"] {
        assert!(measured[name].sum(&[]) > 0.0, "{name}");
    }
}

/// Seen to fail where nothing waited any more as the lead was lost with the store.
async fn what_waits_for_the_broker_does_so_while_the_store_is_away(OnPostgres(database): OnPostgres) {
    let gateway = Gateway::to(database.url()).await;
    let url = gateway.url(database.url());
    let roster = Program::by_default(&url).and(["--nats-url", "nats://127.0.0.1:9"]).serve().await;
    roster.users(3).await;
    let waiting = |measured: &BTreeMap<String, Family>| measured["roster_events_unpublished"].sum(&[]);
    until(&roster, "three wait", |measured| waiting(measured) == 3.0).await;

    gateway.cut();
    until(&roster, "the lead is lost", |measured| measured["roster_relay_leads"].sum(&[]) == 0.0).await;
    sleep(Duration::from_secs(2)).await;

    let measured = roster.measured().await;
    assert_eq!(waiting(&measured), 3.0);
    assert!(measured["roster_events_oldest_unpublished_seconds"].sum(&[]) > 0.0);
}
