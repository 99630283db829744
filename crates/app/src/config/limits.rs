use std::net::IpAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use ipnet::IpNet;

use super::seconds;

/// How much is taken on at once, and how long it may take.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitsConfig {
    /// How many requests may be in flight; one more is answered with 503 at once, unless it asks about health or
    /// measurements
    #[arg(
        long, env = "ROSTER_MAX_REQUESTS", global = true,
        value_parser = at_most::<1_000_000>, default_value = "1024", value_name = "NUMBER"
    )]
    pub max_requests: NonZeroUsize,
    /// How many connections of clients are served; more wait until one of them ends
    #[arg(
        long, env = "ROSTER_MAX_CONNECTIONS", global = true,
        value_parser = at_most::<1_000_000>, default_value = "8192", value_name = "NUMBER"
    )]
    pub max_connections: NonZeroUsize,
    /// How long a request may take once its body is there; then it is answered with 503
    #[arg(
        long, env = "ROSTER_REQUEST_TIMEOUT", global = true,
        value_parser = seconds, default_value = "5", value_name = "SECONDS"
    )]
    pub request_timeout: Duration,
    /// How long the head of a connection's first request may take to arrive; that of a later one may take
    /// --keep-alive more
    #[arg(
        long, env = "ROSTER_HEAD_TIMEOUT", global = true,
        value_parser = seconds, default_value = "5", value_name = "SECONDS"
    )]
    pub head_timeout: Duration,
    /// How long a request's body may take to arrive; then it is answered with 408
    #[arg(
        long, env = "ROSTER_BODY_TIMEOUT", global = true,
        value_parser = seconds, default_value = "10", value_name = "SECONDS"
    )]
    pub body_timeout: Duration,
    /// How long a connection on which nothing is asked is kept
    #[arg(
        long, env = "ROSTER_KEEP_ALIVE", global = true,
        value_parser = seconds, default_value = "5", value_name = "SECONDS"
    )]
    pub keep_alive: Duration,
    /// How long a client of a stream may send nothing, or leave unread what it is sent; then it is cut off
    #[arg(
        long, env = "ROSTER_STREAM_IDLE_TIMEOUT", global = true,
        value_parser = seconds, default_value = "30", value_name = "SECONDS"
    )]
    pub stream_idle_timeout: Duration,
    /// How many requests a credential may send, or an address where none is asked for, each second, minute or hour,
    /// as in 100/s or 6000/m; more are answered with 429 [default: any number]
    #[arg(long, env = "ROSTER_RATE_LIMIT", global = true, value_name = "RATE")]
    pub rate_limit: Option<Rate>,
    /// Proxies that are believed which address they have a request from: addresses or networks, as in 10.0.0.0/8
    #[arg(
        long, env = "ROSTER_TRUSTED_PROXIES", global = true,
        value_parser = network, value_delimiter = ',', value_name = "NETWORK,..."
    )]
    pub trusted_proxies: Vec<IpNet>,
    /// The header in which trusted proxies say so: x-forwarded-for or forwarded (RFC 7239); they must not let
    /// through what a client says there
    #[arg(
        long,
        env = "ROSTER_PROXY_HEADER",
        global = true,
        value_enum,
        hide_possible_values = true,
        default_value = "x-forwarded-for",
        value_name = "HEADER"
    )]
    pub proxy_header: ProxyHeader,
}

/// A number of requests in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// So many, at once or one after the other.
    pub requests: NonZeroU32,
    /// Then as many again: a second, a minute or an hour.
    pub period: Duration,
}

/// Where a proxy says whom it has a request from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProxyHeader {
    /// `X-Forwarded-For`
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239)
    Forwarded,
}

impl FromStr for Rate {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (requests, period) = text.split_once('/').unwrap_or((text, "s"));
        let seconds = match period {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            _ => 0,
        };
        let requests = requests.parse().ok().filter(|requests: &NonZeroU32| requests.get() <= 1_000_000);
        match requests {
            Some(requests) if seconds > 0 => Ok(Self { requests, period: Duration::from_secs(seconds) }),
            _ => {
                Err("must be a whole number from 1 to 1000000, by the second, minute or hour: 100/s, 6000/m")
            }
        }
    }
}

/// A network, or an address, which is a network of one.
fn network(text: &str) -> Result<IpNet, &'static str> {
    let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    network.map_err(|_| "must be an address or a network, such as 10.0.0.0/8")
}

/// A whole number from 1 to `MOST`.
fn at_most<const MOST: usize>(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse().ok().filter(|number: &NonZeroUsize| number.get() <= MOST);
    number.ok_or_else(|| format!("must be a whole number from 1 to {MOST}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_in_a_period() {
        for (text, requests, seconds) in
            [("5", 5, 1), ("100/s", 100, 1), ("6000/m", 6_000, 60), ("1/h", 1, 3_600)]
        {
            let rate: Rate = text.parse().unwrap();
            assert_eq!((rate.requests.get(), rate.period.as_secs()), (requests, seconds), "{text}");
        }
        for text in ["", "0", "-1", "1/d", "1/", "/s", "1.5/s", "1000001", "many"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_is_a_network_of_one() {
        assert_eq!(network("192.0.2.1").map(|network| network.to_string()), Ok("192.0.2.1/32".to_owned()));
        assert_eq!(network("10.0.0.0/8").map(|network| network.to_string()), Ok("10.0.0.0/8".to_owned()));
        assert!(network("10.0.0.0/33").is_err() && network("localhost").is_err());
    }
}
