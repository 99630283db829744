use url::{Host, Url};

/// Hosts whose requests pass by the cassette.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hosts {
    names: Vec<String>,
    pub(crate) localhost: bool,
}

impl Hosts {
    pub(crate) fn set_names(&mut self, names: Vec<String>) {
        self.names = names.into_iter().map(|name| name.to_ascii_lowercase()).collect();
    }

    /// Whether the host of `uri` is among them: by name, by `*.domain`, or as this machine's own.
    pub(crate) fn contains(&self, uri: &str) -> bool {
        if self.names.is_empty() && !self.localhost {
            return false;
        }
        let Ok(url) = Url::parse(uri) else {
            return false;
        };
        let Some(host) = url.host_str() else {
            return false;
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        (self.localhost && is_local(&url))
            || self.names.iter().any(|name| matches(name, host) || name == bare)
    }
}

fn matches(name: &str, host: &str) -> bool {
    match name.strip_prefix('*') {
        Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
        None => name == host,
    }
}

fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.octets() == [127, 0, 0, 1] || address.is_unspecified(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found_by_name_by_domain_and_as_local() {
        let mut hosts = Hosts::default();
        hosts.set_names(vec!["Metrics.example".into(), "*.telemetry.example".into(), "::1".into()]);
        for uri in ["http://metrics.example/x", "https://a.telemetry.example:8443/", "http://[::1]:9/"] {
            assert!(hosts.contains(uri), "{uri}");
        }
        for uri in ["http://telemetry.example/", "http://xmetrics.example/", "http://localhost/"] {
            assert!(!hosts.contains(uri), "{uri}");
        }
        hosts.localhost = true;
        for uri in ["http://localhost:1/", "http://127.0.0.1/", "http://0.0.0.0/", "http://[::1]/"] {
            assert!(hosts.contains(uri), "{uri}");
        }
    }
}
