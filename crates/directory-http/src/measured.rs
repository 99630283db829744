//! What is told of a call: in the log, in a trace, and in measurements.

use metrics::{counter, gauge, histogram};
use roster_domain::DirectoryId;
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::instrument::Instrumented;
use tracing::{Instrument, Span, debug, debug_span, info_span};

use crate::breaker::Breaker;

/// A call under way. It is told of when it is dropped, however it ended.
pub(crate) struct Call<'a> {
    breaker: &'a Breaker,
    began: Instant,
    /// Around the lines of the log.
    span: Span,
    /// The part of a trace.
    step: Span,
    outcome: &'static str,
    has_failed: bool,
}

impl<'a> Call<'a> {
    pub(crate) fn begin(breaker: &'a Breaker, id: DirectoryId) -> Self {
        let span = info_span!(
            "directory.find",
            directory_id = id.get(),
            attempts = Empty,
            outcome = Empty,
            breaker = Empty,
        );
        let step =
            debug_span!(target: "trace", "directory.find", otel.kind = "internal", otel.status_code = Empty);
        Self { breaker, began: Instant::now(), span, step, outcome: "abandoned", has_failed: true }
    }

    /// What is done for the call, within its spans.
    pub(crate) fn within<F: Future>(&self, work: F) -> Instrumented<Instrumented<F>> {
        work.instrument(self.span.clone()).instrument(self.step.clone())
    }

    /// It was not given up.
    pub(crate) fn ended(&mut self, outcome: &'static str, has_failed: bool) {
        (self.outcome, self.has_failed) = (outcome, has_failed);
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let (took, outcome) = (self.began.elapsed(), self.outcome);
        if self.has_failed {
            self.step.record("otel.status_code", "error");
        }
        self.span.record("outcome", outcome).record("breaker", self.breaker.circuit().name());
        counter!("roster_directory_calls_total", "outcome" => outcome).increment(1);
        histogram!("roster_directory_call_duration_seconds", "outcome" => outcome).record(took);
        measure(self.breaker);
        self.span.in_scope(|| debug!(duration_us = took.as_micros(), "asked the directory"));
    }
}

/// Measures the state of a breaker.
pub(crate) fn measure(breaker: &Breaker) {
    gauge!("roster_directory_breaker_state").set(breaker.circuit() as u8);
}
