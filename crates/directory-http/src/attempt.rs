//! One attempt of a call: a request, and what its answer means.

use std::time::{Duration, SystemTime};

use opentelemetry::{Context, global};
use opentelemetry_http::HeaderInjector;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Request, Response, StatusCode};
use roster_domain::{BoxError, DirectoryId, DirectoryPerson};
use serde::de::IgnoredAny;
use thiserror::Error;
use tokio::time::timeout;
use tracing::field::Empty;
use tracing::{Instrument, debug_span};
use url::Url;

use crate::config::DirectoryConfig;
use crate::person::PersonRecord;
use crate::transport::HttpSend;

/// Why an attempt brought neither a person nor word that there is none.
#[derive(Debug, Error)]
pub(crate) enum AttemptError {
    #[error("no connection: {0}")]
    Connect(#[source] BoxError),
    #[error("no answer in time")]
    TimedOut,
    #[error("the connection broke: {0}")]
    Broken(#[source] BoxError),
    #[error("answered {status}")]
    Status {
        status: StatusCode,
        /// The pause that the directory asks for.
        retry_after: Option<Duration>,
    },
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
    #[error("the answer is no person: {0}")]
    NoJson(serde_json::Error),
    #[error("the answer is no person: {0}")]
    NoPerson(String),
    #[error("the answer is another person than {0}")]
    AnotherPerson(DirectoryId),
    #[error("the request cannot be made: {0}")]
    NoRequest(#[source] BoxError),
}

impl AttemptError {
    /// Whether it is the directory that is in trouble, or does not let us in, so that it would be so for anybody who is
    /// asked for. An answer that is wrong may be so for one alone.
    pub(crate) fn is_of_directory(&self) -> bool {
        match self {
            Self::Connect(_) | Self::TimedOut | Self::Broken(_) | Self::NoJson(_) => true,
            Self::Status { status, .. } => {
                status.is_server_error()
                    || matches!(
                        *status,
                        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
                    )
            }
            Self::TooLarge(_) | Self::NoPerson(_) | Self::AnotherPerson(_) | Self::NoRequest(_) => false,
        }
    }
}

/// Asks once.
pub(crate) async fn attempt(
    transport: &dyn HttpSend,
    config: &DirectoryConfig,
    id: DirectoryId,
) -> Result<Option<DirectoryPerson>, AttemptError> {
    let mut request = request(config, id).map_err(AttemptError::NoRequest)?;
    let step = debug_span!(
        target: "trace",
        "GET /users/{id}",
        otel.kind = "client",
        otel.status_code = Empty,
        http.request.method = "GET",
        server.address = config.base_url.host_str(),
    );
    step.in_scope(|| hand_on(&mut request));
    let answered = timeout(config.attempt_timeout, async {
        let response = transport.send(request).await.map_err(sorted)?;
        person(response, id, config.max_body_bytes).await
    });
    let answered = answered.instrument(step.clone()).await.unwrap_or(Err(AttemptError::TimedOut));
    if answered.is_err() {
        step.record("otel.status_code", "error");
    }
    answered
}

/// Says in a request which trace it is part of (W3C Trace Context), where one is being written.
fn hand_on(request: &mut Request) {
    let (here, mut headers) = (Context::current(), HeaderInjector(request.headers_mut()));
    global::get_text_map_propagator(|format| format.inject_context(&here, &mut headers));
}

fn request(config: &DirectoryConfig, id: DirectoryId) -> Result<Request, BoxError> {
    let mut request = Request::new(Method::GET, url(&config.base_url, id)?);
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(token) = &config.bearer_token {
        let mut bearer = HeaderValue::try_from(format!("Bearer {token}"))?;
        bearer.set_sensitive(true);
        request.headers_mut().insert(reqwest::header::AUTHORIZATION, bearer);
    }
    Ok(request)
}

/// `{base}/users/{id}`, where the id is a number, and one segment of the path, whatever it is.
fn url(base: &Url, id: DirectoryId) -> Result<Url, BoxError> {
    let mut url = base.clone();
    let segments = url.path_segments_mut();
    segments.map_err(|()| "the base URL has no path")?.pop_if_empty().push("users").push(&id.to_string());
    Ok(url)
}

async fn person(
    mut response: Response,
    id: DirectoryId,
    max_bytes: usize,
) -> Result<Option<DirectoryPerson>, AttemptError> {
    match response.status() {
        StatusCode::NOT_FOUND => return Ok(None),
        StatusCode::OK => {}
        status => return Err(AttemptError::Status { status, retry_after: retry_after(response.headers()) }),
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| sorted(error.into()))? {
        if body.len() + chunk.len() > max_bytes {
            return Err(AttemptError::TooLarge(max_bytes));
        }
        body.extend_from_slice(&chunk);
    }
    let record: PersonRecord = serde_json::from_slice(&body).map_err(|error| misread(error, &body))?;
    record.into_person(id).map(Some).ok_or(AttemptError::AnotherPerson(id))
}

/// What is wrong with an answer, and where. What stands there is not repeated, as it would be of a value that is of
/// another type: it may be about somebody, and this goes to the log.
fn misread(error: serde_json::Error, body: &[u8]) -> AttemptError {
    // Half of an emoji in a name is JSON, and yet no text.
    if serde_json::from_slice::<IgnoredAny>(body).is_err() {
        return AttemptError::NoJson(error);
    }
    let told = error.to_string();
    AttemptError::NoPerson(if !error.is_data() || told.starts_with("missing field") {
        told
    } else {
        format!("a member is of another type at line {} column {}", error.line(), error.column())
    })
}

/// What kind of error the transport met with.
fn sorted(error: BoxError) -> AttemptError {
    let kind =
        std::iter::successors(Some(&*error as &(dyn std::error::Error + 'static)), |error| error.source())
            .find_map(|error| error.downcast_ref::<reqwest::Error>());
    match kind {
        Some(kind) if kind.is_timeout() => AttemptError::TimedOut,
        Some(kind) if kind.is_connect() => AttemptError::Connect(error),
        _ => AttemptError::Broken(error),
    }
}

/// The pause that `Retry-After` asks for, in seconds or until a date (RFC 9110 §10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_segment_below_the_base() {
        let id = DirectoryId::new(7).unwrap();
        for (base, expected) in [
            ("https://a.example", "https://a.example/users/7"),
            ("https://a.example/", "https://a.example/users/7"),
            ("https://a.example/v1/people/", "https://a.example/v1/people/users/7"),
        ] {
            assert_eq!(url(&Url::parse(base).unwrap(), id).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let of = |text: &str| retry_after(&HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]));
        assert_eq!(of("7"), Some(Duration::from_secs(7)));
        assert_eq!(of("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(of("soon"), None);
        let later = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(60));
        assert!(of(&later).is_some_and(|pause| (58..=60).contains(&pause.as_secs())));
    }
}
