//! The body of every error: problem details (RFC 9457), with the contract's own members.

use std::borrow::Cow;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderMap, RETRY_AFTER};
use actix_web::http::{StatusCode, header};
use roster_domain::{Violation, Violations};
use serde::Serialize;

use super::request_id::{RequestId, X_REQUEST_ID};

/// The kinds of error that the contract names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    MalformedRequest,
    BusinessRule,
    NotFound,
    MethodNotAllowed,
    NotAcceptable,
    Conflict,
    Gone,
    PreconditionFailed,
    PayloadTooLarge,
    UnsupportedMediaType,
    Validation,
    IdempotencyKeyReused,
    Internal,
    UpstreamError,
    Unavailable,
    UpstreamTimeout,
}

impl Code {
    /// The status, the code, and the title of each kind.
    const fn row(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::MalformedRequest => (StatusCode::BAD_REQUEST, "malformed_request", "Malformed request"),
            Self::BusinessRule => (StatusCode::BAD_REQUEST, "business_rule", "Business rule violated"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", "Not found"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed")
            }
            Self::NotAcceptable => (StatusCode::NOT_ACCEPTABLE, "not_acceptable", "Not acceptable"),
            Self::Conflict => (StatusCode::CONFLICT, "conflict", "Conflict"),
            Self::Gone => (StatusCode::GONE, "gone", "Gone"),
            Self::PreconditionFailed => {
                (StatusCode::PRECONDITION_FAILED, "precondition_failed", "Precondition failed")
            }
            Self::PayloadTooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", "Payload too large")
            }
            Self::UnsupportedMediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "Unsupported media type")
            }
            Self::Validation => (StatusCode::UNPROCESSABLE_ENTITY, "validation", "Validation failed"),
            Self::IdempotencyKeyReused => {
                (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", "Idempotency key reused")
            }
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
            Self::UpstreamError => (StatusCode::BAD_GATEWAY, "upstream_error", "Upstream error"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Unavailable"),
            Self::UpstreamTimeout => (StatusCode::GATEWAY_TIMEOUT, "upstream_timeout", "Upstream timeout"),
        }
    }

    pub(super) const fn status(self) -> StatusCode {
        self.row().0
    }

    /// What programs know the kind by.
    pub(super) const fn as_str(self) -> &'static str {
        self.row().1
    }

    /// The kind of an error that the framework answered with nothing but its status.
    pub(super) fn of(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::NOT_ACCEPTABLE => Self::NotAcceptable,
            StatusCode::PAYLOAD_TOO_LARGE => Self::PayloadTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            StatusCode::SERVICE_UNAVAILABLE => Self::Unavailable,
            _ if status.is_client_error() => Self::MalformedRequest,
            _ => Self::Internal,
        }
    }
}

/// An error, as the client is told.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    pub(super) code: Code,
    /// A sentence for a person, which says what is wrong this time.
    pub(super) detail: Cow<'static, str>,
    /// The rules that the request breaks, where that is what is wrong.
    violations: Option<Violations>,
    /// How long the client should wait before it tries again, where that may help.
    retry_after: Option<Duration>,
}

impl Problem {
    pub(super) fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        let passing = matches!(code, Code::Unavailable | Code::Conflict);
        let retry_after = passing.then_some(Duration::from_secs(1));
        Self { code, detail: detail.into(), violations: None, retry_after }
    }

    pub(super) fn retry_after(self, pause: Duration) -> Self {
        Self { retry_after: Some(pause), ..self }
    }

    pub(super) fn violations(violations: &Violations) -> Self {
        let problem = Self::new(Code::Validation, violations.to_string());
        Self { violations: Some(violations.clone()), ..problem }
    }

    /// The answer, with `headers` beside its own.
    pub(super) fn respond(&self, request_id: &RequestId, headers: &HeaderMap) -> HttpResponse {
        let (status, error, title) = self.code.row();
        let mut response = HttpResponse::build(status);
        for (name, value) in headers {
            response.append_header((name, value));
        }
        if let Some(pause) = self.retry_after {
            response.insert_header((RETRY_AFTER, whole_seconds(pause)));
        }
        let body = Body {
            r#type: format!("/docs/problems#{error}"),
            title,
            status: status.as_u16(),
            detail: &self.detail,
            error,
            message: &self.detail,
            errors: self.violations.as_ref().map(|all| all.iter().map(FieldError::from).collect()),
            request_id: request_id.as_str(),
        };
        response
            .insert_header((X_REQUEST_ID, request_id.to_header_value()))
            .insert_header((header::CONTENT_TYPE, "application/problem+json"))
            .body(serde_json::to_vec(&body).unwrap_or_default())
    }
}

/// Rounded up, and never none at all (RFC 9110 §10.2.3 knows whole seconds alone).
fn whole_seconds(pause: Duration) -> u64 {
    pause.as_secs().saturating_add(u64::from(pause.subsec_nanos() > 0)).max(1)
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    error: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<FieldError<'a>>>,
    request_id: &'a str,
}

#[derive(Serialize)]
struct FieldError<'a> {
    field: &'a str,
    message: &'a str,
}

impl<'a> From<&'a Violation> for FieldError<'a> {
    fn from(violation: &'a Violation) -> Self {
        Self { field: &violation.field, message: &violation.message }
    }
}
