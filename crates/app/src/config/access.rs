use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::anyhow;
use url::{Host, Url};

use super::seconds;
use crate::failure::Failure;

/// Who may use the API.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Access")]
pub(crate) struct AccessConfig {
    /// The file of API tokens, as `roster token new` writes it; a change of it counts within seconds
    #[arg(id = "tokens-file", long, env = "ROSTER_TOKENS_FILE", global = true, value_name = "FILE")]
    pub tokens_file: Option<PathBuf>,
    /// The keys that sign JWTs, a JWK Set (RFC 7517): a file, or a URL of https, or of http on this machine alone
    #[arg(
        id = "jwks",
        long,
        env = "ROSTER_JWKS",
        global = true,
        hide_env_values = true,
        value_name = "FILE|URL"
    )]
    pub jwks: Option<JwksSource>,
    /// Who must have issued a JWT: its `iss`
    #[arg(id = "jwt-issuer", long, env = "ROSTER_JWT_ISSUER", global = true, value_name = "ISSUER")]
    pub jwt_issuer: Option<String>,
    /// Whom a JWT must be for: one of its `aud`
    #[arg(id = "jwt-audience", long, env = "ROSTER_JWT_AUDIENCE", global = true, value_name = "AUDIENCE")]
    pub jwt_audience: Option<String>,
    /// How long keys of a URL are used before they are fetched again: so long, at the most, does one count that was
    /// withdrawn, while whoever issues them answers
    #[arg(
        id = "jwks-refresh", long, env = "ROSTER_JWKS_REFRESH", global = true,
        value_parser = seconds, default_value = "300", value_name = "SECONDS"
    )]
    pub jwks_refresh: Duration,
    /// Let everyone do everything, on whatever address and by whatever name; else, without credentials to ask for,
    /// only a loopback address is served, and only to those who ask for it as such or as localhost
    #[arg(
        id = "allow-anonymous", long, env = "ROSTER_ALLOW_ANONYMOUS", global = true,
        action = clap::ArgAction::Set, default_value_t = false, hide_possible_values = true,
        num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL"
    )]
    pub allow_anonymous: bool,
}

impl AccessConfig {
    /// The setting that says where API tokens are known.
    pub(crate) const TOKENS_FILE: &'static str = "--tokens-file (ROSTER_TOKENS_FILE)";
    /// The setting that says where keys for JWTs are.
    pub(crate) const JWKS: &'static str = "--jwks (ROSTER_JWKS)";
    const JWT_ISSUER: &'static str = "--jwt-issuer (ROSTER_JWT_ISSUER)";
    const JWT_AUDIENCE: &'static str = "--jwt-audience (ROSTER_JWT_AUDIENCE)";
    const ALLOW_ANONYMOUS: &'static str = "--allow-anonymous (ROSTER_ALLOW_ANONYMOUS)";

    /// Whether a request needs a credential.
    pub(crate) fn asks_for_credentials(&self) -> bool {
        self.tokens_file.is_some() || self.jwks.is_some()
    }

    /// Whether these settings go together, on the address that is served.
    ///
    /// # Errors
    ///
    /// The setting that is wrong, or is missing.
    pub(crate) fn check(&self, listen: SocketAddr, listens: &'static str) -> Result<(), Failure> {
        let wrong = |setting, why: &str| Err(Failure::setting(setting, anyhow!("{why}")));
        let is_open = !self.asks_for_credentials();
        match (&self.jwks, &self.jwt_issuer, &self.jwt_audience) {
            (Some(_), None, _) => {
                return wrong(Self::JWT_ISSUER, "is needed with --jwks: whose JWTs to take");
            }
            (Some(_), _, None) => {
                return wrong(Self::JWT_AUDIENCE, "is needed with --jwks: JWTs for whom to take");
            }
            (None, Some(_), _) => {
                return wrong(Self::JWT_ISSUER, "takes --jwks beside it: the issuer's keys");
            }
            (None, _, Some(_)) => {
                return wrong(Self::JWT_AUDIENCE, "takes --jwks beside it: the issuer's keys");
            }
            _ => {}
        }
        if self.allow_anonymous && !is_open {
            return wrong(
                Self::ALLOW_ANONYMOUS,
                "lets everyone in, and --tokens-file or --jwks do not: choose one",
            );
        }
        if is_open && !self.allow_anonymous && !listen.ip().is_loopback() {
            let why = format!(
                "{listen} is no loopback address, and there are no credentials to ask for: \
                 name them with --tokens-file or --jwks, serve on 127.0.0.1, or everyone with --allow-anonymous"
            );
            return wrong(listens, &why);
        }
        Ok(())
    }
}

/// Where the keys are that sign JWTs.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum JwksSource {
    /// In a file.
    File(PathBuf),
    /// At a URL, of `https`, or of `http` on this machine.
    Url(Url),
}

impl FromStr for JwksSource {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.contains("://") {
            return if text.is_empty() {
                Err("must name a file or a URL")
            } else {
                Ok(Self::File(text.into()))
            };
        }
        let url = Url::parse(text).map_err(|_| "must be the name of a file, or a URL")?;
        match url.scheme() {
            "https" => Ok(Self::Url(url)),
            "http" if is_on_this_machine(&url) => Ok(Self::Url(url)),
            _ => Err(
                "must be asked over https, or over http on this machine alone: keys must come from who signs",
            ),
        }
    }
}

fn is_on_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

impl fmt::Debug for JwksSource {
    /// Of a URL, where it is asked, and no more: the rest may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Url(url) => f.write_str(&url.origin().ascii_serialization()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_a_file_or_come_over_https_or_from_this_machine() {
        assert_eq!("keys.json".parse(), Ok(JwksSource::File("keys.json".into())));
        for url in
            ["https://id.example.org/jwks", "http://127.0.0.1:9/jwks", "http://[::1]/", "http://localhost/"]
        {
            assert_eq!(url.parse(), Ok(JwksSource::Url(Url::parse(url).unwrap())));
        }
        for url in [
            "",
            "http://id.example.org/jwks",
            "http://localhost.example.org/",
            "ftp://127.0.0.1/",
            "https://",
        ] {
            assert!(url.parse::<JwksSource>().is_err(), "{url}");
        }
        let secret: JwksSource = "https://ada:secret@id.example.org/jwks?key=secret".parse().unwrap();
        assert_eq!(format!("{secret:?}"), "https://id.example.org");
    }
}
