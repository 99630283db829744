//! Traces and measurements, sent to a collector.

use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

use super::{CLIENT, STEP, TRACE, until_events_can_come};
use crate::kit::{
    Backend, Collector, Database, EVENTS, OnSqlite, Program, Reply, Span, StandIn, USERS, WithNats, new_user,
    suite,
};

suite![
    one_trace_goes_from_a_request_through_the_outbox_to_what_another_program_does,
    events_that_take_effect_together_stay_in_their_traces,
    an_event_that_comes_over_http_stays_in_its_trace,
    a_trace_goes_on_to_the_directory,
    without_a_collector_nothing_is_traced,
    what_is_left_is_sent_before_the_program_ends,
    a_collector_that_is_away_or_hangs_harms_no_request_and_no_stop,
    the_variables_of_opentelemetry_count,
    what_is_unknown_has_no_name_in_a_trace,
    what_is_sent_is_what_is_asked_for,
];

/// A program whose traces and measurements go to a collector.
fn observed(program: Program, collector: &Collector, name: &str) -> Program {
    let program = program.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url()).env("OTEL_SERVICE_NAME", name);
    // Spans are sent soon, so that the test need not wait for long.
    program.env("OTEL_BSP_SCHEDULE_DELAY", "100")
}

const TOLD: Duration = Duration::from_secs(60);

/// The headers and the body of the first message of the stream `ROSTER`.
async fn published(context: &Context) -> (HeaderMap, Value) {
    let first = async {
        let stream = loop {
            match context.get_stream("ROSTER").await {
                Ok(stream) => break stream,
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        };
        let consumer = stream.create_consumer(OrderedConfig::default()).await.expect("a stream can be read");
        let mut messages = consumer.messages().await.expect("a stream can be read");
        messages.next().await.expect("there is one").expect("a message can be read")
    };
    let message = timeout(TOLD, first).await.expect("an event is published");
    let body = serde_json::from_slice(&message.payload).expect("the payload is JSON");
    (message.headers.clone().expect("there are headers"), body)
}

fn header(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).map(ToString::to_string).unwrap_or_default()
}

/// The place in a trace that a span is.
fn place(span: &Span) -> String {
    format!("00-{}-{}-01", span.trace, span.id)
}

async fn one_trace_goes_from_a_request_through_the_outbox_to_what_another_program_does(
    WithNats(database, nats): WithNats,
) {
    let collector = Collector::start().await;
    let first = Program::serving(&database).and(["--nats-url", nats.url()]);
    let first = observed(first, &collector, "first").serve().await;
    let request = first.post(USERS, &new_user("ada")).header("traceparent", CLIENT);
    request.header("tracestate", "vendor=1").await.user(201);

    // In the program that is asked: the request, the write, and what publishes the event.
    let of = |service: &'static str, name: &'static str| {
        move |span: &Span| span.service == service && span.name == name && span.trace == TRACE
    };
    let served = collector.span("of the request", of("first", "POST /api/v1/users")).await;
    assert_eq!((served.parent.as_str(), served.kind), (STEP, 2), "{served:?}");
    assert_eq!(served.attributes["http.response.status_code"], 201, "{served:?}");
    assert_eq!(served.attributes["http.route"], USERS, "{served:?}");
    let write = collector.span("of the write", of("first", "users.create")).await;
    assert_eq!((&write.parent, write.kind), (&served.id, 3), "{write:?}");
    let system = if database.url().starts_with("sqlite") { "sqlite" } else { "postgresql" };
    assert_eq!(write.attributes["db.system.name"], system, "{write:?}");
    let sent = collector.span("of the relay", of("first", "publish roster.users.created")).await;
    assert_eq!((&sent.parent, sent.kind), (&write.id, 4), "{sent:?}");

    // On the way: the event tells of the write, and its message of what published it.
    let context = nats.client().await;
    let (headers, event) = published(&context).await;
    assert_eq!((&event["traceparent"], &event["tracestate"]), (&json!(place(&write)), &json!("vendor=1")));
    assert_eq!(header(&headers, "traceparent"), place(&sent));
    assert_eq!(header(&headers, "tracestate"), "vendor=1");
    assert_eq!(first.get("/api/v1/events").await.any_json(200)[0]["traceparent"], event["traceparent"]);
    assert_eq!(first.stop().await.code, Some(0));

    // In another program: what handles a message that was sent on, and what that brings about.
    let elsewhere = Database::empty(Backend::Sqlite).await.unwrap();
    let second = Program::serving(&elsewhere).and(["--nats-url", nats.url()]);
    let second = observed(second, &collector, "second").serve().await;
    let person = json!({
        "specversion": "1.0", "id": "1", "source": "/hr", "type": "directory.person.saved",
        "data": {"email": "ada@example.org", "name": "Ada Lovelace"},
    });
    let mut told = HeaderMap::new();
    for name in ["traceparent", "tracestate"] {
        told.insert(name, header(&headers, name));
    }
    until_events_can_come(&context).await;
    let sending = context.publish_with_headers("directory.people.saved", told, person.to_string().into());
    sending.await.unwrap().await.unwrap();
    let handled = collector.span("of the consumer", of("second", "process directory.people.saved")).await;
    assert_eq!((&handled.parent, handled.kind), (&sent.id, 5), "{handled:?}");
    let effect = collector.span("of its effect", of("second", "users.create")).await;
    assert_eq!(effect.parent, handled.id, "{effect:?}");
    let told = collector.span("of the next relay", of("second", "publish roster.users.created")).await;
    assert_eq!(told.parent, effect.id, "{told:?}");
    assert_eq!(second.stop().await.code, Some(0));
}

