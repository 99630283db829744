//! `roster health`: asks the program that serves on this machine how it is, for whoever watches a container that
//! holds nothing else.

use std::io::stdout;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::run;
use crate::config::Config;
use crate::failure::Failure;
use crate::tell::tell;

/// How long the program may take to answer: longer than it waits for its store, which is four seconds.
const ANSWER: Duration = Duration::from_millis(4_500);

/// The most that is read of an answer, in bytes.
const MOST: u64 = 16 * 1024;

/// How the program is asked.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub(crate) struct HealthArgs {
    /// Ask whether it lives, and not whether it is ready for requests
    #[arg(
        long, env = "ROSTER_HEALTH_LIVE",
        action = clap::ArgAction::Set, default_value_t = false, hide_possible_values = true,
        num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL"
    )]
    live: bool,
}

/// Asks whoever serves on the address of the settings, and prints what it says of itself.
///
/// # Errors
///
/// Where nobody answers, or who does is not well.
pub(crate) fn health(config: &Config, args: &HealthArgs) -> Result<ExitCode, Failure> {
    let (address, setting) = config.http.health();
    if address.port() == 0 {
        return Err(Failure::setting(setting, anyhow!("must name the port that is served on")));
    }
    let path = if args.live { "/livez" } else { "/readyz" };
    let answered = run(ask(address, path));
    let (status, body) = answered.with_context(|| format!("nobody answers on {}", reachable(address)))?;
    if status != 200 {
        return Err(anyhow!("not well: {status} {body}").into());
    }
    tell(stdout(), &body);
    Ok(ExitCode::SUCCESS)
}

/// The status and the body of the answer to a `GET` of `path`.
pub(super) async fn ask(address: SocketAddr, path: &str) -> anyhow::Result<(u16, String)> {
    let answer = timeout(ANSWER, exchange(reachable(address), path)).await.context("no answer in time")??;
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer is none of HTTP")?;
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    Ok((status.context("the answer is none of HTTP")?, body.trim().to_owned()))
}

async fn exchange(address: SocketAddr, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(MOST).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Where a program on this machine is found that serves on `address`: one that serves on all addresses, on the
/// loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_serves_everywhere_is_found_on_the_loopback() {
        for (listen, asked) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:8080", "[::1]:8080"),
            ("192.0.2.1:80", "192.0.2.1:80"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), asked);
        }
    }
}
