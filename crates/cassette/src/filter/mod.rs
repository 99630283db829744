//! What is taken out of messages before they are compared and kept.

mod body;
mod form;
mod headers;
mod hosts;
mod json;
mod multipart;
mod query;
mod sensitive;

pub(crate) use body::{boundary, is_json};
pub(crate) use hosts::Hosts;
pub(crate) use sensitive::{Sensitive, spellings};

use crate::interaction::{RecordedRequest, RecordedResponse};
use std::sync::Arc;

/// Changes a request before it is compared and recorded; `None` leaves the request alone: it goes to the
/// network and is not recorded.
pub(crate) type RequestHook = Arc<dyn Fn(RecordedRequest) -> Option<RecordedRequest> + Send + Sync>;

/// Changes a response before it is recorded; `None` leaves the interaction out of the cassette.
pub(crate) type ResponseHook = Arc<dyn Fn(RecordedResponse) -> Option<RecordedResponse> + Send + Sync>;

type Compute = Arc<dyn Fn(&str, &str, &RecordedRequest) -> Option<String> + Send + Sync>;

/// The name of a header, query parameter or body field, and what becomes of it.
///
/// `"name"` removes it, `("name", "text")` puts the text in its place, and [`Filter::compute`] asks a
/// closure:
///
/// ```
/// use roster_cassette::{Filter, Vcr};
///
/// let vcr = Vcr::builder()
///     .filter_headers(["authorization", "x-session"])
///     .filter_query_parameters([("api_key", "KEY")])
///     .filter_post_data_parameters([
///         Filter::remove("password"),
///         Filter::compute("card", |_name, value, _request| Some(format!("{} digits", value.len()))),
///     ])
///     .build();
/// # drop(vcr);
/// ```
#[derive(Clone)]
pub struct Filter {
    name: String,
    action: Action,
}

#[derive(Clone)]
enum Action {
    Remove,
    Replace(String),
    Compute(Compute),
}

impl Filter {
    /// Removes what has this name.
    pub fn remove(name: impl Into<String>) -> Self {
        Self { name: name.into(), action: Action::Remove }
    }

    /// Replaces the value of what has this name.
    pub fn replace(name: impl Into<String>, replacement: impl Into<String>) -> Self {
        Self { name: name.into(), action: Action::Replace(replacement.into()) }
    }

    /// Replaces the value by what `compute` makes of name, value and request; `None` removes it. What it makes of a
    /// password counts as one, unless it is known for a placeholder, as `<A PASSWORD>` is.
    pub fn compute<F>(name: impl Into<String>, compute: F) -> Self
    where
        F: Fn(&str, &str, &RecordedRequest) -> Option<String> + Send + Sync + 'static,
    {
        Self { name: name.into(), action: Action::Compute(Arc::new(compute)) }
    }

    /// The name it looks for.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The text it puts in the place of every value.
    fn replacement(&self) -> Option<&str> {
        match &self.action {
            Action::Replace(text) => Some(text),
            Action::Remove | Action::Compute(_) => None,
        }
    }

    /// The new value; `None` to remove.
    fn apply(&self, value: &str, request: &RecordedRequest) -> Option<String> {
        match &self.action {
            Action::Remove => None,
            Action::Replace(text) => Some(text.clone()),
            Action::Compute(compute) => compute(&self.name, value, request),
        }
    }
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let action = match &self.action {
            Action::Remove => "remove".to_owned(),
            Action::Replace(text) => format!("replace by {text:?}"),
            Action::Compute(_) => "compute".to_owned(),
        };
        write!(out, "Filter({:?}: {action})", self.name)
    }
}

impl From<&str> for Filter {
    fn from(name: &str) -> Self {
        Self::remove(name)
    }
}

impl From<String> for Filter {
    fn from(name: String) -> Self {
        Self::remove(name)
    }
}

impl<N: Into<String>, R: Into<String>> From<(N, R)> for Filter {
    fn from((name, replacement): (N, R)) -> Self {
        Self::replace(name, replacement)
    }
}