/// Seen to fail where all went on in the trace of the first.
async fn events_that_take_effect_together_stay_in_their_traces(WithNats(database, nats): WithNats) {
    let collector = Collector::start().await;
    let (context, client) = (nats.client().await, ["11", "22", "33"].map(|byte| byte.repeat(16)));
    let program = || Program::serving(&database).and(["--nats-url", nats.url()]);
    let first = program().serve().await;
    until_events_can_come(&context).await;
    assert_eq!(first.stop().await.code, Some(0));
    for (nth, trace) in client.iter().enumerate() {
        let person = json!({
            "specversion": "1.0", "id": nth.to_string(), "source": "/hr", "type": "directory.person.saved",
            "data": {"email": format!("user{nth}@example.org"), "name": "Ada Lovelace"},
        });
        let mut told = HeaderMap::new();
        told.insert("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"));
        let sending = context.publish_with_headers("directory.people.saved", told, person.to_string().into());
        sending.await.unwrap().await.unwrap();
    }

    let second = observed(program(), &collector, "second").serve().await;

    collector.span("of the write", |span: &Span| span.name == "users.create_many").await;
    for trace in client {
        let of = |name: &'static str| {
            let trace = trace.clone();
            move |span: &Span| span.name == name && span.trace == trace
        };
        let handled = collector.span("of the consumer", of("process directory.people.saved")).await;
        let told = collector.span("of the relay", of("publish roster.users.created")).await;
        assert_eq!(told.parent, handled.id, "{told:?}");
    }
    assert_eq!(second.stop().await.code, Some(0));
}

/// Seen to fail where its effect was a part of the request alone.
async fn an_event_that_comes_over_http_stays_in_its_trace(OnSqlite(database): OnSqlite) {
    let collector = Collector::start().await;
    let roster = observed(Program::serving(&database), &collector, "roster").serve().await;
    for (id, happened) in ["saved", "saved", "removed"].into_iter().enumerate() {
        let person = json!({
            "specversion": "1.0", "id": id.to_string(), "source": "/hr", "traceparent": CLIENT,
            "type": format!("directory.person.{happened}"),
            "data": {"email": "ada@example.org", "name": format!("Ada {id}")},
        });
        let request = roster.request("POST", EVENTS).body("application/cloudevents+json", person.to_string());
        request.await.empty(202);
    }
    let brought_about = loop {
        let events: Value = serde_json::from_str(&roster.get(EVENTS).await.any_body(200).text()).unwrap();
        match events.as_array() {
            Some(events) if events.len() == 3 => break events.clone(),
            _ => sleep(Duration::from_millis(20)).await,
        }
    };
    for event in brought_about {
        assert!(event["traceparent"].as_str().is_some_and(|trace| trace.contains(TRACE)), "{event}");
    }
}

