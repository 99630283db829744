//! What is seen of a request: its span, around every line of it in the log, and the one line that each has.

use std::time::Instant;

use actix_web::dev::ServiceRequest;
use actix_web::http::{Method, StatusCode};
use tracing::field::Empty;
use tracing::instrument::Instrumented;
use tracing::{Instrument, Span, info, info_span};

use super::request_id::RequestId;

/// A request under way.
pub(super) struct Observed {
    began: Instant,
    method: Method,
    route: Option<String>,
    span: Span,
}

impl Observed {
    /// Begins with a request that was just read.
    pub(super) fn begin(request: &ServiceRequest, id: &RequestId) -> Self {
        Self {
            began: Instant::now(),
            method: request.method().clone(),
            route: request.match_pattern(),
            span: info_span!("request", request_id = %id, principal = Empty),
        }
    }

    /// What is done for the request, within its span.
    pub(super) fn within<F: Future>(&self, work: F) -> Instrumented<F> {
        work.instrument(self.span.clone())
    }

    /// The same of what does not wait.
    pub(super) fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        self.span.in_scope(work)
    }

    /// Tells how it went, now that there is an answer.
    pub(super) fn end(self, status: StatusCode) {
        self.span.in_scope(|| {
            info!(
                method = %self.method,
                route = self.route.as_deref().unwrap_or("none"),
                status = status.as_u16(),
                duration_us = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX),
                "answered"
            );
        });
    }
}
