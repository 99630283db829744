use super::{Filter, form};
use crate::interaction::RecordedRequest;
use memchr::memmem::find;

/// The boundary of a `multipart/form-data` content type (RFC 7578, section 4.1), if it is one.
pub(crate) fn boundary(content_type: &str) -> Option<String> {
    let mut parts = content_type.split(';');
    if !parts.next()?.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"').to_owned())
    })
}

/// Filters the parts of the given names, as [`form::filter`] does; a part that goes, goes with its headers.
pub(super) fn filter(
    body: &[u8],
    boundary: &str,
    filters: &[Filter],
    nested: bool,
    request: &RecordedRequest,
) -> Vec<u8> {
    let delimiter = [b"--", boundary.as_bytes()].concat();
    let parts = split(body, &delimiter).into_iter().enumerate().filter_map(|(index, part)| {
        if index == 0 { Some(part.to_vec()) } else { filter_part(part, filters, nested, request) }
    });
    parts.collect::<Vec<_>>().join(delimiter.as_slice())
}

fn filter_part(part: &[u8], filters: &[Filter], nested: bool, request: &RecordedRequest) -> Option<Vec<u8>> {
    let Some(at) = find(part, b"\r\n\r\n") else {
        return Some(part.to_vec());
    };
    let (head, content) = part.split_at(at + 4);
    let name = field_name(head).unwrap_or_default();
    let Some(filter) = filters.iter().rev().find(|filter| form::is_named(&name, filter.name(), nested))
    else {
        return Some(part.to_vec());
    };
    let value = content.strip_suffix(b"\r\n").unwrap_or(content);
    let replaced = filter.apply(&String::from_utf8_lossy(value), request)?;
    Some([head, replaced.as_bytes(), &content[value.len()..]].concat())
}

/// The `name` parameter of a part's headers, not its `filename`.
fn field_name(head: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(head);
    let (_, value) = head.match_indices("name=").find_map(|(at, found)| {
        let before = head[..at].trim_end();
        before.ends_with(';').then(|| head.split_at(at + found.len()))
    })?;
    Some(match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?.to_owned(),
        None => value.split([';', '\r', '\n']).next()?.trim().to_owned(),
    })
}

fn split<'a>(body: &'a [u8], delimiter: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let mut rest = body;
    while let Some(at) = find(rest, delimiter) {
        parts.push(&rest[..at]);
        rest = &rest[at + delimiter.len()..];
    }
    parts.push(rest);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_goes_or_changes_and_the_others_keep_their_bytes() {
        let body = "--BB\r\nContent-Disposition: form-data; name=\"keep\"\r\n\r\nok\r\n--BB\r\nContent-Disposition: form-data; \
                    name=\"password\"; filename=\"keep\"\r\n\r\nhunter2\r\n--BB\r\ncontent-disposition: form-data; name=token\r\n\r\nt0k\r\n--BB--\r\n";
        let filters = ["password".into(), ("token", "T").into()];
        let filtered = filter(body.as_bytes(), "BB", &filters, true, &RecordedRequest::default());
        let filtered = String::from_utf8(filtered).unwrap();
        assert!(
            filtered
                .starts_with("--BB\r\nContent-Disposition: form-data; name=\"keep\"\r\n\r\nok\r\n--BB\r\n")
        );
        assert!(filtered.ends_with("name=token\r\n\r\nT\r\n--BB--\r\n"));
        assert!(!filtered.contains("hunter2"));
    }

    #[test]
    fn the_boundary_is_read_quoted_or_not() {
        assert_eq!(boundary("multipart/form-data; boundary=BB").as_deref(), Some("BB"));
        assert_eq!(boundary("Multipart/Form-Data; charset=x; Boundary=\"B B\"").as_deref(), Some("B B"));
        assert_eq!(boundary("application/json"), None);
    }
}
