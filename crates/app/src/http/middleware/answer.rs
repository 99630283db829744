//! What surrounds every request: its id, its time, and the body of every error, the framework's own
//! included.

use std::rc::Rc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, ORIGIN};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, ResponseError};
use roster_domain::chain;
use tracing::error;

use super::coding::Compression;
use super::cross_origin::{self, CrossOrigin};
use super::framing::{Framing, close};
use super::lifecycle::Lifecycle;
use super::limits::{Busy, Limits};
use super::measured::Measured;
use super::methods::{accept_patch, accept_patch_instead, allow_options, is_offer};
use super::observed::Observed;
use super::panic::without_panic;
use super::request_id::{RequestId, X_REQUEST_ID};
use super::security_headers::guard;
use crate::http::Shared;
use crate::http::problem::Problem;
use crate::http::problem::error::ApiError;
use crate::http::request::path::without_final_slash;

/// What surrounds every request to one worker of the server.
pub(in crate::http) struct Surroundings {
    lifecycle: Lifecycle,
    limits: Limits,
    measured: Rc<Measured>,
    cross_origin: CrossOrigin,
}

impl Surroundings {
    pub(in crate::http) fn of(shared: &Shared, cross_origin: CrossOrigin) -> Self {
        let (lifecycle, limits) = (shared.lifecycle.clone(), shared.limits.clone());
        Self { lifecycle, limits, measured: Rc::new(Measured::new()), cross_origin }
    }

    /// Answers a request, whatever becomes of it.
    pub(in crate::http) async fn answer<B: MessageBody + 'static>(
        self: Rc<Self>,
        mut request: ServiceRequest,
        next: Next<B>,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        let id = RequestId::of(request.headers());
        let observed = Observed::begin(&request, &id, self.measured.clone());
        let busy = Busy::on(request.request());
        let clock = self.limits.begin(&request);
        let compression = Compression::of(request.headers());
        let origin = request.headers().get(ORIGIN).cloned();
        without_final_slash(&mut request);
        let framing = Framing::of(&mut request);
        // In a box, as all that is around it would have room for it, and be copied with it.
        let work = Box::pin(async { compression.compress(next.call(request).await?).await });
        let answered = observed.within(clock.within(without_panic(work))).await;
        let unanswered = |error: &Error| {
            let to_pages = self.cross_origin.told(origin.as_ref());
            Box::new(Unanswered::new(error, id.clone(), framing.clone(), &self.lifecycle, to_pages))
        };
        let answer = observed.in_scope(|| match answered {
            Ok(Ok(response)) => Ok(complete(response, &id, &framing, &self.lifecycle)),
            Ok(Err(error)) => Err(unanswered(&error)),
            Err(late) => Err(unanswered(&late.into())),
        });
        let route = answer.as_ref().ok().and_then(|answer| answer.request().match_pattern());
        let status = answer.as_ref().map_or_else(|error| error.status_code(), ServiceResponse::status);
        observed.end(route, status);
        if status == StatusCode::REQUEST_TIMEOUT
            && let Some(busy) = &busy
        {
            busy.hear_no_more();
        }
        Ok(Busy::until_sent(busy, framing, answer.map_err(|error| *error)?))
    }
}

/// Gives an answer what every answer has, and an error its body.
fn complete(
    mut response: ServiceResponse<BoxBody>,
    id: &RequestId,
    framing: &Framing,
    lifecycle: &Lifecycle,
) -> ServiceResponse<BoxBody> {
    allow_options(&mut response);
    accept_patch_instead(&mut response);
    let status = response.status();
    let mut response = if is_offer(&response) {
        let mut answer = HttpResponse::NoContent();
        for (name, value) in response.headers() {
            answer.append_header((name, value));
        }
        let mut offer = response.into_response(answer.finish());
        accept_patch(&mut offer);
        offer
    } else if status.is_client_error() || status.is_server_error() {
        let problem = problem_of(response.response().error(), status);
        let answer = problem.respond(id, response.headers());
        response.into_response(answer)
    } else {
        response
    };
    let method = response.request().method().clone();
    let headers = response.headers_mut();
    headers.insert(X_REQUEST_ID, id.to_header_value());
    guard(&method, headers);
    framing.frame(&mut response);
    if is_last(status, lifecycle) {
        close(response.response_mut());
    }
    response
}

/// Whether a connection ends with an answer of this status: as the program stops, or as what the rest of a body that
/// comes too late would be is nothing to wait for (RFC 9110 §15.5.9).
fn is_last(status: StatusCode, lifecycle: &Lifecycle) -> bool {
    lifecycle.is_stopping() || status == StatusCode::REQUEST_TIMEOUT
}

/// What to say of an error: what it is, where it is one of ours, else what its status says.
fn problem_of(error: Option<&Error>, status: StatusCode) -> Problem {
    let ours = error.and_then(|error| error.as_error::<ApiError>());
    if ours.map_or(status.is_server_error(), ApiError::is_of_server) {
        let cause = ours.map(|error| chain(error)).or_else(|| error.map(ToString::to_string));
        error!(cause = cause.as_deref().unwrap_or("unknown"), "could not answer");
    }
    let refused = || error.and_then(cross_origin::refused).unwrap_or_else(|| Problem::from(status));
    ours.map_or_else(refused, Problem::from)
}

/// An error of a request that is not there any more to be answered in the usual way: it has its answer
/// with it.
#[derive(Debug)]
struct Unanswered {
    problem: Problem,
    id: RequestId,
    framing: Framing,
    is_last: bool,
    /// What the layers that it does not go through would have added.
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Unanswered {
    fn new(
        error: &Error,
        id: RequestId,
        framing: Framing,
        lifecycle: &Lifecycle,
        headers: Vec<(HeaderName, HeaderValue)>,
    ) -> Self {
        let status = error.as_response_error().status_code();
        let is_last = is_last(status, lifecycle);
        Self { problem: problem_of(Some(error), status), id, framing, is_last, headers }
    }
}

impl std::fmt::Display for Unanswered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.problem.detail)
    }
}

impl ResponseError for Unanswered {
    fn status_code(&self) -> StatusCode {
        self.problem.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = self.problem.respond(&self.id, &HeaderMap::new());
        guard(&Method::GET, response.headers_mut());
        for (name, value) in self.headers.clone() {
            response.headers_mut().append(name, value);
        }
        self.framing.frame_whole(&mut response);
        if self.is_last {
            close(&mut response);
        }
        response
    }
}
