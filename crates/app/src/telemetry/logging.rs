use std::io::{self, IsTerminal};

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
}
