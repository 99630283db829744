use std::io::{self, IsTerminal};
use std::panic::{self, PanicHookInfo};

use json_subscriber::JsonLayer;
use tracing::error;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

use crate::config::{LogConfig, LogFormat};

/// What the log's lines go to, or spans.
pub(super) type Sink = Box<dyn Layer<Registry> + Send + Sync>;

/// Sends what is logged from here on to standard error, and spans to `spans`, where they are sent anywhere.
pub(crate) fn start(config: &LogConfig, spans: Option<Sink>) {
    let lines = match config.log_format {
        LogFormat::Text => text().boxed(),
        LogFormat::Json => json().boxed(),
    };
    let lines = lines.with_filter(config.log.clone()).boxed();
    tracing_subscriber::registry().with(spans.into_iter().chain([lines]).collect::<Vec<_>>()).init();
    panic::set_hook(Box::new(panicked));
}

/// Tells of a panic, where it was and what it said, within the span of the request that it ended.
pub(crate) fn panicked(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let payload = panic.payload();
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let said = text.or_else(|| payload.downcast_ref().copied()).unwrap_or("unknown");
    error!(place, said, "the code panicked");
}

fn text() -> impl Layer<Registry> + Send + Sync {
    fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).with_target(false)
}

/// An object a line, with the members of a line beside those of what surrounds it, as a request's `request_id`.
fn json() -> impl Layer<Registry> + Send + Sync {
    let mut lines = JsonLayer::new(io::stderr);
    lines
        .with_timer("timestamp", fmt::time::SystemTime)
        .with_level("level")
        .with_target("target")
        .with_flattened_event()
        .with_top_level_flattened_span_list();
    lines
}
