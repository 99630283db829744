//! Which error is answered how: the one place where errors of the domain, of the requests' parsers and of
//! the framework become [problems](Problem).

use std::borrow::Cow;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::WWW_AUTHENTICATE;
use actix_web::{HttpResponse, ResponseError};
use roster_domain::{DomainError, Violation, Violations};
use thiserror::Error;

use super::access::challenge;
use super::problem::{Code, Problem};
use crate::access::{Refusal, Scopes};

/// What a handler or one of its extractors can end in.
#[derive(Debug, Error)]
pub(crate) enum ApiError {
    #[error(transparent)]
    Domain(#[from] DomainError),
    /// What was sent does not parse; the text says what, and where.
    #[error("{0}")]
    Malformed(String),
    /// What was sent, and as what it would be taken.
    #[error("{sent} is not taken here; send {taken}")]
    UnsupportedMediaType { sent: String, taken: String },
    /// The forms that there are.
    #[error("This resource has no other form than {0}")]
    NotAcceptable(&'static str),
    #[error("Request body must be at most {0} bytes")]
    PayloadTooLarge(usize),
    /// A line of an import.
    #[error("Line must be at most {0} bytes")]
    LineTooLarge(usize),
    #[error("Nothing is at {0}")]
    NoSuchRoute(String),
    #[error(transparent)]
    Unauthenticated(#[from] Refusal),
    /// The scopes that it takes.
    #[error("This takes the scope {}", .0.join(" and "))]
    Forbidden(Scopes),
    #[error("The request took too long")]
    DeadlineExceeded,
    #[error("The request's body took too long to arrive")]
    BodyTimedOut,
    #[error("The service has too much to do for the moment")]
    Overloaded,
    /// For how long the client may not ask.
    #[error("Too many requests; the next one may be sent later")]
    RateLimited(Duration),
    #[error("the code panicked")]
    Panicked,
    #[error("The program is stopping")]
    Stopping,
}

impl ApiError {
    /// The code and the message of the error, for where it has no answer of its own.
    pub(crate) fn told(&self) -> (&'static str, Cow<'static, str>) {
        let problem = Problem::from(self);
        (problem.code.name(), problem.detail)
    }

    /// Whether it is for the log to say what broke: of what is refused by design, the log has heard.
    pub(crate) fn is_of_server(&self) -> bool {
        self.status_code().is_server_error() && !matches!(self, Self::Overloaded)
    }
}

impl From<Violations> for ApiError {
    fn from(violations: Violations) -> Self {
        Self::Domain(violations.into())
    }
}

impl From<Violation> for ApiError {
    fn from(violation: Violation) -> Self {
        Violations::from(violation).into()
    }
}

impl From<&ApiError> for Problem {
    fn from(error: &ApiError) -> Self {
        let code = match error {
            ApiError::Domain(error) => return error.into(),
            ApiError::Malformed(_) => Code::MalformedRequest,
            ApiError::UnsupportedMediaType { .. } => Code::UnsupportedMediaType,
            ApiError::NotAcceptable(_) => Code::NotAcceptable,
            ApiError::PayloadTooLarge(_) | ApiError::LineTooLarge(_) => Code::PayloadTooLarge,
            ApiError::NoSuchRoute(_) => Code::NotFound,
            ApiError::Unauthenticated(Refusal::Missing | Refusal::Invalid | Refusal::Expired) => {
                Code::Unauthenticated
            }
            ApiError::Forbidden(_) => Code::Forbidden,
            ApiError::BodyTimedOut => Code::RequestTimeout,
            ApiError::Unauthenticated(Refusal::Unavailable)
            | ApiError::DeadlineExceeded
            | ApiError::Overloaded
            | ApiError::Stopping => Code::Unavailable,
            ApiError::RateLimited(pause) => {
                return Self::new(Code::RateLimited, error.to_string()).retry_after(*pause);
            }
            ApiError::Panicked => return Self::internal(),
        };
        Self::new(code, error.to_string())
    }
}

impl From<&DomainError> for Problem {
    fn from(error: &DomainError) -> Self {
        let code = match error {
            DomainError::Validation(violations) => return Self::violations(violations),
            DomainError::BusinessRule(_) => Code::BusinessRule,
            DomainError::NotFound { .. } => Code::NotFound,
            DomainError::PreconditionFailed { .. } => Code::PreconditionFailed,
            DomainError::Gone { .. } => Code::Gone,
            DomainError::ReceiptReused => Code::IdempotencyKeyReused,
            DomainError::ReceiptInProgress => Code::Conflict,
            DomainError::Unavailable { retry_after, .. } => {
                return Self::new(Code::Unavailable, "The service is not available for the moment")
                    .retry_after(*retry_after);
            }
            DomainError::UpstreamFailed(_) => {
                return Self::new(Code::UpstreamError, "The external directory failed");
            }
            DomainError::UpstreamTimedOut(_) => {
                return Self::new(Code::UpstreamTimeout, "The external directory took too long");
            }
            DomainError::Internal(_) => return Self::internal(),
        };
        Self::new(code, error.to_string())
    }
}

impl From<StatusCode> for Problem {
    /// For an error that the framework answered by itself.
    fn from(status: StatusCode) -> Self {
        let detail = match status {
            StatusCode::METHOD_NOT_ALLOWED => {
                "This resource does not take that method; Allow names those it takes"
            }
            _ => status.canonical_reason().unwrap_or("The request failed"),
        };
        Self::new(Code::of(status), detail)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        Problem::from(self).code.status()
    }

    /// The status, and what is asked of whom it refuses: the layer around all resources, which knows the
    /// request's id, makes the body.
    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::new(self.status_code());
        if let Some(challenge) = challenge(self) {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
