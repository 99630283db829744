//! The parameters of a request's query.

use std::borrow::Cow;

use actix_web::HttpRequest;
use url::form_urlencoded;

/// The parameters, in their order. Where a name stands twice, the last counts.
pub(in crate::http) struct Query(Vec<(String, String)>);

impl Query {
    pub(in crate::http) fn of(request: &HttpRequest) -> Self {
        Self::parse(request.query_string())
    }

    pub(in crate::http) fn parse(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).map(owned).collect())
    }

    /// The value of a parameter.
    pub(in crate::http) fn value(&self, wanted: &str) -> Option<&str> {
        let mut named = self.0.iter().rev().filter(|(name, _)| name == wanted);
        named.next().map(|(_, value)| value.as_str())
    }

    /// The link to the page that begins `after` something, with all else that this page was asked with: what is `known`,
    /// as a client may ask with much that is not.
    pub(in crate::http) fn next(&self, path: &str, known: &[&str], after: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let last = |known: &&str| self.0.iter().rposition(|(name, _)| name == known);
        let mut asked: Vec<_> = known.iter().filter_map(last).collect();
        asked.sort_unstable();
        query.extend_pairs(asked.into_iter().filter_map(|nth| self.0.get(nth)));
        query.append_pair("after", after);
        format!("<{path}?{}>; rel=\"next\"", query.finish())
    }
}

fn owned((name, value): (Cow<'_, str>, Cow<'_, str>)) -> (String, String) {
    (name.into_owned(), value.into_owned())
}
