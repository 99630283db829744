//! Which form of an answer a client accepts (RFC 9110 §12.5.1).

use actix_web::http::header::{self, HeaderMap};

/// The form that a client would have, of those that there are: what it gives the most weight, then what it
/// names most closely, then the first.
pub(in crate::http) fn choose(headers: &HeaderMap, forms: &[&'static str]) -> Option<&'static str> {
    let lines = headers.get_all(header::ACCEPT).filter_map(|line| line.to_str().ok());
    let accept = lines.collect::<Vec<_>>().join(",");
    let mut best: Option<(Fit, &'static str)> = None;
    for form in forms {
        if let Some(fit) = fit(&accept, form)
            && best.is_none_or(|(other, _)| fit > other)
        {
            best = Some((fit, form));
        }
    }
    best.map(|(_, form)| form)
}

/// The weight of what is given none, in thousandths.
pub(in crate::http) const FULL: u16 = 1000;

/// How well a form fits: the weight that it is given, in thousandths, and how closely it is named.
type Fit = (u16, u8);

/// How well an `Accept` header fits a media type: of the ranges that hold for it, the most specific says so.
/// An absent header accepts everything, a weight of 0 nothing.
fn fit(accept: &str, media_type: &str) -> Option<Fit> {
    let mut ranges = accept.split(',').map(str::trim).filter(|range| !range.is_empty()).peekable();
    if ranges.peek().is_none() {
        return Some((FULL, 0));
    }
    let matching = ranges.filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let specificity = specificity(parts.next()?, media_type)?;
        Some((specificity, parts.find_map(weight).unwrap_or(FULL)))
    });
    let (specificity, weight) = matching.max_by_key(|(specificity, _)| *specificity)?;
    (weight > 0).then_some((weight, specificity))
}

/// How closely a range holds for a media type; `None` where it does not.
fn specificity(range: &str, media_type: &str) -> Option<u8> {
    let (kind, _) = media_type.split_once('/')?;
    let (range_kind, range_subtype) = range.split_once('/')?;
    match (range_kind, range_subtype) {
        ("*", "*") => Some(0),
        (range_kind, "*") if range_kind.eq_ignore_ascii_case(kind) => Some(1),
        _ => range.eq_ignore_ascii_case(media_type).then_some(2),
    }
}

/// The weight that a parameter says, in thousandths, where it is one.
pub(in crate::http) fn weight(parameter: &str) -> Option<u16> {
    let (name, value) = parameter.split_once('=')?;
    let weight = value.trim().parse::<f32>().ok().filter(|weight| (0.0..=1.0).contains(weight));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is 1000 at the most")]
    let thousandths = weight.map(|weight| (weight * 1000.0).round() as u16);
    thousandths.filter(|_| name.trim().eq_ignore_ascii_case("q"))
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
            assert_eq!(fit(accept, "application/json").is_some(), expected, "{accept}");
        }
    }

    #[test]
    fn of_several_forms_the_one_is_chosen_that_the_client_asks_for_most() {
        for (accept, expected) in [
            (None, Some("a/json")),
            (Some("*/*"), Some("a/json")),
            (Some("a/stream"), Some("a/stream")),
            (Some("a/stream, */*"), Some("a/stream")),
            (Some("a/stream;q=0.5, a/json"), Some("a/json")),
            (Some("a/stream;q=0.5, a/json;q=0.4"), Some("a/stream")),
            (Some("a/stream;q=0, */*;q=0.1"), Some("a/json")),
            (Some("b/*"), None),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, header::HeaderValue::from_static(accept));
            }
            assert_eq!(choose(&headers, &["a/json", "a/stream"]), expected, "{accept:?}");
        }
    }
}
