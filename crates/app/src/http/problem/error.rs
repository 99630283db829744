//! Which error is answered how: the one place where errors of the domain, of the requests' parsers and of
//! the framework become [problems](Problem).

use std::borrow::Cow;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT_ENCODING, HeaderValue, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use roster_domain::{DomainError, Violation, Violations};
use thiserror::Error;

use crate::access::{Refusal, Scopes};
use crate::http::middleware::access::challenge;
use crate::http::problem::{Code, Problem};

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
    /// The one coding that a body may have here, beside none.
    #[error("A body with this Content-Encoding is not taken here; send it as {}", as_taken(.0))]
    UnsupportedContentCoding(&'static str),
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
    #[error(
        "Without credentials to ask for, this service is for its own machine alone: ask it by its address or as \
         localhost; or start it with --tokens-file or --jwks, or for everyone with --allow-anonymous"
    )]
    NotThisMachine,
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

/// How much of a path that leads nowhere is told again.
const TOLD: usize = 200;

impl ApiError {
    /// Nothing is at this path.
    pub(in crate::http) fn no_such_route(path: &str) -> Self {
        let told: String = path.chars().take(TOLD).collect();
        Self::NoSuchRoute(if told.len() < path.len() { told + "…" } else { told })
    }

    /// The code and the message of the error, for where it has no answer of its own.
    pub(crate) fn told(&self) -> (&'static str, Cow<'static, str>) {
        let problem = Problem::from(self);
        (problem.code.name(), problem.detail)
    }

    /// Whether it is for the log to say what broke: of what is refused by design, the log has heard.
    pub(crate) fn is_of_server(&self) -> bool {
        self.status_code().is_server_error() && !matches!(self, Self::Overloaded)
    }

    fn code(&self) -> Code {
        match self {
            Self::Domain(error) => code_of(error),
            Self::Malformed(_) => Code::MalformedRequest,
            Self::UnsupportedMediaType { .. } | Self::UnsupportedContentCoding(_) => {
                Code::UnsupportedMediaType
            }
            Self::NotAcceptable(_) => Code::NotAcceptable,
            Self::PayloadTooLarge(_) | Self::LineTooLarge(_) => Code::PayloadTooLarge,
            Self::NoSuchRoute(_) => Code::NotFound,
            Self::Unauthenticated(refusal) if refusal.is_of_credential() => Code::Unauthenticated,
            Self::Forbidden(_) | Self::NotThisMachine => Code::Forbidden,
            Self::BodyTimedOut => Code::RequestTimeout,
            Self::Unauthenticated(_) | Self::DeadlineExceeded | Self::Overloaded | Self::Stopping => {
                Code::Unavailable
            }
            Self::RateLimited(_) => Code::RateLimited,
            Self::Panicked => Code::Internal,
        }
    }
}

fn as_taken(coding: &str) -> String {
    if coding == "identity" { "it is".to_owned() } else { format!("it is, or in {coding}") }
}

fn code_of(error: &DomainError) -> Code {
    match error {
        DomainError::Validation(_) => Code::Validation,
        DomainError::BusinessRule(_) => Code::BusinessRule,
        DomainError::NotFound { .. } => Code::NotFound,
        DomainError::PreconditionFailed { .. } => Code::PreconditionFailed,
        DomainError::Gone { .. } => Code::Gone,
        DomainError::ReceiptReused => Code::IdempotencyKeyReused,
        DomainError::ReceiptInProgress => Code::Conflict,
        DomainError::Unavailable { .. } => Code::Unavailable,
        DomainError::UpstreamFailed(_) => Code::UpstreamError,
        DomainError::UpstreamTimedOut(_) => Code::UpstreamTimeout,
        DomainError::Internal(_) => Code::Internal,
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
        match error {
            ApiError::Domain(error) => error.into(),
            ApiError::RateLimited(pause) => Self::new(error.code(), error.to_string()).retry_after(*pause),
            ApiError::Panicked => Self::internal(),
            ApiError::Malformed(_)
            | ApiError::UnsupportedMediaType { .. }
            | ApiError::UnsupportedContentCoding(_)
            | ApiError::NotAcceptable(_)
            | ApiError::PayloadTooLarge(_)
            | ApiError::LineTooLarge(_)
            | ApiError::NoSuchRoute(_)
            | ApiError::Unauthenticated(_)
            | ApiError::Forbidden(_)
            | ApiError::NotThisMachine
            | ApiError::DeadlineExceeded
            | ApiError::BodyTimedOut
            | ApiError::Overloaded
            | ApiError::Stopping => Self::new(error.code(), error.to_string()),
        }
    }
}

impl From<&DomainError> for Problem {
    fn from(error: &DomainError) -> Self {
        let code = code_of(error);
        match error {
            DomainError::Validation(violations) => Self::violations(violations),
            DomainError::Unavailable { retry_after, .. } => {
                Self::new(code, "The service is not available for the moment").retry_after(*retry_after)
            }
            DomainError::UpstreamFailed(_) => Self::new(code, "The external directory failed"),
            DomainError::UpstreamTimedOut(_) => Self::new(code, "The external directory took too long"),
            DomainError::Internal(_) => Self::internal(),
            DomainError::BusinessRule(_)
            | DomainError::NotFound { .. }
            | DomainError::PreconditionFailed { .. }
            | DomainError::Gone { .. }
            | DomainError::ReceiptReused
            | DomainError::ReceiptInProgress => Self::new(code, error.to_string()),
        }
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
        self.code().status()
    }

    /// The status, and what is asked of whom it refuses, or would be taken: the layer around all resources, which knows the
    /// request's id, makes the body.
    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::new(self.status_code());
        if let Some(challenge) = challenge(self) {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        if let Self::UnsupportedContentCoding(taken) = self {
            response.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static(taken));
        }
        response
    }
}