async fn a_trace_goes_on_to_the_directory(OnSqlite(database): OnSqlite) {
    let collector = Collector::start().await;
    let person = r#"{"id": 1, "name": "Leanne Graham", "username": "Bret", "email": "leanne@example.org"}"#;
    let directory = StandIn::answering([Reply::json(503, "{}"), Reply::json(200, person)]).await;
    let program = Program::serving(&database).and(["--directory-url", &directory.url()]);
    let roster = observed(program, &collector, "roster").serve().await;

    roster.get("/api/v1/directory/users/1").header("traceparent", CLIENT).await.json(200);

    let requests = directory.requests();
    assert_eq!(requests.len(), 2, "{requests:?}");
    for head in requests {
        let told = head.lines().find_map(|line| line.strip_prefix("traceparent: ")).unwrap().to_owned();
        let asked = collector.span("of the attempt", |span| place(span) == told).await;
        assert_eq!((asked.trace.as_str(), asked.kind), (TRACE, 3), "{asked:?}");
        let lookup = collector.span("of the lookup", |span| span.id == asked.parent).await;
        assert_eq!(lookup.name, "directory.find", "{lookup:?}");
    }
}

async fn without_a_collector_nothing_is_traced(WithNats(database, nats): WithNats) {
    let directory = StandIn::answering([Reply::json(404, "{}")]).await;
    let program =
        Program::serving(&database).and(["--nats-url", nats.url(), "--directory-url", &directory.url()]);
    let roster = program.serve().await;

    roster.post(USERS, &new_user("ada")).header("traceparent", CLIENT).await.user(201);
    roster.get("/api/v1/directory/users/1").header("traceparent", CLIENT).await.error(404, "not_found");

    let (headers, event) = published(&nats.client().await).await;
    assert_eq!((header(&headers, "traceparent").as_str(), &event["traceparent"]), ("", &Value::Null));
    assert!(!directory.requests()[0].to_lowercase().contains("traceparent"), "{:?}", directory.requests());
}

async fn what_is_left_is_sent_before_the_program_ends(OnSqlite(database): OnSqlite) {
    let collector = Collector::start().await;
    let program = observed(Program::serving(&database), &collector, "roster");
    // Nothing is sent before the program ends, but by the flush.
    let roster =
        program.env("OTEL_BSP_SCHEDULE_DELAY", "600000").env("OTEL_METRIC_EXPORT_INTERVAL", "600000");
    let roster = roster.serve().await;
    roster.post(USERS, &new_user("ada")).header("traceparent", CLIENT).await.user(201);
    assert!(collector.received().heads.is_empty(), "{:?}", collector.received());

    let exit = roster.stop().await;

    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    let received = collector.received();
    assert!(received.spans.iter().any(|span| span.trace == TRACE && span.kind == 2), "{received:?}");
    for name in [
        "roster_http_requests_total",
        "roster_http_request_duration_seconds",
        "roster_database_connections",
        "roster_database_connections_max",
        "roster_database_connections_pending",
        "roster_database_connection_wait_seconds",
        "process_open_fds",
    ] {
        assert!(received.measured.contains_key(name), "{name}: {:?}", received.measured);
    }
}

async fn a_collector_that_is_away_or_hangs_harms_no_request_and_no_stop(OnSqlite(database): OnSqlite) {
    // Connections come about, and nobody reads what is sent over them.
    let hanging = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = hanging.local_addr().expect("a bound listener has an address");
    for (collector, outages) in [("http://127.0.0.1:9".to_owned(), 1), (format!("http://{address}"), 0)] {
        let program = Program::serving(&database).env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector);
        // A queue that is full at once, and spans that are sent at once.
        let program = program.env("OTEL_BSP_SCHEDULE_DELAY", "20").env("OTEL_BSP_MAX_QUEUE_SIZE", "10");
        // One that hangs is given more time than the program lives, and is not away.
        let roster = program.env("OTEL_EXPORTER_OTLP_TIMEOUT", "600000").serve().await;
        for _ in 0..100 {
            roster.get(USERS).await.page();
        }
        let told = Instant::now();

        let exit = roster.stop().await;

        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
        // A few seconds for spans, and a few for measurements; the rest is the machine's.
        assert!(told.elapsed() < Duration::from_secs(30), "{:?}", told.elapsed());
        let told = exit.stderr.matches("failing: traces and measurements are sent").count();
        assert_eq!(told, outages, "{}", exit.stderr);
    }
}

