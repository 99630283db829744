//! When a recorded request answers one that is being made.

mod body;
mod uri;

use crate::format::check_uri;
use crate::interaction::RecordedRequest;
use std::sync::Arc;
use url::Url;

/// One part of two requests that must agree.
///
/// The names, and what each compares, are vcrpy's; where the Rust and the Python clients spell the same URI
/// in two ways (`%7E` and `~`, `/a/../b` and `/b`, an international host name), both spellings agree.
#[derive(Clone)]
#[non_exhaustive]
pub enum Matcher {
    /// The method, in its case.
    Method,
    /// The scheme.
    Scheme,
    /// The host.
    Host,
    /// The port: that of the URI, or its scheme's usual one.
    Port,
    /// The path. An empty one is `/`, and `;parameters` of its last segment do not count, as in vcrpy.
    Path,
    /// The query as a set of pairs in any order, decoded. A parameter without a value does not count, unless
    /// the [`Vcr`](crate::Vcr) is strict about queries.
    Query,
    /// The whole URI, the order of its query included.
    Uri,
    /// Every header field.
    Headers,
    /// The body, byte for byte.
    RawBody,
    /// The body by its meaning: JSON, forms, multipart and chunks compare by content, anything else by its
    /// bytes.
    Body,
    /// A rule of one's own; see [`Matcher::custom`].
    Custom(CustomMatcher),
}

/// A rule made by [`Matcher::custom`].
#[derive(Clone)]
pub struct CustomMatcher {
    name: String,
    agrees: Agrees,
}

type Agrees = Arc<dyn Fn(&RecordedRequest, &RecordedRequest) -> bool + Send + Sync>;

/// A name that is none of the matchers'.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is no matcher; there are method, scheme, host, port, path, query, uri, headers, raw_body and body"
)]
pub struct UnknownMatcher(String);

impl Matcher {
    /// vcrpy's default: method, scheme, host, port, path and query. The body is not among them.
    pub const DEFAULT: [Self; 6] =
        [Self::Method, Self::Scheme, Self::Host, Self::Port, Self::Path, Self::Query];

    /// A rule of one's own: whether the request being made (first) and a recorded one (second) agree. Both
    /// are given as the filters leave them.
    pub fn custom<F>(name: impl Into<String>, agrees: F) -> Self
    where
        F: Fn(&RecordedRequest, &RecordedRequest) -> bool + Send + Sync + 'static,
    {
        Self::Custom(CustomMatcher { name: name.into(), agrees: Arc::new(agrees) })
    }

    /// The name in messages.
    pub fn name(&self) -> &str {
        match self {
            Self::Method => "method",
            Self::Scheme => "scheme",
            Self::Host => "host",
            Self::Port => "port",
            Self::Path => "path",
            Self::Query => "query",
            Self::Uri => "uri",
            Self::Headers => "headers",
            Self::RawBody => "raw_body",
            Self::Body => "body",
            Self::Custom(custom) => &custom.name,
        }
    }

    /// What two requests agree in when it is equal; `None` for a rule that only tells of two requests.
    pub(crate) fn key(&self, request: &Prepared, strict_query: bool) -> Option<String> {
        let url = &request.url;
        Some(match self {
            Self::Method => request.request.method.clone(),
            Self::Scheme => url.scheme().to_owned(),
            Self::Host => url.host_str().unwrap_or_default().to_owned(),
            Self::Port => url.port_or_known_default().unwrap_or_default().to_string(),
            Self::Path => uri::path(url),
            Self::Query => uri::query(url, strict_query),
            Self::Uri => uri::whole(url),
            Self::Headers => headers(&request.request),
            Self::RawBody | Self::Body | Self::Custom(_) => return None,
        })
    }

    /// Whether the request being made agrees with a recorded one.
    pub(crate) fn agrees(&self, made: &Prepared, recorded: &Prepared, strict_query: bool) -> bool {
        match self {
            Self::RawBody => made.request.body == recorded.request.body,
            Self::Body => body::agree(&made.request, &recorded.request),
            Self::Custom(custom) => (custom.agrees)(&made.request, &recorded.request),
            _ => self.key(made, strict_query) == self.key(recorded, strict_query),
        }
    }

    /// How one request is shown where this part differs.
    pub(crate) fn shown(&self, request: &Prepared, strict_query: bool) -> String {
        match self {
            Self::RawBody | Self::Body => preview(&request.request.body),
            Self::Custom(_) => request.request.summary(),
            Self::Query => request.url.query().unwrap_or_default().to_owned(),
            _ => self.key(request, strict_query).unwrap_or_default(),
        }
    }
}

impl std::fmt::Debug for Matcher {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name())
    }
}

impl std::str::FromStr for Matcher {
    type Err = UnknownMatcher;

    fn from_str(name: &str) -> Result<Self, UnknownMatcher> {
        let known = [Self::Uri, Self::Headers, Self::RawBody, Self::Body];
        let mut all = Self::DEFAULT.into_iter().chain(known);
        all.find(|matcher| matcher.name() == name).ok_or_else(|| UnknownMatcher(name.to_owned()))
    }
}

/// A filtered request with its URI parsed.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) request: RecordedRequest,
    url: Url,
}

impl Prepared {
    /// Fails, with the reason, where a filter or hook left no absolute URI of http or https.
    pub(crate) fn new(request: RecordedRequest) -> Result<Self, String> {
        let url = check_uri(&request.uri)?;
        Ok(Self { request, url })
    }
}

fn headers(request: &RecordedRequest) -> String {
    let mut fields: Vec<_> =
        request.headers.iter().map(|(name, values)| format!("{}: {values:?}", name.to_lowercase())).collect();
    fields.sort();
    fields.join(", ")
}

/// The start of a body, for messages.
fn preview(body: &[u8]) -> String {
    const SHOWN: usize = 300;
    match std::str::from_utf8(body) {
        Ok("") => "no body".to_owned(),
        Ok(text) if text.chars().nth(SHOWN).is_none() => text.to_owned(),
        Ok(text) => format!("{}… ({} bytes)", text.chars().take(SHOWN).collect::<String>(), body.len()),
        Err(_) => format!("{} bytes of binary data", body.len()),
    }
}
