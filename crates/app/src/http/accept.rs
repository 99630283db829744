use actix_web::Error;
use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::middleware::Next;

use super::error::ApiError;

/// Refuses a request of a resource whose `Accept` has no place for JSON, before anything is done for it. A `DELETE` has
/// no body to be accepted.
pub(super) async fn json<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let accept = request.headers().get_all(header::ACCEPT);
    let lines: Vec<_> = accept.filter_map(|line| line.to_str().ok()).collect();
    let is_route = request.match_pattern().is_some();
    if is_route && request.method() != Method::DELETE && !accepts(&lines.join(","), "application", "json") {
        return Ok(request.error_response(ApiError::NotAcceptable).map_into_right_body());
    }
    next.call(request).await.map(ServiceResponse::map_into_left_body)
}

/// Whether an `Accept` header has a place for a media type (RFC 9110 §12.5.1): of the ranges that hold for
/// it, the most specific says so. An absent header accepts everything.
fn accepts(accept: &str, kind: &str, subtype: &str) -> bool {
    let mut ranges = accept.split(',').map(str::trim).filter(|range| !range.is_empty()).peekable();
    if ranges.peek().is_none() {
        return true;
    }
    let matching = ranges.filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let specificity = specificity(parts.next()?, kind, subtype)?;
        let refused = parts.any(|parameter| weight(parameter) == Some(0.0));
        Some((specificity, !refused))
    });
    matching.max_by_key(|(specificity, _)| *specificity).is_some_and(|(_, accepted)| accepted)
}

/// How closely a range holds for a media type; `None` where it does not.
fn specificity(range: &str, kind: &str, subtype: &str) -> Option<u8> {
    let (range_kind, range_subtype) = range.split_once('/')?;
    match (range_kind, range_subtype) {
        ("*", "*") => Some(0),
        (k, "*") if k.eq_ignore_ascii_case(kind) => Some(1),
        (k, s) if k.eq_ignore_ascii_case(kind) && s.eq_ignore_ascii_case(subtype) => Some(2),
        _ => None,
    }
}

fn weight(parameter: &str) -> Option<f32> {
    let (name, value) = parameter.split_once('=')?;
    name.trim().eq_ignore_ascii_case("q").then(|| value.trim().parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_range_says_whether_json_is_accepted() {
        for (accept, expected) in [
            ("", true),
            ("*/*", true),
            ("application/json", true),
            ("Application/JSON;q=0.1", true),
            ("application/*", true),
            ("text/html, application/xhtml+xml, */*;q=0.8", true),
            ("text/html", false),
            ("application/xml", false),
            ("application/json;q=0", false),
            ("application/json;q=0, */*", false),
            ("*/*;q=0, application/json", true),
            ("text/*, application/*;Q=0.0", false),
            ("nonsense", false),
        ] {
            assert_eq!(accepts(accept, "application", "json"), expected, "{accept}");
        }
    }
}
