//! The body of every error: problem details (RFC 9457), with the contract's own members.

pub(in crate::http) mod code;
pub(in crate::http) mod error;
pub(in crate::http) mod explained;

use std::borrow::Cow;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::http::header::{HeaderMap, RETRY_AFTER};
use roster_domain::{Violation, Violations};
use serde::Serialize;
use utoipa::ToSchema;

pub(in crate::http) use self::code::Code;
use crate::http::middleware::request_id::{RequestId, X_REQUEST_ID};
use crate::http::openapi::rules;

/// An error, as the client is told.
#[derive(Debug, Clone)]
pub(in crate::http) struct Problem {
    pub(in crate::http) code: Code,
    /// A sentence for a person, which says what is wrong this time.
    pub(in crate::http) detail: Cow<'static, str>,
    /// The rules that the request breaks, where that is what is wrong.
    violations: Option<Violations>,
    /// How long the client should wait before it tries again, where that may help.
    retry_after: Option<Duration>,
}

impl Problem {
    pub(in crate::http) fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        let retry_after = code.is_passing().then_some(Duration::from_secs(1));
        Self { code, detail: detail.into(), violations: None, retry_after }
    }

    /// What the client cannot mend, and is told nothing of.
    pub(in crate::http) fn internal() -> Self {
        Self::new(Code::Internal, "Something went wrong on our side")
    }

    pub(in crate::http) fn retry_after(self, pause: Duration) -> Self {
        Self { retry_after: Some(pause), ..self }
    }

    pub(in crate::http) fn violations(violations: &Violations) -> Self {
        let problem = Self::new(Code::Validation, violations.to_string());
        Self { violations: Some(violations.clone()), ..problem }
    }

    /// The answer, with `headers` beside its own.
    pub(in crate::http) fn respond(&self, request_id: &RequestId, headers: &HeaderMap) -> HttpResponse {
        let mut response = HttpResponse::build(self.code.status());
        for (name, value) in headers {
            response.append_header((name, value));
        }
        if let Some(pause) = self.retry_after {
            response.insert_header((RETRY_AFTER, whole_seconds(pause)));
        }
        response
            .insert_header((X_REQUEST_ID, request_id.to_header_value()))
            .insert_header((header::CONTENT_TYPE, "application/problem+json"))
            .body(serde_json::to_vec(&self.body(request_id.as_str())).unwrap_or_default())
    }

    /// The body of the answer.
    pub(in crate::http) fn body<'a>(&'a self, request_id: &'a str) -> Body<'a> {
        Body {
            r#type: self.code.explained_at(),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: &self.detail,
            error: self.code.name(),
            message: &self.detail,
            errors: self.violations.as_ref().map(|all| all.iter().map(FieldError::from).collect()),
            request_id,
        }
    }
}

/// Rounded up, and never none at all (RFC 9110 §10.2.3 knows whole seconds alone).
fn whole_seconds(pause: Duration) -> u64 {
    pause.as_secs().saturating_add(u64::from(pause.subsec_nanos() > 0)).max(1)
}

/// Why a request was not done: problem details (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(in crate::http) struct Body<'a> {
    /// Where this kind of problem is explained.
    #[schema(schema_with = rules::problem_type)]
    r#type: String,
    /// What kind of problem it is, for a person.
    title: &'static str,
    /// The status of the answer.
    #[schema(schema_with = rules::problem_status)]
    status: u16,
    /// What is wrong this time, for a person.
    detail: &'a str,
    /// What kind of problem it is, for a program.
    #[schema(schema_with = rules::problem_code)]
    error: &'static str,
    /// The same as `detail`.
    message: &'a str,
    /// Every rule that the request breaks, where that is what is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    errors: Option<Vec<FieldError<'a>>>,
    /// What the request is called in the log: the same as `X-Request-Id`.
    request_id: &'a str,
}

/// One broken rule.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct FieldError<'a> {
    /// The member, parameter or header that breaks it: `email`, `data.name`.
    field: &'a str,
    /// What is wrong with it, for a person.
    message: &'a str,
}

impl<'a> From<&'a Violation> for FieldError<'a> {
    fn from(violation: &'a Violation) -> Self {
        Self { field: &violation.field, message: &violation.message }
    }
}