/// Takes `user:password@` out of a URI: it goes over the wire as a header, if at all (RFC 9110, section
/// 4.2.4).
fn remove_user(uri: &mut String) {
    let Some(start) = uri.find("://").map(|at| at + 3) else { return };
    let end = uri[start..].find(['/', '?', '#']).map_or(uri.len(), |at| start + at);
    if let Some(at) = uri[start..end].rfind('@') {
        uri.replace_range(start..=start + at, "");
    }
}

/// Every filter of a [`Vcr`](crate::Vcr), in vcrpy's order: headers, query, body, ignored hosts, hooks.
#[derive(Clone)]
pub(crate) struct Filters {
    /// `None` where nothing was chosen: the usual secrets are removed, from responses too.
    pub(crate) headers: Option<Vec<Filter>>,
    pub(crate) response_headers: Option<Vec<Filter>>,
    pub(crate) query: Vec<Filter>,
    pub(crate) post_data: Vec<Filter>,
    pub(crate) nested: bool,
    pub(crate) ignored: Hosts,
    pub(crate) before_request: Vec<RequestHook>,
    pub(crate) before_response: Vec<ResponseHook>,
    pub(crate) sensitive: Sensitive,
}

impl Default for Filters {
    fn default() -> Self {
        Self {
            headers: None,
            response_headers: None,
            query: Vec::new(),
            post_data: Vec::new(),
            nested: true,
            ignored: Hosts::default(),
            before_request: Vec::new(),
            before_response: Vec::new(),
            sensitive: Sensitive::default(),
        }
    }
}

impl Filters {
    /// The request as it is compared and kept; `None` where it is neither.
    pub(crate) fn request(&self, mut request: RecordedRequest) -> Option<RecordedRequest> {
        remove_user(&mut request.uri);
        match &self.headers {
            Some(filters) => headers::filter_request(&mut request, filters),
            None => headers::remove_usual_secrets(&mut request),
        }
        query::filter(&mut request, &self.query);
        body::filter(&mut request, &self.post_data, self.nested);
        if self.ignored.contains(&request.uri) {
            return None;
        }
        self.before_request.iter().try_fold(request, |request, hook| hook(request))
    }

    /// Every text that stands for a secret in the file, in every spelling.
    pub(crate) fn placeholders(&self) -> Vec<String> {
        let headers = [&self.headers, &self.response_headers].into_iter().flatten();
        let filters = headers.chain([&self.query, &self.post_data]).flatten();
        let replacements = filters.filter_map(Filter::replacement).flat_map(spellings);
        let all = replacements.chain(self.sensitive.placeholders().map(<[u8]>::to_vec));
        all.filter_map(|text| String::from_utf8(text).ok()).collect()
    }

    /// The first field that should be out of a body and is in it, and why it is.
    pub(crate) fn escaped(
        &self,
        request: &RecordedRequest,
        unpacked: Option<&RecordedRequest>,
    ) -> Option<(&str, &'static str)> {
        let packed = unpacked.and_then(|request| body::still_has(request, &self.post_data, self.nested));
        let broken = || body::still_holds(unpacked.unwrap_or(request), &self.post_data);
        packed
            .map(|name| (name, "is packed"))
            .or_else(|| broken().map(|name| (name, "is not the JSON it seems")))
    }

    /// The response as the hooks leave it; `None` where the interaction is not kept.
    pub(crate) fn response(&self, response: RecordedResponse) -> Option<RecordedResponse> {
        self.before_response.iter().try_fold(response, |response, hook| hook(response))
    }

    /// Takes the header fields out of a response that is about to be written.
    pub(crate) fn response_headers(&self, request: &RecordedRequest, response: &mut RecordedResponse) {
        match (&self.response_headers, &self.headers) {
            (Some(filters), _) => headers::filter_response(request, response, filters),
            (None, None) => headers::remove_cookies_set(response),
            (None, Some(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_in_a_uri_goes_and_an_at_sign_elsewhere_stays() {
        for (uri, bare) in [
            ("http://bob:s3cr@t@h:1/a@b", "http://h:1/a@b"),
            ("http://h?mail=a@b", "http://h?mail=a@b"),
            ("http://h", "http://h"),
        ] {
            let mut uri = uri.to_owned();
            remove_user(&mut uri);
            assert_eq!(uri, bare);
        }
    }
}
