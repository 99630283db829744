use clap::ValueEnum;
use tracing_subscriber::filter::{LevelFilter, Targets};

/// What the log looks like; it goes to standard error.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Log")]
pub(crate) struct LogConfig {
    /// How an event is written: text, for people, or json, an object a line
    #[arg(
        long,
        env = "ROSTER_LOG_FORMAT",
        global = true,
        value_enum,
        hide_possible_values = true,
        default_value = "text",
        value_name = "FORMAT"
    )]
    pub log_format: LogFormat,
    // What the framework tells of is bytes that are no request, which anybody can send; what else fails is told by us,
    // and what the NATS client tells at each attempt is told once.
    /// What is logged: error, warn, info, debug or trace, and by module, as in "warn,roster=debug"
    #[arg(long = "log", env = "ROSTER_LOG", global = true, value_parser = levels, default_value = "info,actix_http=off,actix_server=warn,async_nats=off", value_name = "LEVEL")]
    pub log: Targets,
}

/// How an event of the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// What is logged. A bare word that is no level would be a module's name, and silence all others.
fn levels(text: &str) -> Result<Targets, String> {
    let stray = text
        .split(',')
        .map(str::trim)
        .find(|part| !part.contains('=') && part.parse::<LevelFilter>().is_err());
    match stray {
        Some(word) => Err(format!("{word:?} is no level: error, warn, info, debug, trace or off")),
        None => text.parse::<Targets>().map_err(|error| error.to_string()),
    }
}
