//! Who a client is, as far as the network tells.

use std::net::{IpAddr, Ipv6Addr};

use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName, X_FORWARDED_FOR};
use ipnet::IpNet;

use crate::config::ProxyHeader;

/// The proxies that are believed whom they have their requests from, and where they say it.
#[derive(Debug, Clone, Default)]
pub(super) struct TrustedProxies {
    pub(super) networks: Vec<IpNet>,
    pub(super) header: ProxyHeader,
}

/// The addresses that the header lists, the client's first; `None` for one that is hidden.
type Hops = Vec<Option<IpAddr>>;

impl TrustedProxies {
    /// The address that a request comes from: of the peer, or, while that is of a trusted proxy, the one that it
    /// says it has the request from. What a client wrote itself is to the left of that, and is not looked at.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut address = peer.to_canonical();
        if !self.trusts(address) {
            return address;
        }
        let hops = self.hops(headers);
        for hop in hops.iter().rev() {
            // Where a hop has no address, the one before it, which said so, is all there is to go by.
            let Some(hop) = hop else { break };
            address = *hop;
            if !self.trusts(address) {
                break;
            }
        }
        address
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    fn hops(&self, headers: &HeaderMap) -> Hops {
        let (name, read): (HeaderName, fn(&str) -> Hops) = match self.header {
            ProxyHeader::XForwardedFor => (X_FORWARDED_FOR, forwarded_for),
            ProxyHeader::Forwarded => (FORWARDED, forwarded),
        };
        // A byte that a client wrote, and that is no text, takes nothing away that a proxy wrote after it.
        headers.get_all(name).flat_map(|line| read(&String::from_utf8_lossy(line.as_bytes()))).collect()
    }
}

/// The nodes of a line of `X-Forwarded-For`.
fn forwarded_for(line: &str) -> Hops {
    line.split(',').map(|node| address(node.trim())).collect()
}

/// The nodes of a line of `Forwarded` (RFC 7239 §4): `for=192.0.2.43;proto=http, for=198.51.100.17`.
fn forwarded(line: &str) -> Hops {
    let node = |element: &str| {
        let mut pairs = split(element, ';').into_iter().filter_map(|pair| pair.split_once('='));
        let (_, node) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
        address(node.trim().trim_matches('"'))
    };
    split(line, ',').into_iter().map(node).collect()
}

/// What stands between separators that are not quoted (RFC 9110 §5.6.4). Quotes are looked for from the end: a client
/// may have begun some that never end, before a proxy added what it says.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut rest, mut is_quoted) = (Vec::new(), text, false);
    for (at, char) in text.char_indices().rev() {
        let before = &text[..at];
        if char == '"' {
            let escapes = before.len() - before.trim_end_matches('\\').len();
            is_quoted ^= escapes.is_multiple_of(2);
        } else if char == separator && !is_quoted {
            parts.push(&rest[at + 1..]);
            rest = before;
        }
    }
    parts.push(rest);
    parts.reverse();
    parts
}

/// An address, with or without a port: `192.0.2.43`, `192.0.2.43:47011`, `2001:db8::1`, `[2001:db8::1]:47011`.
fn address(node: &str) -> Option<IpAddr> {
    let bare = match node.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?.0,
        None if node.matches(':').count() == 1 => node.split_once(':')?.0,
        None => node,
    };
    bare.parse().ok().map(|address: IpAddr| address.to_canonical())
}

/// What is one client's: an address, or, as each of those has as many as it likes, a network of IPv6 (RFC 6177).
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn client(header: ProxyHeader, peer: &str, lines: &[&str]) -> String {
        let networks = ["10.0.0.0/8", "2001:db8:1::/48"].map(|network| network.parse().unwrap()).into();
        let name = match header {
            ProxyHeader::XForwardedFor => X_FORWARDED_FOR,
            ProxyHeader::Forwarded => FORWARDED,
        };
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name.clone(), HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        TrustedProxies { networks, header }.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn the_client_is_the_last_that_no_trusted_proxy_stands_for() {
        for (peer, lines, expected) in [
            ("192.0.2.1", &["198.51.100.1"][..], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["203.0.113.9, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
            ("10.0.0.1", &["203.0.113.9", "198.51.100.1", "10.0.0.2"], "198.51.100.1"),
            ("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("10.0.0.1", &["é, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["\", 198.51.100.1"], "198.51.100.1"),
            ("::ffff:10.0.0.1", &["[2001:db8:2::1]:4711"], "2001:db8:2::1"),
            ("2001:db8:1::1", &["2001:db8:2::1"], "2001:db8:2::1"),
            ("10.0.0.1", &["198.51.100.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1, unknown, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ] {
            assert_eq!(client(ProxyHeader::XForwardedFor, peer, lines), expected, "{peer} {lines:?}");
        }
        for (lines, expected) in [
            (&["for=198.51.100.1"][..], "198.51.100.1"),
            (&["proto=https;For=\"[2001:db8:2::1]:4711\";by=10.0.0.1"], "2001:db8:2::1"),
            (&["for=203.0.113.9, for=198.51.100.1;proto=http", "for=10.0.0.2"], "198.51.100.1"),
            (&["for=198.51.100.1;host=\"a;for=203.0.113.9\""], "198.51.100.1"),
            (&["host=\"a;for=203.0.113.9\";for=198.51.100.1"], "198.51.100.1"),
            (&["for=198.51.100.1;host=\"a, for=203.0.113.9\""], "198.51.100.1"),
            (&[r#"for=198.51.100.1;host="a\", for=203.0.113.9, \"b""#], "198.51.100.1"),
            (&[r#"for=198.51.100.1;host="a\\""#], "198.51.100.1"),
            // A client wrote quotes that do not end.
            (&["for=203.0.113.9;host=\", for=198.51.100.1"], "198.51.100.1"),
            (&["for=203.0.113.9;host=\"", "for=198.51.100.1"], "198.51.100.1"),
            (&["é, for=198.51.100.1"], "198.51.100.1"),
            (&["for=_hidden"], "10.0.0.1"),
            (&["proto=http"], "10.0.0.1"),
        ] {
            assert_eq!(client(ProxyHeader::Forwarded, "10.0.0.1", lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_client_has_a_whole_network_of_ipv6() {
        let network = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("192.0.2.1"), "192.0.2.1");
    }
}
