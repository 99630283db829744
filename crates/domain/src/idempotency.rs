//! Requests that their sender may repeat without harm.

use std::time::Duration;

use crate::{Receipt, Timestamp};

/// What a client calls a request: 1 … 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The most characters that a key may have.
    pub const MAX_CHARS: usize = 255;

    /// `None` where `key` is empty, too long, or not all visible ASCII.
    pub fn parse(key: &str) -> Option<Self> {
        let visible = key.bytes().all(|byte| byte.is_ascii_graphic());
        (visible && (1..=Self::MAX_CHARS).contains(&key.len())).then(|| Self(key.to_owned()))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A request that takes effect once, however often it is sent within a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepeatableRequest {
    /// Whose key it is, and for what: a principal, with a method and route. The same key is another one
    /// elsewhere.
    pub scope: String,
    /// What the client calls the request.
    pub key: IdempotencyKey,
    /// A SHA-256 of what is asked, so that a key that is used for something else is found out.
    pub fingerprint: [u8; 32],
}

impl RepeatableRequest {
    /// How long it is remembered that a request took effect: 24 hours.
    pub const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

    /// What makes the request take effect once.
    pub fn receipt(self, now: Timestamp) -> Receipt {
        Receipt {
            // Events have receipts, too: those of requests are apart.
            scope: format!("request {}", self.scope),
            key: self.key.0,
            fingerprint: self.fingerprint,
            expires_at: now.plus(Self::REMEMBERED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_1_to_255_visible_ascii_characters() {
        for key in ["a", "~!\"\\,;=", &"x".repeat(255)] {
            assert_eq!(IdempotencyKey::parse(key).unwrap().as_str(), key);
        }
        for key in ["", " ", "a b", "a\t", "é", "\u{7f}", &"x".repeat(256)] {
            assert_eq!(IdempotencyKey::parse(key), None, "{key:?}");
        }
    }
}
