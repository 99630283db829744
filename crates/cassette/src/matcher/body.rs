use crate::filter::boundary;
use crate::interaction::RecordedRequest;
use crate::json::{self, Json};
use std::borrow::Cow;

/// Whether two bodies mean the same, by what both requests' headers say of them. Where one does not parse as
/// they say, or they say different things, the bytes decide.
pub(super) fn agree(made: &RecordedRequest, recorded: &RecordedRequest) -> bool {
    if made.body == recorded.body {
        return true;
    }
    let form = Form::of(made);
    if form != Form::of(recorded) {
        return false;
    }
    let (a, b) = (unchunked(made), unchunked(recorded));
    match form {
        Form::Json => matches!((parse(&a), parse(&b)), (Some(a), Some(b)) if same(&a, &b)),
        Form::UrlEncoded => pairs(&a) == pairs(&b),
        Form::Multipart => without_boundary(made, &a) == without_boundary(recorded, &b),
        Form::Other => a == b,
    }
}

#[derive(PartialEq)]
enum Form {
    Json,
    UrlEncoded,
    Multipart,
    Other,
}

impl Form {
    fn of(request: &RecordedRequest) -> Self {
        let content_type = request.headers.get("content-type").unwrap_or_default().to_ascii_lowercase();
        if crate::filter::is_json(&content_type) {
            Self::Json
        } else if content_type.contains("application/x-www-form-urlencoded") {
            Self::UrlEncoded
        } else if boundary(&content_type).is_some() {
            Self::Multipart
        } else {
            Self::Other
        }
    }
}

fn parse(body: &[u8]) -> Option<Vec<Json<'_>>> {
    json::parse_many(std::str::from_utf8(body).ok()?, 128).ok()
}

fn same(a: &[Json<'_>], b: &[Json<'_>]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b))
}

/// Values by name, as Python's `parse_qs` has them: the order of names does not count, that of a name's
/// values does.
fn pairs(body: &[u8]) -> std::collections::BTreeMap<Cow<'_, str>, Vec<Cow<'_, str>>> {
    let mut pairs = std::collections::BTreeMap::<_, Vec<_>>::new();
    for (name, value) in url::form_urlencoded::parse(body).filter(|(_, value)| !value.is_empty()) {
        pairs.entry(name).or_default().push(value);
    }
    pairs
}

/// A client invents the boundary anew for each request.
fn without_boundary(request: &RecordedRequest, body: &[u8]) -> Vec<u8> {
    let boundary = request.headers.get("content-type").and_then(boundary).unwrap_or_default();
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = (!boundary.is_empty())
        .then(|| rest.windows(boundary.len()).position(|window| window == boundary.as_bytes()))
        .flatten()
    {
        out.extend_from_slice(&rest[..at]);
        out.push(0);
        rest = &rest[at + boundary.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// The content of a body that was kept in chunks (RFC 9112, section 7.1), or the body as it is.
fn unchunked(request: &RecordedRequest) -> Cow<'_, [u8]> {
    let chunked = request
        .headers
        .get("transfer-encoding")
        .is_some_and(|value| value.to_lowercase().contains("chunked"));
    let content = if chunked { read_chunks(&request.body) } else { None };
    content.map_or(Cow::Borrowed(&request.body), Cow::Owned)
}

fn read_chunks(body: &[u8]) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    let mut rest = body;
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let digits = std::str::from_utf8(&rest[..end]).ok()?;
        let length = usize::from_str_radix(digits, 16).ok()?;
        rest = &rest[end + 2..];
        if length == 0 {
            return Some(content);
        }
        content.extend_from_slice(rest.get(..length)?);
        rest = rest[length..].strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)], body: &str) -> RecordedRequest {
        let mut request = RecordedRequest { body: body.to_owned().into(), ..RecordedRequest::default() };
        for (name, value) in headers {
            request.headers.insert(name, value).unwrap();
        }
        request
    }

    #[test]
    fn json_and_forms_agree_by_meaning() {
        let json = |body| request(&[("Content-Type", "application/json")], body);
        assert!(agree(&json(r#"{"a":1,"b":2}"#), &json(r#"{"b": 2, "a": 1.0}"#)));
        assert!(!agree(&json(r#"{"a":1}"#), &json(r#"{"a":2}"#)));
        assert!(!agree(&json("{oops"), &json("{oops ")));
        let form = |body| request(&[("content-type", "application/x-www-form-urlencoded")], body);
        assert!(agree(&form("a=1&b=x+y&c="), &form("b=x%20y&a=1")));
        assert!(!agree(&form("a=1&a=2"), &form("a=2&a=1")));
        assert!(!agree(&json("1"), &form("1 ")));
    }

    #[test]
    fn multipart_bodies_agree_whatever_their_boundary() {
        let multipart = |boundary: &str, value: &str| {
            let body = format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n{value}\r\n--{boundary}--\r\n"
            );
            request(&[("content-type", &format!("multipart/form-data; boundary={boundary}"))], &body)
        };
        assert!(agree(&multipart("Ab1", "x"), &multipart("cD22", "x")));
        assert!(!agree(&multipart("Ab1", "x"), &multipart("cD22", "y")));
    }

    #[test]
    fn chunks_agree_with_other_chunks_of_the_same_content() {
        let chunked = |body| request(&[("transfer-encoding", "chunked")], body);
        assert!(agree(&chunked("3\r\nabc\r\n0\r\n\r\n"), &chunked("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n")));
        assert!(agree(&chunked("abc"), &chunked("3\r\nabc\r\n0\r\n\r\n")));
        assert!(!agree(&chunked("3\r\nabc\r\n0\r\n\r\n"), &chunked("3\r\nabd\r\n0\r\n\r\n")));
    }
}
