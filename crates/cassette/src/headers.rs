use http::{HeaderName, HeaderValue};

/// Header fields of a recorded message, in the order met.
///
/// Names compare without regard to case (RFC 9110, section 5.1) and keep the spelling of their first use.
/// Values are valid by construction: no line break can be smuggled into one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    entries: Vec<(String, Vec<HeaderValue>)>,
}

/// A header name or value that RFC 9110, section 5, does not allow.
#[derive(Debug, thiserror::Error)]
#[error("`{name}` with this value is not a valid header field (RFC 9110, section 5)")]
pub struct InvalidHeader {
    name: String,
}

impl Headers {
    /// The first value of `name`, if it has one and that is visible ASCII.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_all(name).first()?.to_str().ok()
    }

    /// Every value of `name`; empty where the field is absent.
    pub fn get_all(&self, name: &str) -> &[HeaderValue] {
        self.position(name).map_or(&[], |at| self.entries[at].1.as_slice())
    }

    /// Whether the field is present.
    pub fn contains(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    /// Sets `name` to the one value `value`, and keeps its place if it was there.
    pub fn insert(&mut self, name: &str, value: &str) -> Result<(), InvalidHeader> {
        let value = self.checked(name, value.as_bytes())?;
        match self.position(name) {
            Some(at) => self.entries[at].1 = vec![value],
            None => self.entries.push((name.to_owned(), vec![value])),
        }
        Ok(())
    }

    /// Adds one more value to `name`.
    pub fn append(&mut self, name: &str, value: &[u8]) -> Result<(), InvalidHeader> {
        let value = self.checked(name, value)?;
        match self.position(name) {
            Some(at) => self.entries[at].1.push(value),
            None => self.entries.push((name.to_owned(), vec![value])),
        }
        Ok(())
    }

    /// Removes `name` and returns its values.
    pub fn remove(&mut self, name: &str) -> Vec<HeaderValue> {
        self.position(name).map_or_else(Vec::new, |at| self.entries.remove(at).1)
    }

    /// Name and values of each field.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[HeaderValue])> {
        self.entries.iter().map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    /// Joins the values of each field into one, as a cassette keeps exactly one value of a request's field.
    pub(crate) fn join_values(&mut self) {
        for (name, values) in &mut self.entries {
            if values.len() > 1 {
                let separator: &[u8] = if name.eq_ignore_ascii_case("cookie") { b"; " } else { b", " };
                let joined = values.iter().map(HeaderValue::as_bytes).collect::<Vec<_>>().join(separator);
                values.truncate(1);
                if let (Some(first), Ok(value)) = (values.first_mut(), HeaderValue::from_bytes(&joined)) {
                    *first = value;
                }
            }
        }
    }

    /// Rewrites every value; one that `change` makes invalid is left as it was.
    pub(crate) fn map_values(&mut self, change: impl Fn(&[u8]) -> Vec<u8>) {
        for value in self.entries.iter_mut().flat_map(|(_, values)| values) {
            if let Ok(changed) = HeaderValue::from_bytes(&change(value.as_bytes())) {
                *value = changed;
            }
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.entries.iter().position(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    #[expect(clippy::unused_self, reason = "reads as a method where it is used")]
    fn checked(&self, name: &str, value: &[u8]) -> Result<HeaderValue, InvalidHeader> {
        let invalid = || InvalidHeader { name: name.escape_debug().to_string() };
        HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
        HeaderValue::from_bytes(value).map_err(|_| invalid())
    }
}

impl From<&http::HeaderMap> for Headers {
    fn from(map: &http::HeaderMap) -> Self {
        let mut headers = Self::default();
        for name in map.keys() {
            headers.entries.push((name.as_str().to_owned(), map.get_all(name).iter().cloned().collect()));
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compare_without_case_and_keep_their_first_spelling() {
        let mut headers = Headers::default();
        headers.append("X-Multi", b"one").unwrap();
        headers.append("x-multi", b"two").unwrap();
        let all: Vec<_> = headers.iter().map(|(name, values)| (name, values.len())).collect();
        assert_eq!(all, [("X-Multi", 2)]);
        assert_eq!(headers.get("X-MULTI"), Some("one"));
    }

    #[test]
    fn a_line_break_cannot_enter_a_value_or_a_name() {
        let mut headers = Headers::default();
        assert!(headers.insert("x", "a\r\nSet-Cookie: evil=1").is_err());
        assert!(headers.insert("x\r\ny", "a").is_err());
        assert!(!headers.contains("x"));
    }

    #[test]
    fn joining_uses_a_comma_but_a_semicolon_for_cookies() {
        let mut headers = Headers::default();
        for (name, value) in [("accept", "a"), ("accept", "b"), ("cookie", "c=1"), ("cookie", "d=2")] {
            headers.append(name, value.as_bytes()).unwrap();
        }
        headers.join_values();
        assert_eq!((headers.get("accept"), headers.get("cookie")), (Some("a, b"), Some("c=1; d=2")));
    }
}
