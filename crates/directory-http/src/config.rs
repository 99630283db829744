use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use thiserror::Error;
use url::{Host, Url};

/// Where the directory is, and how much patience there is with it.
#[derive(Clone)]
#[non_exhaustive]
pub struct DirectoryConfig {
    /// The URL that `/users/{id}` is below.
    pub(crate) base_url: Url,
    /// A bearer token, which goes to the directory and nowhere else.
    pub bearer_token: Option<String>,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long the directory may be silent within an answer.
    pub read_timeout: Duration,
    /// How long one attempt may take.
    pub attempt_timeout: Duration,
    /// How long a call may take, with all its attempts and the pauses between them.
    pub budget: Duration,
    /// How often a call is tried again, where that may help.
    pub retries: usize,
    /// About how long the first pause between two attempts is; each further one is twice as long.
    pub first_pause: Duration,
    /// The most bytes that an answer's body may have.
    pub max_body_bytes: usize,
    /// The most calls at once; what comes beyond is refused, so that a slow directory holds nobody up.
    pub max_calls: usize,
    /// How long the directory is left alone once the circuit has opened.
    pub open_for: Duration,
}

impl DirectoryConfig {
    /// The directory at `base_url`, with a patience of three seconds.
    ///
    /// # Errors
    ///
    /// Where the URL is none, or would send what is asked over the network in the clear.
    pub fn new(base_url: &str) -> Result<Self, InvalidUrl> {
        Ok(Self {
            base_url: checked(base_url)?,
            bearer_token: None,
            connect_timeout: Duration::from_secs(1),
            read_timeout: Duration::from_secs(1),
            attempt_timeout: Duration::from_secs(2),
            budget: Duration::from_secs(3),
            retries: 2,
            first_pause: Duration::from_millis(100),
            max_body_bytes: 64 * 1024,
            max_calls: 32,
            open_for: Duration::from_secs(10),
        })
    }
}

impl fmt::Debug for DirectoryConfig {
    /// Without the token, and without what stands before the URL's host.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectoryConfig").field("host", &self.base_url.host_str()).finish_non_exhaustive()
    }
}

/// Why a URL cannot be the directory's. The URL itself is not repeated: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidUrl {
    /// It does not parse.
    #[error("must be a URL, such as https://directory.example.org")]
    NoUrl,
    /// Its scheme is not https, nor http on this machine.
    #[error("must begin with https://, or with http:// for a directory on this machine")]
    Insecure,
    /// It has a query or a fragment, or a user or password.
    #[error("must have no user, password, query or fragment; a token has a setting of its own")]
    TooMuch,
}

fn checked(url: &str) -> Result<Url, InvalidUrl> {
    let url = Url::parse(url).map_err(|_| InvalidUrl::NoUrl)?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        _ => return Err(InvalidUrl::Insecure),
    }
    let plain = url.username().is_empty() && url.password().is_none();
    if plain && url.query().is_none() && url.fragment().is_none() {
        Ok(url)
    } else {
        Err(InvalidUrl::TooMuch)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_asked_over_tls_or_on_this_machine() {
        for url in [
            "https://a.example",
            "https://a.example/base/",
            "http://localhost:1",
            "http://127.9.9.9",
            "http://[::1]:1",
        ] {
            assert!(DirectoryConfig::new(url).is_ok(), "{url}");
        }
        for (url, error) in [
            ("a.example", InvalidUrl::NoUrl),
            ("", InvalidUrl::NoUrl),
            ("http://a.example", InvalidUrl::Insecure),
            ("http://10.0.0.1", InvalidUrl::Insecure),
            ("http://localhost.example", InvalidUrl::Insecure),
            ("file:///etc/passwd", InvalidUrl::Insecure),
            ("https://ada:secret@a.example", InvalidUrl::TooMuch),
            ("https://a.example?x=1", InvalidUrl::TooMuch),
        ] {
            assert_eq!(DirectoryConfig::new(url).err(), Some(error), "{url}");
        }
    }

    #[test]
    fn a_token_is_not_shown() {
        let mut config = DirectoryConfig::new("https://a.example").unwrap();
        config.bearer_token = Some("secret".to_owned());
        assert!(!format!("{config:?}").contains("secret"));
    }
}
