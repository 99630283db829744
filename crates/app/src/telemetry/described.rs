//! What is measured: the list that `/metrics`, the README and the tests share.

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

/// Something that is measured.
struct Measured {
    name: &'static str,
    kind: Kind,
    /// Whether it is told apart by labels: then there is nothing to see of it before the first of them.
    is_labelled: bool,
    help: &'static str,
}

enum Kind {
    Counter,
    Gauge,
    Histogram,
}
use Kind::{Counter, Gauge, Histogram};

const fn each(name: &'static str, kind: Kind, help: &'static str) -> Measured {
    Measured { name, kind, is_labelled: true, help }
}

const fn one(name: &'static str, kind: Kind, help: &'static str) -> Measured {
    Measured { name, kind, is_labelled: false, help }
}

const MEASURED: &[Measured] = &[
    each("roster_build_info", Gauge, "1, with the version that runs."),
    each("roster_http_requests_total", Counter, "Requests, by method, route and status."),
    each(
        "roster_http_request_duration_seconds",
        Histogram,
        "How long the head of an answer took, by method and route.",
    ),
    one("roster_http_requests_in_flight", Gauge, "Requests that are under way."),
    one("roster_requests_shed_total", Counter, "Requests that found no place."),
    one("roster_requests_limited_total", Counter, "Requests of clients that asked too often."),
    each(
        "roster_database_connections",
        Gauge,
        "Connections to the database, by pool (reads and writes may have one each) and state: used or idle.",
    ),
    each("roster_database_connections_max", Gauge, "The most connections that a pool may have."),
    each("roster_database_connections_pending", Gauge, "What waits for a connection of a pool."),
    one(
        "roster_database_connections_hung_total",
        Counter,
        "Connections to PostgreSQL that were closed, as it said nothing to what it was asked.",
    ),
    each(
        "roster_database_connection_wait_seconds",
        Histogram,
        "How long a connection of a pool was waited for.",
    ),
    one("roster_log_lines_dropped_total", Counter, "Lines of the log that nobody read in time."),
    one("roster_event_streams", Gauge, "Clients that follow the feed as server-sent events."),
    one("roster_relay_leads", Gauge, "1 where this program publishes events, among all on one database."),
    one("roster_events_unpublished", Gauge, "Events that are yet to be published."),
    one(
        "roster_events_oldest_unpublished_seconds",
        Gauge,
        "The age of the oldest event that is yet to be published.",
    ),
    one("roster_events_published_total", Counter, "Events that were published."),
    one("roster_events_set_aside_total", Counter, "Events that the broker refused for good."),
    one(
        "roster_relay_failures_total",
        Counter,
        "Attempts to publish that failed, at the broker or the database.",
    ),
    each(
        "roster_inbound_events_total",
        Counter,
        "Events of others, by outcome: applied, repeated or dead_lettered.",
    ),
    one(
        "roster_inbound_events_pending",
        Gauge,
        "Events of others that wait at the broker, as of the last one that came.",
    ),
    one(
        "roster_inbound_event_lag_seconds",
        Histogram,
        "From when the broker kept an event of others until it was settled.",
    ),
    one("roster_directory_attempts_total", Counter, "Requests to the directory."),
    each("roster_directory_calls_total", Counter, "Lookups in the directory, by outcome."),
    each("roster_directory_call_duration_seconds", Histogram, "How long a lookup took, by outcome."),
    one(
        "roster_directory_breaker_state",
        Gauge,
        "The circuit to the directory: 0 closed, 1 half-open, 2 open.",
    ),
];

/// Says what each is, and begins those that have no labels at nothing.
pub(super) fn describe() {
    for Measured { name, kind, is_labelled, help } in MEASURED {
        match kind {
            Counter => describe_counter!(*name, *help),
            Gauge => describe_gauge!(*name, *help),
            Histogram => describe_histogram!(*name, *help),
        }
        match kind {
            _ if *is_labelled => {}
            Counter => counter!(*name).increment(0),
            Gauge => gauge!(*name).set(0.0),
            Histogram => drop(histogram!(*name)),
        }
    }
    gauge!("roster_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}
