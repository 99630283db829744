use clap::ValueEnum;
use tracing_subscriber::filter::Targets;

/// What the log looks like; it goes to standard error.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Log")]
pub struct LogConfig {
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
    /// What is logged: error, warn, info, debug or trace, and by module, as in "warn,roster=debug"
    #[arg(long = "log", env = "ROSTER_LOG", global = true, default_value = "info", value_name = "LEVEL")]
    pub log: Targets,
}

/// How an event of the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}
