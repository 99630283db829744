use std::io::{self, IsTerminal};
use std::panic::{self, PanicHookInfo};

use tracing::error;
use tracing_subscriber::Layer;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogConfig, LogFormat};

/// Sends what is logged from here on to standard error.
pub(crate) fn start(config: &LogConfig) {
    let lines = fmt::layer().with_writer(io::stderr);
    let layer = match config.log_format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).with_target(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    tracing_subscriber::registry().with(layer.with_filter(config.log.clone())).init();
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
