//! Which trace a message is part of, in its headers (W3C Trace Context).

use async_nats::jetstream::Message;
use async_nats::{HeaderMap, HeaderValue};
use opentelemetry::propagation::{Extractor, Injector};
use opentelemetry::{Context, global};
use roster_domain::TraceContext;
use tracing::field::Empty;
use tracing::{Span, debug_span};

const PARENT: &str = "traceparent";
const STATE: &str = "tracestate";

/// Says in a message's headers which trace it is part of.
pub(crate) fn tell(trace: &TraceContext, headers: &mut HeaderMap) {
    headers.insert(PARENT, trace.traceparent());
    if let Some(state) = trace.tracestate() {
        headers.insert(STATE, state);
    }
}

/// Which trace a message says that it is part of.
pub(crate) fn told(headers: &HeaderMap) -> Option<TraceContext> {
    // Some write these names with a capital.
    let header = |wanted: &str| {
        let mut all = headers.iter();
        let (_, values) = all.find(|(name, _)| AsRef::<str>::as_ref(*name).eq_ignore_ascii_case(wanted))?;
        values.first().map(HeaderValue::as_str)
    };
    TraceContext::parse(header(PARENT)?, header(STATE))
}

/// The step of a trace that publishes a message with these headers, which from here on tell of that step.
pub(crate) fn publishing(subject: &str, headers: &mut HeaderMap) -> Span {
    let parent = global::get_text_map_propagator(|format| format.extract(&Headers(headers)));
    let _continued = parent.attach();
    let step = debug_span!(
        target: "trace",
        "publish",
        otel.kind = "producer",
        otel.name = %format_args!("publish {subject}"),
        otel.status_code = Empty,
        messaging.system = "nats",
        messaging.destination.name = subject,
        messaging.operation.name = "publish",
        "messaging.operation.type" = "send",
    );
    step.in_scope(|| inject(headers));
    step
}

/// The step of a trace that handles a message. It goes on from what the message says, or begins a trace.
pub(crate) fn processing(message: &Message, trace: Option<&TraceContext>) -> Span {
    let mut headers = HeaderMap::new();
    if let Some(trace) = trace {
        tell(trace, &mut headers);
    }
    let parent = global::get_text_map_propagator(|format| format.extract(&Headers(&headers)));
    let _continued = parent.attach();
    debug_span!(
        target: "trace",
        "process",
        otel.kind = "consumer",
        otel.name = %format_args!("process {}", message.subject),
        otel.status_code = Empty,
        messaging.system = "nats",
        messaging.destination.name = %message.subject,
        messaging.operation.name = "process",
        "messaging.operation.type" = "process",
    )
}

/// Where in its trace a step is; none where it is told to nobody.
pub(crate) fn place(step: &Span) -> Option<TraceContext> {
    let mut headers = HeaderMap::new();
    step.in_scope(|| inject(&mut headers));
    told(&headers)
}

/// Says in a message's headers where the present step is.
fn inject(headers: &mut HeaderMap) {
    let here = Context::current();
    global::get_text_map_propagator(|format| format.inject_context(&here, &mut HeadersMut(headers)));
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(HeaderValue::as_str)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_ref()).collect()
    }
}

struct HeadersMut<'a>(&'a mut HeaderMap);

impl Injector for HeadersMut<'_> {
    fn set(&mut self, key: &str, value: String) {
        // A header without a value is none.
        if !value.is_empty() {
            self.0.insert(key, value);
        }
    }
}
