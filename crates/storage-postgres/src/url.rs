//! What a URL says beyond what the driver understands: libpq's `sslmode` and `sslrootcert`.

use percent_encoding::percent_decode_str;
use roster_domain::chain;
use tokio_postgres::Config;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};

use crate::tls::{Roots, Verify};
use crate::{SetupError, hosts};

/// A URL, taken apart.
#[derive(Debug)]
pub(crate) struct Url {
    /// What the driver understands, with what it is to ask of the server about TLS.
    pub(crate) config: Config,
    /// What is checked of the server's certificate.
    pub(crate) verify: Verify,
    /// Whom to trust about it.
    pub(crate) roots: Roots,
}

impl Url {
    pub(crate) fn parse(url: &str) -> Result<Self, SetupError> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(wrong("it begins with neither postgres:// nor postgresql://"));
        }
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let (tls, rest): (Vec<_>, Vec<_>) = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .partition(|pair| pair.starts_with("sslmode=") || pair.starts_with("sslrootcert="));
        let mut config = driver_config(&format!("{base}?{}", rest.join("&")))?;
        if hosts::count(&config) > 1 && value(&rest, "target_session_attrs").is_none() {
            // Of several servers one takes writes, and that may be another one tomorrow.
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        let roots = match value(&tls, "sslrootcert") {
            Some(path) if path == "system" => Roots::System,
            Some(path) => Roots::File(path.into()),
            None => Roots::None,
        };
        let (mode, verify) = tls_mode(value(&tls, "sslmode").as_deref(), &roots)?;
        config.ssl_mode(mode);
        let roots = if verify != Verify::Nothing && roots == Roots::None { Roots::System } else { roots };
        Ok(Self { config, verify, roots })
    }
}

/// The driver's own reading. Its message quotes the name of an option that it does not know, which is a
/// part of the password where one holds a `?`.
fn driver_config(url: &str) -> Result<Config, SetupError> {
    let config: Config = url.parse().map_err(|error| {
        let plain = |c: char| c.is_ascii_lowercase() || c == '_';
        let reason = chain(&error);
        match reason.split('`').nth(1) {
            Some(quoted) if !quoted.chars().all(plain) => {
                wrong("it has an option that is unknown; are `?`, `/`, `@` and `%` of the password encoded?")
            }
            _ => SetupError::Url(reason),
        }
    })?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err(wrong("it names no host"));
    }
    Ok(config)
}

/// What `sslmode` asks of the server, and of its certificate, as libpq reads it.
fn tls_mode(mode: Option<&str>, roots: &Roots) -> Result<(SslMode, Verify), SetupError> {
    let weakest = if *roots == Roots::None { Verify::Nothing } else { Verify::Issuer };
    let read = match mode {
        None if *roots == Roots::System => (SslMode::Require, Verify::Name),
        Some("verify-full") => (SslMode::Require, Verify::Name),
        Some(_) if *roots == Roots::System => {
            return Err(wrong("sslrootcert=system goes with sslmode=verify-full alone"));
        }
        None | Some("prefer") => (SslMode::Prefer, Verify::Nothing),
        Some("disable") => (SslMode::Disable, Verify::Nothing),
        Some("require") => (SslMode::Require, weakest),
        Some("verify-ca") => (SslMode::Require, Verify::Issuer),
        Some(_) => {
            return Err(wrong("sslmode is none of disable, prefer, require, verify-ca and verify-full"));
        }
    };
    Ok(read)
}

/// The decoded value of the last of `pairs` with this name.
fn value(pairs: &[&str], name: &str) -> Option<String> {
    let last = pairs.iter().rev().find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    last.map(|value| percent_decode_str(value).decode_utf8_lossy().into_owned())
}

fn wrong(reason: &str) -> SetupError {
    SetupError::Url(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> (SslMode, Verify, Roots) {
        let url = Url::parse(&format!("postgres://ada:secret@one,two:5433/roster{query}")).unwrap();
        (url.config.get_ssl_mode(), url.verify, url.roots)
    }

    fn refusal(url: &str) -> String {
        Url::parse(url).unwrap_err().to_string()
    }

    #[test]
    fn sslmode_is_read_as_libpq_reads_it() {
        let file = || Roots::File("/a b.pem".into());
        for (query, expected) in [
            ("", (SslMode::Prefer, Verify::Nothing, Roots::None)),
            ("?sslmode=disable", (SslMode::Disable, Verify::Nothing, Roots::None)),
            ("?sslmode=prefer", (SslMode::Prefer, Verify::Nothing, Roots::None)),
            ("?sslmode=require", (SslMode::Require, Verify::Nothing, Roots::None)),
            ("?sslmode=require&sslrootcert=/a%20b.pem", (SslMode::Require, Verify::Issuer, file())),
            ("?sslmode=verify-ca", (SslMode::Require, Verify::Issuer, Roots::System)),
            ("?sslrootcert=/a%20b.pem&sslmode=verify-ca", (SslMode::Require, Verify::Issuer, file())),
            ("?sslmode=verify-full", (SslMode::Require, Verify::Name, Roots::System)),
            ("?sslrootcert=system", (SslMode::Require, Verify::Name, Roots::System)),
        ] {
            assert_eq!(read(query), expected, "{query}");
        }
    }

    #[test]
    fn a_weak_sslmode_with_the_systems_roots_is_refused() {
        let refused = refusal("postgres://h/d?sslmode=require&sslrootcert=system");
        assert!(refused.ends_with("sslrootcert=system goes with sslmode=verify-full alone"), "{refused}");
        assert!(refusal("postgres://h/d?sslmode=allow").contains("sslmode is none of"));
    }

    #[test]
    fn other_options_reach_the_driver() {
        let url = Url::parse("postgresql://h/d?sslmode=disable&connect_timeout=7").unwrap();
        assert_eq!(url.config.get_connect_timeout(), Some(&std::time::Duration::from_secs(7)));
    }

    #[test]
    fn of_several_hosts_the_one_is_asked_for_that_takes_writes_unless_the_url_says_otherwise() {
        for (url, expected) in [
            ("postgres://one/d", TargetSessionAttrs::Any),
            ("postgres://one/d?target_session_attrs=read-write", TargetSessionAttrs::ReadWrite),
            ("postgres://one,two/d", TargetSessionAttrs::ReadWrite),
            ("postgres://one,two/d?target_session_attrs=any", TargetSessionAttrs::Any),
        ] {
            assert_eq!(Url::parse(url).unwrap().config.get_target_session_attrs(), expected, "{url}");
        }
    }

    #[test]
    fn a_wrong_url_is_refused_without_its_password() {
        assert!(refusal("postgres://h/d?sslcert=x").contains("sslcert"));
        assert!(refusal("postgres:///d").contains("no host"));
        assert!(refusal("mysql://h/d").contains("neither"));
        for url in
            ["postgres://ada:se?cret@h/d", "postgres://ada:se%zzcret@h/d", "postgres://ada:se@cret@h:x/d"]
        {
            let refused = Url::parse(url).map_or_else(|error| error.to_string(), |_| String::new());
            assert!(!refused.contains("cret"), "{refused}");
        }
    }
}
