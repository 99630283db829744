//! What is seen of a request: its span, around every line of it in the log, the one line that each has, its part of
//! a trace, and what is measured of it.

use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::dev::ServiceRequest;
use actix_web::http::{StatusCode, Uri};
use tracing::field::Empty;
use tracing::instrument::Instrumented;
use tracing::{Instrument, Span, debug_span, info, info_span};

use super::measured::{Measured, OTHER_METHOD, name_of};
use super::request_id::RequestId;
use crate::telemetry::traces;

/// A request under way.
pub(in crate::http) struct Observed {
    began: Instant,
    method: &'static str,
    uri: Uri,
    /// Around the lines of the log.
    span: Span,
    /// The part of a trace; none where traces are sent nowhere.
    step: Span,
    measured: Rc<Measured>,
    has_ended: bool,
}

impl Observed {
    /// Begins with a request that was just read.
    pub(in crate::http) fn begin(request: &ServiceRequest, id: &RequestId, measured: Rc<Measured>) -> Self {
        measured.begin(request.request().resource_map());
        let span = info_span!("request", request_id = id.as_str(), principal = Empty, trace_id = Empty);
        let step = if traces::are_wanted() { step(request, &span) } else { Span::none() };
        let (method, uri) = (name_of(request.method()), request.uri().clone());
        Self { began: Instant::now(), method, uri, span, step, measured, has_ended: false }
    }

    /// What is done for the request, within its spans.
    pub(in crate::http) fn within<F: Future>(&self, work: F) -> Instrumented<Instrumented<F>> {
        work.instrument(self.span.clone()).instrument(self.step.clone())
    }

    /// The same of what does not wait.
    pub(in crate::http) fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        self.span.in_scope(work)
    }

    /// Tells how it went, now that there is an answer; `route` is none where the request did not come so far, or is not
    /// there any more.
    pub(in crate::http) fn end(mut self, route: Option<String>, status: StatusCode) {
        self.tell(route, Some(status));
    }

    fn tell(&mut self, route: Option<String>, status: Option<StatusCode>) {
        self.has_ended = true;
        let (took, method) = (self.began.elapsed(), self.method);
        let route = route.or_else(|| self.measured.route_of(&self.uri));
        self.measured.end(route.as_deref(), method, status, took);
        if !self.step.is_disabled() {
            tell_trace(&self.step, method, route.as_deref(), status);
        }
        let route = route.as_deref().unwrap_or("none");
        let duration_us = micros(took);
        let _within = self.span.enter();
        if let Some(status) = status {
            info!(%method, route, status = status.as_u16(), duration_us, "answered");
        } else {
            info!(%method, route, duration_us, "the client went away");
        }
    }
}

impl Drop for Observed {
    /// A request whose client went away is dropped, and has no answer to tell of.
    fn drop(&mut self) {
        if !self.has_ended {
            self.tell(None, None);
        }
    }
}

/// The part of a trace that goes on from where the client is, with its id beside that of the request.
fn step(request: &ServiceRequest, span: &Span) -> Span {
    let _continued = traces::continued(request.headers());
    let step = debug_span!(
        target: traces::TARGET,
        "request",
        otel.kind = "server",
        http.request.method = name_of(request.method()),
        http.route = Empty,
        http.response.status_code = Empty,
        url.scheme = "http",
        "error.type" = Empty,
    );
    if let Some(id) = step.in_scope(traces::current_id) {
        span.record("trace_id", tracing::field::display(id));
    }
    step
}

/// What a trace tells of a request that ended.
fn tell_trace(step: &Span, method: &str, route: Option<&str>, status: Option<StatusCode>) {
    step.record("http.route", route);
    if let Some(status) = status {
        step.record("http.response.status_code", i64::from(status.as_u16()));
    }
    let failure = match &status {
        None => Some("abandoned"),
        Some(status) if status.is_server_error() => Some(status.as_str()),
        Some(_) => None,
    };
    step.record("error.type", failure);
    // What nobody has heard of is no name.
    let name = if method == OTHER_METHOD { "HTTP" } else { method };
    let name = route.map_or_else(|| name.to_owned(), |route| format!("{name} {route}"));
    step.in_scope(|| traces::conclude(name, failure.is_some()));
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}
