use std::net::SocketAddr;
use std::time::Duration;

use super::seconds;

/// How the API is served.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "HTTP")]
pub struct HttpConfig {
    /// The address and port to serve on; port 0 takes a free one
    #[arg(
        long,
        env = "ROSTER_LISTEN",
        global = true,
        default_value = "127.0.0.1:8080",
        value_name = "ADDRESS"
    )]
    pub listen: SocketAddr,
    /// Serve everyone, on whatever address; else only a loopback address is served without credentials
    #[arg(long, env = "ROSTER_ALLOW_ANONYMOUS", global = true)]
    pub allow_anonymous: bool,
    /// How long a request may take, its body included; then it is answered with 503
    #[arg(
        long, env = "ROSTER_REQUEST_TIMEOUT", global = true,
        value_parser = seconds, default_value = "10", value_name = "SECONDS"
    )]
    pub request_timeout: Duration,
    /// How long a client of a stream may send nothing, or leave unread what it is sent; then it is cut off
    #[arg(
        long, env = "ROSTER_STREAM_IDLE_TIMEOUT", global = true,
        value_parser = seconds, default_value = "30", value_name = "SECONDS"
    )]
    pub stream_idle_timeout: Duration,
    /// How long requests in flight may take to finish once the program is told to stop
    #[arg(
        long, env = "ROSTER_SHUTDOWN_GRACE", global = true,
        value_parser = seconds, default_value = "30", value_name = "SECONDS"
    )]
    pub shutdown_grace: Duration,
}

impl HttpConfig {
    /// The setting that says where to serve.
    pub const LISTEN: &'static str = "--listen (ROSTER_LISTEN)";
}
