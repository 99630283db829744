use super::Filter;
use crate::interaction::RecordedRequest;
use url::form_urlencoded::parse;

/// Filters `name=value` pairs; the rest stays as it is. Names are compared decoded, and where `nested` the
/// last part of a name such as `user[password]` counts too.
pub(super) fn filter(body: &[u8], filters: &[Filter], nested: bool, request: &RecordedRequest) -> Vec<u8> {
    let kept = body.split(|byte| *byte == b'&').filter_map(|pair| {
        match pair.iter().position(|byte| *byte == b'=') {
            Some(at) => filter_pair(pair, at, filters, nested, request),
            None => Some(pair.to_vec()),
        }
    });
    kept.collect::<Vec<_>>().join(&b'&')
}

fn filter_pair(
    pair: &[u8],
    at: usize,
    filters: &[Filter],
    nested: bool,
    request: &RecordedRequest,
) -> Option<Vec<u8>> {
    let name = decoded(&pair[..at]);
    let Some(filter) = filters.iter().rev().find(|filter| is_named(&name, filter.name(), nested)) else {
        return Some(pair.to_vec());
    };
    let value = filter.apply(&decoded(&pair[at + 1..]), request)?;
    Some([&pair[..=at], value.as_bytes()].concat())
}

fn decoded(part: &[u8]) -> String {
    // A `=` in front makes the whole part a value, whatever stands in it.
    parse(&[b"=", part].concat()).next().map_or_else(String::new, |(_, value)| value.into_owned())
}

pub(super) fn is_named(name: &str, wanted: &str, nested: bool) -> bool {
    let last = name.strip_suffix(']').and_then(|name| name.rsplit_once('['));
    name == wanted || (nested && last.is_some_and(|(_, last)| last == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filtered(body: &str, filters: &[Filter], nested: bool) -> String {
        let body = filter(body.as_bytes(), filters, nested, &RecordedRequest::default());
        String::from_utf8(body).unwrap()
    }

    #[test]
    fn names_are_compared_decoded_and_the_rest_is_untouched() {
        let filters = ["password".into(), ("api:key", "K").into()];
        assert_eq!(
            filtered("username=bob&password=h%20x&a=%7e&flag", &filters, true),
            "username=bob&a=%7e&flag"
        );
        assert_eq!(filtered("api%3Akey=1&p%61ssword=2", &filters, true), "api%3Akey=K");
    }

    #[test]
    fn names_in_brackets_count_unless_told_otherwise() {
        let filters = ["password".into()];
        assert_eq!(filtered("user[password]=1&user%5Bpassword%5D=2&x=3", &filters, true), "x=3");
        assert_eq!(filtered("user[password]=1", &filters, false), "user[password]=1");
    }
}
