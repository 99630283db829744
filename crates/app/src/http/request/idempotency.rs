//! `Idempotency-Key`: requests that a client may send again when it does not know what became of them.

use std::borrow::Cow;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::HeaderName;
use actix_web::{FromRequest, HttpRequest};
use roster_domain::{IdempotencyKey, NewUser, RepeatableRequest};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::http::middleware::access::principal;
use crate::http::problem::error::ApiError;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Says of an answer that it was given before.
pub(in crate::http) const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// What a client calls its request, where it calls it anything.
pub(in crate::http) struct Idempotency(Option<Key>);

struct Key {
    scope: String,
    key: IdempotencyKey,
}

impl Idempotency {
    /// The request to make this user, where it may be repeated. Bodies are compared as they were parsed: how
    /// one was written makes no difference.
    pub(in crate::http) fn creating(self, new: &NewUser) -> Option<RepeatableRequest> {
        let Key { scope, key } = self.0?;
        // Members in the order of their names: the canonical form of RFC 8785.
        let canonical = json!({"email": new.email.as_str(), "name": new.name.as_str()}).to_string();
        Some(RepeatableRequest { scope, key, fingerprint: Sha256::digest(canonical).into() })
    }
}

impl FromRequest for Idempotency {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let key = key(request).and_then(|key| {
            let key = key.map(|key| Ok(Key { scope: scope(request)?, key }));
            key.transpose().map(Self)
        });
        ready(key)
    }
}

/// Whose keys these are, and for what.
fn scope(request: &HttpRequest) -> Result<String, ApiError> {
    let route = request.match_pattern().unwrap_or_default();
    Ok(format!("{} {route} of {}", request.method(), principal(request)?))
}

fn key(request: &HttpRequest) -> Result<Option<IdempotencyKey>, ApiError> {
    let mut lines = request.headers().get_all(IDEMPOTENCY_KEY);
    let Some(line) = lines.next() else { return Ok(None) };
    let text = line.to_str().ok().filter(|_| lines.next().is_none());
    let key = text.and_then(parse);
    let malformed = || {
        let rule = format!("1 to {} visible ASCII characters, bare or quoted", IdempotencyKey::MAX_CHARS);
        ApiError::Malformed(format!("Idempotency-Key must be {rule}"))
    };
    key.map(Some).ok_or_else(malformed)
}

/// The key that a header holds, bare or quoted.
pub(in crate::http) fn parse(text: &str) -> Option<IdempotencyKey> {
    IdempotencyKey::parse(&unquoted(text.trim_matches([' ', '\t']))?)
}

/// What a string (RFC 8941 §3.3.3) stands for, or a text that does not begin as one; `None` where one is
/// begun and not rightly ended.
fn unquoted(text: &str) -> Option<Cow<'_, str>> {
    let Some(quoted) = text.strip_prefix('"') else { return Some(text.into()) };
    let mut chars = quoted.strip_suffix('"')?.chars();
    let mut key = String::new();
    while let Some(c) = chars.next() {
        match c {
            '\\' => key.push(chars.next().filter(|c| matches!(c, '"' | '\\'))?),
            '"' => return None,
            c => key.push(c),
        }
    }
    Some(key.into())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use roster_domain::{Email, Name};

    use super::*;

    fn key_of(lines: &[&str]) -> Option<String> {
        let mut request = TestRequest::default();
        for line in lines {
            request = request.append_header((IDEMPOTENCY_KEY, *line));
        }
        key(&request.to_http_request())
            .ok()
            .map(|key| key.map_or_else(String::new, |key| key.as_str().into()))
    }

    #[test]
    fn a_key_is_the_same_bare_and_quoted() {
        let longest = "x".repeat(255);
        for (line, expected) in [
            ("8e03978e-40d5", "8e03978e-40d5"),
            ("\"8e03978e-40d5\"", "8e03978e-40d5"),
            ("  \"a\" ", "a"),
            (r#""a\"b\\c""#, r#"a"b\c"#),
            (r#"a"b\c"#, r#"a"b\c"#),
            ("a,b;c=d", "a,b;c=d"),
            (&longest, &longest),
            (&format!("\"{longest}\""), &longest),
        ] {
            assert_eq!(key_of(&[line]).as_deref(), Some(expected), "{line}");
        }
        assert_eq!(key_of(&[]).as_deref(), Some(""));
    }

    #[test]
    fn what_is_no_key_is_malformed() {
        let long = "x".repeat(256);
        for line in
            ["", "\"\"", "\"", "\"a", "\"a\"b\"", "\"a\";b=1", "\"a b\"", "a b", r#""a\b""#, r#""a\""#]
        {
            assert_eq!(key_of(&[line]), None, "{line}");
        }
        assert_eq!(key_of(&[&long]), None);
        assert_eq!(key_of(&["é"]), None);
        assert_eq!(key_of(&["a", "a"]), None, "which of two is meant is not for us to say");
    }

    #[test]
    fn a_fingerprint_is_that_of_what_is_asked_and_not_of_how_it_is_written() {
        let of = |email: &str, name: &str| {
            let key = IdempotencyKey::parse("k").map(|key| Key { scope: String::new(), key });
            let idempotency = Idempotency(key);
            let new = NewUser { email: Email::parse(email).unwrap(), name: Name::parse(name).unwrap() };
            idempotency.creating(&new).unwrap().fingerprint
        };
        assert_eq!(of("ada@example.org", "Ada"), of(" ADA@Example.org", "Ada "));
        assert_ne!(of("ada@example.org", "Ada"), of("ada@example.org", "Ada K"));
        assert_ne!(of("ada@example.org", "Ada"), of("bda@example.org", "Ada"));
    }
}
