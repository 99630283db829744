use super::Filter;
use crate::interaction::RecordedRequest;
use crate::percent;

/// Filters the query and, as vcrpy does whenever there is such a filter, writes it anew with its pairs
/// sorted. Unlike vcrpy it keeps the parameters that have no value.
pub(super) fn filter(request: &mut RecordedRequest, filters: &[Filter]) {
    if filters.is_empty() {
        return;
    }
    let whole = request.uri.split('#').next().unwrap_or_default();
    let Some((base, query)) = whole.split_once('?') else { return };
    let mut pairs: Vec<(String, String)> =
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    pairs.sort();
    let kept = pairs.into_iter().filter_map(|(name, value)| {
        match filters.iter().rev().find(|filter| filter.name() == name) {
            Some(filter) => filter.apply(&value, request).map(|value| (name, value)),
            None => Some((name, value)),
        }
    });
    let query: Vec<_> = kept.map(|(name, value)| format!("{}={}", quote(&name), quote(&value))).collect();
    request.uri = if query.is_empty() { base.to_owned() } else { format!("{base}?{}", query.join("&")) };
}

/// Percent-encoding as Python's `urlencode` does it, so that both write the same URI.
fn quote(text: &str) -> String {
    percent::encode(text).replace("%20", "+")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filtered(uri: &str, filters: &[Filter]) -> String {
        let mut request = RecordedRequest { uri: uri.to_owned(), ..RecordedRequest::default() };
        filter(&mut request, filters);
        request.uri
    }

    #[test]
    fn parameters_go_or_change_and_the_rest_is_sorted() {
        let filters = ["api_key".into(), ("sig", "S").into()];
        let uri = "http://h/p?z=1&sig=abc&api%5Fkey=K&a=x+y&flag";
        assert_eq!(filtered(uri, &filters), "http://h/p?a=x+y&flag=&sig=S&z=1");
        assert_eq!(filtered("http://h/p?api_key=K", &filters), "http://h/p");
        assert_eq!(filtered("http://h/p", &filters), "http://h/p");
        assert_eq!(filtered("http://h/p?a=1&api_key=K#end", &filters), "http://h/p?a=1");
    }

    #[test]
    fn without_filters_the_uri_stays_as_it_is() {
        assert_eq!(filtered("http://h/p?b=1&a=%7E", &[]), "http://h/p?b=1&a=%7E");
    }
}