/// Of a route or a method that nobody knows a trace has no name: there would be as many as clients make up.
async fn what_is_unknown_has_no_name_in_a_trace(OnSqlite(database): OnSqlite) {
    let collector = Collector::start().await;
    let roster = observed(Program::serving(&database), &collector, "roster").serve().await;

    roster.get("/nowhere").header("traceparent", CLIENT).await.error(404, "not_found");
    roster.request("BREW", "/nowhere").header("traceparent", CLIENT).await.any_body(404);

    let lost = collector.span("without a route", |span| span.name == "GET").await;
    assert!(!lost.attributes.contains_key("http.route"), "{lost:?}");
    assert_eq!(lost.attributes["http.response.status_code"], 404, "{lost:?}");
    let brewed = collector.span("without a method", |span| span.name == "HTTP").await;
    assert_eq!(brewed.attributes["http.request.method"], "_OTHER", "{brewed:?}");
}

/// Seen to fail where whoever asked for a measurement again began at nothing.
async fn what_is_sent_is_what_is_asked_for(OnSqlite(database): OnSqlite) {
    let collector = Collector::start().await;
    let program = observed(Program::serving(&database), &collector, "roster");
    let roster = program.env("OTEL_METRIC_EXPORT_INTERVAL", "100").serve().await;
    let follow = async || {
        let asked = roster.get("/api/v1/events").header("Accept", "text/event-stream");
        asked.stream().await.unwrap_or_else(|answer| panic!("no stream: {}", answer.told()))
    };
    let streams = [follow().await, follow().await, follow().await];
    for _ in 0..50 {
        // The process is measured with each.
        roster.get("/metrics").await.any_body(200);
    }
    let names = [
        "roster_event_streams",
        "roster_http_requests_in_flight",
        "roster_http_request_duration_seconds",
        "process_cpu_seconds_total",
        "process_max_fds",
    ];
    let agree = async || {
        let (asked, sent) = (roster.measured().await, collector.received().measured);
        let differ = |name: &str| (asked[name].sum(&[]) - sent.get(name).copied().unwrap_or(f64::MAX)).abs();
        names.iter().all(|name| differ(name) < 2.0)
    };
    let until = async |streaming: f64| {
        let agreed = async {
            while !agree().await || collector.received().measured["roster_event_streams"] != streaming {
                sleep(Duration::from_millis(200)).await;
            }
        };
        let late = |_| panic!("{streaming} follow: {:?}", collector.received().measured);
        timeout(TOLD, agreed).await.unwrap_or_else(late);
    };
    until(3.0).await;
    drop(streams);
    until(0.0).await;
}

async fn the_variables_of_opentelemetry_count(OnSqlite(database): OnSqlite) {
    let collector = Collector::start().await;
    let program = observed(Program::serving(&database), &collector, "by-name")
        .env("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=seven")
        .env("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=seven-1,deployment.environment.name=test")
        .env("OTEL_TRACES_SAMPLER", "parentbased_always_off");
    let roster = program.serve().await;
    roster.get(USERS).header("X-Request-Id", "not-sampled").await.page();
    roster.get(USERS).header("traceparent", CLIENT).await.page();

    let span = collector.span("of the request", |span| span.kind == 2).await;
    assert_eq!((span.trace.as_str(), span.service.as_str()), (TRACE, "by-name"));
    assert_eq!(roster.stop().await.code, Some(0));
    let received = collector.received();
    assert!(received.spans.iter().all(|span| span.trace == TRACE), "{:?}", received.spans);
    assert!(received.heads.iter().all(|head| head.to_lowercase().contains("x-tenant: seven")));
    assert!(received.spans.iter().all(|span| span.instance == "seven-1"), "{:?}", received.spans);

    let silent = Collector::start().await;
    for (one, other, value) in [
        ("OTEL_SDK_DISABLED", "OTEL_SDK_DISABLED", "true"),
        ("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "none"),
    ] {
        let program = observed(Program::serving(&database), &silent, "nobody");
        let roster = program.env(one, value).env(other, value).serve().await;
        roster.get(USERS).await.page();
        assert_eq!(roster.stop().await.code, Some(0));
    }
    assert!(silent.received().heads.is_empty(), "{:?}", silent.received());

    let bad = Program::serving(&database).and(["--otlp-endpoint", "localhost:4318"]).run().await;
    assert_eq!(bad.code, Some(2));
    assert!(
        bad.stderr.contains("--otlp-endpoint (OTEL_EXPORTER_OTLP_ENDPOINT): must be a URL"),
        "{}",
        bad.stderr
    );
}
