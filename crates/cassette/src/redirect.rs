use crate::VcrError;
use async_trait::async_trait;
use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, LOCATION, PROXY_AUTHORIZATION,
    TRANSFER_ENCODING,
};
use http::{Extensions, Method, StatusCode};
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next, Result};
use url::{Origin, Url};

/// Follows redirects outside of the cassette, so that every hop is recorded and played, as vcrpy has it.
///
/// The client itself must not follow them: give it [`Policy::none`](reqwest::redirect::Policy::none), and put
/// this middleware before the cassette's.
///
/// It follows 301, 302, 303, 307 and 308 (RFC 9110, section 15.4): 303 continues as `GET`, and so do 301 and
/// 302 after `POST`; 307 and 308 repeat the request with its body. `Authorization`, `Proxy-Authorization` and
/// `Cookie` do not follow to another origin (scheme, host and port).
///
/// ```
/// use reqwest_middleware::ClientBuilder;
/// use roster_cassette::{RecordMode, RedirectMiddleware, Vcr};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let vcr = Vcr::builder().cassette_library_dir("tests/cassettes").record_mode(RecordMode::None).build();
/// let cassette = vcr.use_cassette("redirects.yaml")?;
/// let base = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
/// let client = ClientBuilder::new(base)
///     .with(RedirectMiddleware::new().same_origin_only())
///     .with(cassette.middleware())
///     .build();
/// # drop(client);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RedirectMiddleware {
    limit: usize,
    allowed: Allowed,
}

#[derive(Clone, Debug)]
enum Allowed {
    Any,
    Same,
    These(Vec<Origin>),
}

impl RedirectMiddleware {
    /// At most ten redirects, to any origin.
    pub fn new() -> Self {
        Self { limit: 10, allowed: Allowed::Any }
    }

    /// At most so many redirects; more are an error.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// A redirect to another origin than that of the first request is an error.
    #[must_use]
    pub fn same_origin_only(mut self) -> Self {
        self.allowed = Allowed::Same;
        self
    }

    /// A redirect to an origin that is neither that of the first request nor one of these URLs' is an error.
    #[must_use]
    pub fn allow_origins(mut self, urls: impl IntoIterator<Item = Url>) -> Self {
        self.allowed = Allowed::These(urls.into_iter().map(|url| url.origin()).collect());
        self
    }

    /// The request that follows `response`, or `None` where that is the last one.
    fn following(
        &self,
        start: &Url,
        sent: &Request,
        response: &Response,
        hops: usize,
    ) -> Result<Option<Hop>> {
        let Some(location) = location(response) else {
            return Ok(None);
        };
        let refuse = |reason: String| VcrError::Redirect {
            url: without_query(sent.url()),
            location: sent.url().join(&location).map_or_else(|_| location.clone(), |url| without_query(&url)),
            reason,
        };
        if hops >= self.limit {
            return Err(refuse(format!("{} redirects were followed, and no more are", self.limit)).into());
        }
        let mut url = sent.url().join(&location).map_err(|error| refuse(error.to_string()))?;
        if url.fragment().is_none() {
            url.set_fragment(sent.url().fragment());
        }
        if !matches!(url.scheme(), "http" | "https") || !self.allows(start, &url) {
            return Err(refuse("this origin is not allowed".to_owned()).into());
        }
        Ok(Some(Hop { status: response.status(), url }))
    }

    fn allows(&self, start: &Url, to: &Url) -> bool {
        let same = start.origin() == to.origin();
        match &self.allowed {
            Allowed::Any => true,
            Allowed::Same => same,
            Allowed::These(origins) => same || origins.contains(&to.origin()),
        }
    }
}

impl Default for RedirectMiddleware {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Middleware for RedirectMiddleware {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let start = request.url().clone();
        let mut hops = 0;
        // A body that is a stream cannot be sent twice: what answers it is handed to the caller.
        while let Some(sent) = request.try_clone() {
            let response = next.clone().run(request, extensions).await?;
            let Some(hop) = self.following(&start, &sent, &response, hops)? else {
                return Ok(response);
            };
            request = hop.request(sent);
            hops += 1;
        }
        next.run(request, extensions).await
    }
}

struct Hop {
    status: StatusCode,
    url: Url,
}

impl Hop {
    fn request(self, mut request: Request) -> Request {
        let becomes_get = match self.status {
            StatusCode::SEE_OTHER => request.method() != Method::HEAD,
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => request.method() == Method::POST,
            _ => false,
        };
        if becomes_get {
            *request.method_mut() = Method::GET;
            *request.body_mut() = None;
            for name in [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, TRANSFER_ENCODING] {
                request.headers_mut().remove(name);
            }
        }
        if request.url().origin() != self.url.origin() {
            for name in [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE] {
                request.headers_mut().remove(name);
            }
        }
        *request.url_mut() = self.url;
        request
    }
}

fn location(response: &Response) -> Option<String> {
    const FOLLOWED: [u16; 5] = [301, 302, 303, 307, 308];
    let location =
        response.headers().get(LOCATION).filter(|_| FOLLOWED.contains(&response.status().as_u16()))?;
    String::from_utf8(location.as_bytes().to_vec()).ok()
}

/// A URL as an error may show it.
fn without_query(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    let _ = url.set_password(None);
    url.into()
}
