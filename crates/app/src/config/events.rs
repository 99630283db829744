use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::several;

/// Where events go, and how long they are kept.
#[derive(Clone, clap::Args)]
#[command(next_help_heading = "Events")]
pub(crate) struct EventsConfig {
    /// The NATS server that events go to and come from, with `JetStream`.
    #[arg(
        id = "nats-url",
        long,
        env = "NATS_URL",
        global = true,
        hide_env_values = true,
        value_name = "URL",
        help = "The NATS server, with JetStream, that events go to and come from: nats://USER:PASSWORD@HOST:PORT, \
                or tls://...; without one, events go to the feed alone"
    )]
    pub nats_url: Option<String>,
    /// A file with credentials for the NATS server, as nsc makes it
    #[arg(
        id = "nats-credentials",
        long,
        env = "ROSTER_NATS_CREDENTIALS",
        global = true,
        value_name = "FILE"
    )]
    pub nats_credentials: Option<PathBuf>,
    /// How long the feed keeps events; and those for a broker until they were published
    #[arg(
        id = "events-retention", long, env = "ROSTER_EVENTS_RETENTION", global = true,
        value_parser = days, default_value = "7", value_name = "DAYS"
    )]
    pub retention: Duration,
}

impl EventsConfig {
    /// The setting that says where the broker is.
    pub(crate) const NATS_URL: &'static str = "--nats-url (NATS_URL)";

    /// The setting that says where credentials for it are.
    pub(crate) const NATS_CREDENTIALS: &'static str = "--nats-credentials (ROSTER_NATS_CREDENTIALS)";
}

impl fmt::Debug for EventsConfig {
    /// Leaves out the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventsConfig").field("retention", &self.retention).finish_non_exhaustive()
    }
}

/// A number of days, with or without a fraction.
fn days(text: &str) -> Result<Duration, &'static str> {
    several(text, 86_400.0)
        .ok_or("must be a number of days, such as 7 or 0.5, more than 0 and up to thirty years")
}
