use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use url::Url;

use super::seconds;

/// How the API is served.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "HTTP")]
pub(crate) struct HttpConfig {
    /// The address and port to serve on; port 0 takes a free one
    #[arg(
        long,
        env = "ROSTER_LISTEN",
        global = true,
        value_parser = address,
        default_value = "127.0.0.1:8080",
        value_name = "ADDRESS"
    )]
    pub listen: SocketAddr,
    /// An address and port of their own for health and measurements, which ask for no credentials; port 0 takes a
    /// free one [default: they are beside the API]
    #[arg(
        id = "ops-listen",
        long,
        env = "ROSTER_OPS_LISTEN",
        global = true,
        value_parser = address,
        value_name = "ADDRESS"
    )]
    pub ops_listen: Option<SocketAddr>,
    /// How long requests in flight may take to finish once the program is told to stop
    #[arg(
        long, env = "ROSTER_SHUTDOWN_GRACE", global = true,
        value_parser = seconds, default_value = "30", value_name = "SECONDS"
    )]
    pub shutdown_grace: Duration,
    /// Origins whose pages may use the API in a browser, as in `https://app.example.org`; * for all of them
    #[arg(
        id = "cors-origin",
        long = "cors-origin",
        env = "ROSTER_CORS_ORIGIN",
        global = true,
        value_delimiter = ',',
        value_name = "ORIGIN,..."
    )]
    pub cors_origins: Vec<Origin>,
}

impl HttpConfig {
    /// The setting that says where to serve.
    pub(crate) const LISTEN: &'static str = "--listen (ROSTER_LISTEN)";
    /// The setting that says where to tell of health and of what is measured.
    pub(crate) const OPS_LISTEN: &'static str = "--ops-listen (ROSTER_OPS_LISTEN)";

    /// Where health is asked for, and the setting that says so.
    pub(crate) fn health(&self) -> (SocketAddr, &'static str) {
        self.ops_listen.map_or((self.listen, Self::LISTEN), |address| (address, Self::OPS_LISTEN))
    }
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "must be an address and a port, such as 127.0.0.1:8080")
}

/// Where pages of a browser come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Anywhere.
    Any,
    /// One scheme, host and port, as browsers write it.
    Of(String),
}

impl FromStr for Origin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let origin = Url::parse(text).ok().map(|url| url.origin().ascii_serialization());
        // A path, a port that goes without saying or a capital letter would never match.
        let same = origin.filter(|origin| origin == text);
        same.map(Self::Of)
            .ok_or("must be * or an origin as browsers send it, such as https://app.example.org")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_do() {
        for text in ["https://app.example.org", "http://localhost:3000", "http://[::1]:8080"] {
            assert_eq!(text.parse(), Ok(Origin::Of(text.to_owned())));
        }
        assert_eq!("*".parse(), Ok(Origin::Any));
        for text in [
            "",
            "null",
            "app.example.org",
            "https://a.b/",
            "https://a.b/c",
            "https://A.b",
            "https://a.b:443",
            "file:///x",
        ] {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }
}
