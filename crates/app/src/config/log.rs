use std::env;
use std::sync::LazyLock;

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
    /// What is logged, of which level and by which module.
    #[arg(
        long = "log",
        env = "ROSTER_LOG",
        global = true,
        value_parser = levels,
        default_value = DEFAULT.as_str(),
        value_name = "LEVEL",
        help = "What is logged: error, warn, info, debug or trace, and by module, as in \"warn,roster=debug\"; \
                without it, RUST_LOG counts"
    )]
    pub log: Targets,
}

/// What is logged of others at the most, unless they are named. What the framework tells of is bytes that are no
/// request, which anybody can send; what else fails is told by us, and what the NATS client tells at each attempt is told
/// once. What PostgreSQL's driver tells below this is users' data.
const OF_OTHERS: [(&str, LevelFilter); 4] = [
    ("actix_http", LevelFilter::OFF),
    ("actix_server", LevelFilter::WARN),
    ("async_nats", LevelFilter::OFF),
    ("tokio_postgres", LevelFilter::INFO),
];

/// What is logged where this program is told nothing: as any program in Rust is told, where that is of a form that is
/// known here.
static DEFAULT: LazyLock<String> = LazyLock::new(|| {
    let asked = env::var("RUST_LOG").ok().filter(|asked| !asked.is_empty() && levels(asked).is_ok());
    let asked = asked.unwrap_or_else(|| LevelFilter::INFO.to_string());
    let most = levels(&asked).ok().and_then(|asked| asked.default_level()).unwrap_or(LevelFilter::OFF);
    let of_others = OF_OTHERS.map(|(module, level)| format!("{module}={}", level.min(most)));
    format!("{},{asked}", of_others.join(","))
});

/// How an event of the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// What is logged. A bare word that is no level would be a module's name, and silence all others; what is asked of a span,
/// as `[request]=debug`, would be that of nobody.
fn levels(text: &str) -> Result<Targets, String> {
    let stray = text.split(',').map(str::trim).find(|part| {
        part.replace("[{", "").contains('[') || !part.contains('=') && part.parse::<LevelFilter>().is_err()
    });
    match stray {
        Some(word) => {
            Err(format!("{word:?} is no level, nor one of a module: error, warn, info, debug, trace or off"))
        }
        None => text.parse::<Targets>().map_err(|error| error.to_string()),
    }
}
