//! The settings: one struct a concern. Each is a flag, and a variable of the environment; the flag wins.

mod access;
mod database;
mod directory;
mod events;
mod http;
mod limits;
mod log;
mod telemetry;

pub(crate) use access::{AccessConfig, JwksSource};
pub(crate) use database::{DatabaseConfig, DatabaseUrl};
pub(crate) use directory::DirectoryConfig;
pub(crate) use events::EventsConfig;
pub(crate) use http::{HttpConfig, Origin};
pub(crate) use limits::{LimitsConfig, ProxyHeader, Rate};
pub(crate) use log::{LogConfig, LogFormat};
pub(crate) use telemetry::TelemetryConfig;

use std::time::Duration;

/// All settings of the program.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Config {
    /// Who may use the API.
    #[command(flatten)]
    pub access: AccessConfig,
    /// Where users are kept.
    #[command(flatten)]
    pub database: DatabaseConfig,
    /// Where people are looked up.
    #[command(flatten)]
    pub directory: DirectoryConfig,
    /// Where events go, and how long they are kept.
    #[command(flatten)]
    pub events: EventsConfig,
    /// How the API is served.
    #[command(flatten)]
    pub http: HttpConfig,
    /// How much is taken on at once, and how long it may take.
    #[command(flatten)]
    pub limits: LimitsConfig,
    /// What the log looks like.
    #[command(flatten)]
    pub log: LogConfig,
    /// Where traces and measurements are sent.
    #[command(flatten)]
    pub telemetry: TelemetryConfig,
}

/// The longest that a setting may let anything take: thirty years, which can be added to any time.
const LONGEST: Duration = Duration::from_secs(30 * 365 * 86_400);

/// A number of seconds, with or without a fraction.
fn seconds(text: &str) -> Result<Duration, &'static str> {
    several(text, 1.0)
        .ok_or("must be a number of seconds, such as 10 or 0.5, more than 0 and up to thirty years")
}

/// A number of times so many seconds.
fn several(text: &str, seconds: f64) -> Option<Duration> {
    let times = text.parse::<f64>().ok().filter(|times| *times > 0.0)?;
    Duration::try_from_secs_f64(times * seconds).ok().filter(|duration| *duration <= LONGEST)
}
