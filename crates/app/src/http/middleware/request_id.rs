use std::fmt;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// The header that carries a [`RequestId`], in and out.
pub(in crate::http) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a request is called in its answer and in the log: as its sender called it, where that is 1 … 128
/// visible ASCII characters, else a new UUID.
#[derive(Debug, Clone)]
pub(in crate::http) struct RequestId(HeaderValue);

impl RequestId {
    /// The id of the request with these headers.
    pub(in crate::http) fn of(headers: &HeaderMap) -> Self {
        let sent = headers.get(X_REQUEST_ID).filter(|id| is_valid(id.as_bytes()));
        sent.map_or_else(Self::made, |id| Self(id.clone()))
    }

    fn made() -> Self {
        let id = Uuid::new_v4().hyphenated().to_string();
        Self(HeaderValue::try_from(id).unwrap_or_else(|_| HeaderValue::from_static("unknown")))
    }

    /// The id as a header's value.
    pub(in crate::http) fn to_header_value(&self) -> HeaderValue {
        self.0.clone()
    }

    /// The id as text.
    pub(in crate::http) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn is_valid(id: &[u8]) -> bool {
    (1..=128).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sent: &[u8]) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(X_REQUEST_ID, HeaderValue::from_bytes(sent).unwrap());
        RequestId::of(&headers).to_string()
    }

    #[test]
    fn an_id_of_visible_ascii_is_kept() {
        for sent in ["a", "~!\"{}", &"x".repeat(128)] {
            assert_eq!(of(sent.as_bytes()), sent);
        }
    }

    #[test]
    fn a_bad_id_is_replaced() {
        for sent in [&b""[..], b"a b", b"a\tb", b"\xff", "é".as_bytes(), &[b'x'; 129]] {
            assert!(Uuid::parse_str(&of(sent)).is_ok(), "{sent:?}");
        }
    }
}
