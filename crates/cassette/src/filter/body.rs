use super::{Filter, form, json, multipart};
use crate::interaction::RecordedRequest;
use crate::json::{Json, parse_many};

/// Deeper JSON is not understood.
const DEPTH: usize = 128;

/// Filters the fields of a body, by what its content type says it is: JSON (`application/json`, any `+json`,
/// NDJSON), multipart, or a form. A body that does not say so but is JSON is filtered as JSON too.
pub(super) fn filter(request: &mut RecordedRequest, filters: &[Filter], nested: bool) {
    if filters.is_empty() || request.body.is_empty() {
        return;
    }
    let filtered = match understood(request) {
        Understood::Json(text, values) => {
            Some(json::filter(text, &values, &json::Edit { filters, nested, request }).into_bytes())
        }
        Understood::Multipart(boundary) => {
            Some(multipart::filter(&request.body, &boundary, filters, nested, request))
        }
        Understood::Form => Some(form::filter(&request.body, filters, nested, request)),
        Understood::Nothing => None,
    };
    if let Some(filtered) = filtered.filter(|filtered| *filtered != request.body) {
        request.set_body(filtered);
    }
}

enum Understood<'a> {
    Json(&'a str, Vec<Json<'a>>),
    Multipart(String),
    Form,
    Nothing,
}

fn understood(request: &RecordedRequest) -> Understood<'_> {
    let content_type = request.headers.get("content-type").unwrap_or_default();
    if let Some(boundary) = multipart::boundary(content_type) {
        return Understood::Multipart(boundary);
    }
    let Ok(text) = std::str::from_utf8(&request.body) else {
        return Understood::Nothing;
    };
    match parse_many(text, DEPTH) {
        Ok(values) if may_be_json(content_type, text) => Understood::Json(text, values),
        _ => Understood::Form,
    }
}

fn may_be_json(content_type: &str, text: &str) -> bool {
    is_json(content_type) || text.trim_start().starts_with(['{', '['])
}

/// Whether a content type's essence is JSON: `application/json`, `…+json` (RFC 6839, section 3.1) or lines of
/// JSON.
pub(crate) fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let lines = ["application/x-ndjson", "application/ndjson", "application/jsonl", "application/json-seq"];
    essence == "application/json"
        || essence == "text/json"
        || essence.ends_with("+json")
        || lines.contains(&&*essence)
}

/// The first filtered name that a body, which says that it is JSON or begins like it but is not, still has as a quoted
/// key.
pub(super) fn still_holds<'a>(request: &RecordedRequest, filters: &'a [Filter]) -> Option<&'a str> {
    let content_type = request.headers.get("content-type").unwrap_or_default();
    let text = String::from_utf8_lossy(&request.body);
    let is_multipart = multipart::boundary(content_type).is_some();
    if is_multipart
        || !may_be_json(content_type, &text)
        || matches!(understood(request), Understood::Json(..))
    {
        return None;
    }
    filters.iter().map(Filter::name).find(|name| text.contains(&format!("\"{name}\"")))
}

/// The first filtered name of which a body, which was packed when it was filtered, has a field.
pub(super) fn still_has<'a>(
    unpacked: &RecordedRequest,
    filters: &'a [Filter],
    nested: bool,
) -> Option<&'a str> {
    filters.iter().map(Filter::name).find(|name| {
        let mut without = unpacked.clone();
        filter(&mut without, &[Filter::remove(*name)], nested);
        without.body != unpacked.body
    })
}

pub(crate) use multipart::boundary;

#[cfg(test)]
mod tests {
    use super::*;

    fn filtered(content_type: &str, body: &str) -> String {
        let mut request = RecordedRequest { body: body.to_owned().into(), ..RecordedRequest::default() };
        request.headers.insert("Content-Type", content_type).unwrap();
        request.headers.insert("Content-Length", &body.len().to_string()).unwrap();
        filter(&mut request, &["password".into()], true);
        assert_eq!(request.headers.get("content-length"), Some(request.body.len().to_string().as_str()));
        String::from_utf8(request.body.to_vec()).unwrap()
    }

    #[test]
    fn json_is_known_by_its_essence_or_by_its_looks() {
        let types = [
            "application/json",
            "application/json; charset=utf-8",
            "application/merge-patch+json",
            "text/plain",
            "",
        ];
        for content_type in types {
            assert_eq!(filtered(content_type, r#"{"a":{"password":"x"}}"#), r#"{"a":{}}"#, "{content_type}");
        }
    }

    #[test]
    fn what_is_not_json_is_taken_for_a_form() {
        assert_eq!(filtered("application/x-www-form-urlencoded", "a=1&password=x"), "a=1");
        assert_eq!(filtered("application/octet-stream", "password=x&a=1"), "a=1");
    }

    #[test]
    fn broken_json_that_still_has_the_name_is_noticed() {
        let mut request =
            RecordedRequest { body: r#"{"password": "x", "#.into(), ..RecordedRequest::default() };
        request.headers.insert("content-type", "application/json").unwrap();
        assert_eq!(still_holds(&request, &["password".into()]), Some("password"));
        request.body = r#"{"password": "x"}"#.into();
        assert_eq!(still_holds(&request, &["password".into()]), None);
    }
}
