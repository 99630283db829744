use crate::interaction::{RecordedRequest, RecordedResponse};
use crate::session::{Decision, Session};
use crate::{Headers, VcrError};
use async_trait::async_trait;
use bytes::Bytes;
use http::{Extensions, HeaderMap, HeaderName};
use hyper::ext::ReasonPhrase;
use reqwest::{Body, Request, Response, ResponseBuilderExt};
use reqwest_middleware::{Middleware, Next, Result};
use std::sync::Arc;
use url::{Position, Url};

/// A cassette as a middleware of [`reqwest_middleware`]; the last of its chain.
#[derive(Clone, Debug)]
pub struct CassetteMiddleware {
    session: Arc<Session>,
}

impl CassetteMiddleware {
    pub(crate) fn new(session: Arc<Session>) -> Self {
        Self { session }
    }

    /// Sends the request, and keeps the response in its place on the tape.
    async fn record(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
        recording: crate::session::Recording,
    ) -> Result<Response> {
        let response = next.run(request, extensions).await?;
        let (response, recorded) = self.capture(response).await?;
        recording.keep(recorded);
        Ok(response)
    }

    /// Reads the response whole; gives it back as it came, with a copy to keep.
    async fn capture(&self, response: Response) -> Result<(Response, RecordedResponse)> {
        let url = response.url().clone();
        let (parts, body) = http::Response::<Body>::from(response).into_parts();
        let body = collect(body, self.session.body_limit(), "the response body").await?;
        let recorded = RecordedResponse {
            status: parts.status.as_u16(),
            message: message(&parts),
            headers: Headers::from(&parts.headers),
            body: body.clone(),
        };
        Ok((whole(parts, url, body), recorded))
    }
}

const REQUEST_BODY: &str = "the request body";

#[async_trait]
impl Middleware for CassetteMiddleware {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        if self.session.ignores(request.url().as_str()) {
            return next.run(request, extensions).await;
        }
        let limit = self.session.body_limit();
        let (request, recorded) = copy(request, limit).await?;
        let is_recordable = recorded.body.len() <= limit;
        match self.session.decide(recorded)? {
            Decision::PassBy => next.run(request, extensions).await,
            Decision::Play(response) => Ok(played(response, request.url().clone())?),
            Decision::Record(_) if !is_recordable => Err(too_large(REQUEST_BODY, limit).into()),
            Decision::Record(recording) => self.record(request, extensions, next, recording).await,
        }
    }
}

/// A copy of the request to compare and keep. A body that is a stream is read, and sent whole.
async fn copy(mut request: Request, limit: usize) -> Result<(Request, RecordedRequest)> {
    let body = match request.body_mut().take() {
        None => None,
        Some(body) => match body.as_bytes() {
            // It may be one that is not recorded.
            Some(bytes) => Some(Bytes::copy_from_slice(bytes)),
            None => Some(collect(body, limit, REQUEST_BODY).await?),
        },
    };
    let mut headers = Headers::from(request.headers());
    headers.join_values();
    let recorded = RecordedRequest {
        method: request.method().as_str().to_owned(),
        uri: request.url()[..Position::AfterQuery].to_owned(),
        headers,
        body: body.clone().unwrap_or_default(),
    };
    *request.body_mut() = body.map(Body::from);
    Ok((request, recorded))
}

fn too_large(what: &str, limit: usize) -> VcrError {
    VcrError::Limit {
        what: format!("{what} has more than {limit} bytes, too many for a cassette (`max_body_bytes`)"),
    }
}

async fn collect(body: Body, limit: usize, what: &str) -> Result<Bytes> {
    let mut response = Response::from(http::Response::new(body));
    let mut collected = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if collected.len() + chunk.len() > limit {
            return Err(too_large(what, limit).into());
        }
        collected.extend_from_slice(&chunk);
    }
    Ok(collected.into())
}

/// A response as it came, but with its body read.
fn whole(parts: http::response::Parts, url: Url, body: Bytes) -> Response {
    // The URL alone is lost on the way through `http`, and only a builder takes it.
    let carrier = http::Response::builder().url(url).body(()).unwrap_or_default();
    let mut response = http::Response::from_parts(parts, body);
    response.extensions_mut().extend(carrier.into_parts().0.extensions);
    response.into()
}

/// The reason phrase as sent, which HTTP/1 alone has, or the usual one.
fn message(parts: &http::response::Parts) -> String {
    match parts.extensions.get::<ReasonPhrase>() {
        Some(reason) => String::from_utf8_lossy(reason.as_bytes()).into_owned(),
        None => RecordedResponse::usual_message(parts.status.as_u16()).to_owned(),
    }
}

/// The response a client gets from the cassette.
fn played(recorded: RecordedResponse, url: Url) -> std::result::Result<Response, VcrError> {
    let RecordedResponse { status, message, headers, body } = recorded;
    let mut builder = http::Response::builder().status(status).url(url);
    // Over HTTP/2 there is none, and httpx records an empty one.
    if !message.is_empty()
        && message != RecordedResponse::usual_message(status)
        && let Ok(reason) = ReasonPhrase::try_from(message.into_bytes())
    {
        builder = builder.extension(reason);
    }
    if let Some(map) = builder.headers_mut() {
        fill(map, &headers);
    }
    let response = builder.body(body);
    response
        .map(Response::from)
        .map_err(|error| VcrError::Filtered(format!("the recorded response is invalid: {error}")))
}

fn fill(map: &mut HeaderMap, headers: &Headers) {
    for (name, values) in headers.iter() {
        if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
            for value in values {
                map.append(name.clone(), value.clone());
            }
        }
    }
}
