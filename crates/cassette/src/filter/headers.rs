use super::Filter;
use crate::Headers;
use crate::interaction::{RecordedRequest, RecordedResponse};

/// Removed from requests where no header filter was chosen.
const USUAL_SECRETS: [&str; 6] =
    ["authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-auth-token"];

pub(super) fn filter_request(request: &mut RecordedRequest, filters: &[Filter]) {
    let mut headers = std::mem::take(&mut request.headers);
    for filter in filters {
        apply(&mut headers, filter, request);
    }
    request.headers = headers;
}

pub(super) fn filter_response(
    request: &RecordedRequest,
    response: &mut RecordedResponse,
    filters: &[Filter],
) {
    for filter in filters {
        apply(&mut response.headers, filter, request);
    }
}

pub(super) fn remove_usual_secrets(request: &mut RecordedRequest) {
    for name in USUAL_SECRETS {
        request.headers.remove(name);
    }
}

pub(super) fn remove_cookies_set(response: &mut RecordedResponse) {
    response.headers.remove("set-cookie");
}

/// A value that could not stand in a header is removed, as nothing better is known.
fn apply(headers: &mut Headers, filter: &Filter, request: &RecordedRequest) {
    let name = filter.name();
    let Some(first) = headers.get_all(name).first() else {
        return;
    };
    let value = String::from_utf8_lossy(first.as_bytes()).into_owned();
    let replaced = filter.apply(&value, request).is_some_and(|text| headers.insert(name, &text).is_ok());
    if !replaced {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_removed_replaced_or_computed_whatever_its_case() {
        let mut request = RecordedRequest::default();
        for name in ["Authorization", "X-Session", "X-Id"] {
            request.headers.insert(name, "secret").unwrap();
        }
        let longer = Filter::compute("X-ID", |name, value, _| Some(format!("{name}:{}", value.len())));
        filter_request(&mut request, &[Filter::remove("authorization"), ("x-session", "S").into(), longer]);
        assert!(!request.headers.contains("authorization"));
        assert_eq!(
            (request.headers.get("x-session"), request.headers.get("x-id")),
            (Some("S"), Some("X-ID:6"))
        );
    }

    #[test]
    fn a_replacement_that_is_no_header_value_removes_the_header() {
        let mut request = RecordedRequest::default();
        request.headers.insert("x", "secret").unwrap();
        filter_request(&mut request, &[("x", "a\nb").into()]);
        assert!(!request.headers.contains("x"));
    }
}
