//! Which trace is being written, and how it comes in and goes on.
//!
//! Spans of traces have a target and a level of their own. So a line of the log does not show them, no span of the
//! log is part of a trace, and where traces are sent nowhere they are not even made.

use actix_web::http::header::{HeaderMap, HeaderName};
use opentelemetry::propagation::Extractor;
use opentelemetry::trace::{Status, TraceContextExt};
use opentelemetry::{Context, ContextGuard, TraceId, global};
use roster_domain::TraceContext;
use tracing::Level;
use tracing::level_filters::LevelFilter;

/// The target of spans that make up traces.
pub(crate) const TARGET: &str = "trace";

/// Their level.
pub(crate) const LEVEL: LevelFilter = LevelFilter::DEBUG;

/// Whether anybody wants traces.
pub(crate) fn are_wanted() -> bool {
    tracing::enabled!(target: TARGET, Level::DEBUG)
}

/// Has spans that are made while this is held go on from what the headers of a request say.
pub(crate) fn continued(headers: &HeaderMap) -> ContextGuard {
    global::get_text_map_propagator(|format| format.extract(&Headers(headers))).attach()
}

/// The trace that is being written.
pub(crate) fn current_id() -> Option<TraceId> {
    let context = Context::current();
    let id = context.span().span_context().trace_id();
    (id != TraceId::INVALID).then_some(id)
}

/// Where in it we are, for whoever goes on from here.
pub(crate) fn current() -> Option<TraceContext> {
    let context = Context::current();
    let (span, state) = (context.span(), context.span().span_context().trace_state().header());
    let here = span.span_context();
    let parent = format!("00-{}-{}-{:02x}", here.trace_id(), here.span_id(), here.trace_flags());
    // Where no trace is being written, its ids are nothing but zeroes, and so no ids.
    TraceContext::parse(&parent, Some(&state))
}

/// Names the span that is being written, now that it is known what it is of, and says whether that failed.
pub(crate) fn conclude(name: String, has_failed: bool) {
    let context = Context::current();
    context.span().update_name(name);
    if has_failed {
        context.span().set_status(Status::error(""));
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}
