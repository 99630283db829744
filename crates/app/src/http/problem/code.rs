//! The kinds of error that the contract names: one table, which answers, the document and the page that
//! explains them are made from.

use actix_web::http::StatusCode;

/// Declares the table: a kind, its status, what it is called by programs, and its title.
macro_rules! codes {
    ($($kind:ident: $status:ident, $name:literal, $title:literal;)+) => {
        /// A kind of error.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(in crate::http) enum Code {
            $($kind),+
        }

        impl Code {
            /// All kinds, in the order of their status.
            pub(in crate::http) const ALL: &'static [Self] = &[$(Self::$kind),+];

            const fn row(self) -> (StatusCode, &'static str, &'static str) {
                match self {
                    $(Self::$kind => (StatusCode::$status, $name, $title)),+
                }
            }
        }
    };
}

codes! {
    MalformedRequest: BAD_REQUEST, "malformed_request", "Malformed request";
    BusinessRule: BAD_REQUEST, "business_rule", "Business rule violated";
    Unauthenticated: UNAUTHORIZED, "unauthenticated", "Unauthenticated";
    Forbidden: FORBIDDEN, "forbidden", "Forbidden";
    NotFound: NOT_FOUND, "not_found", "Not found";
    MethodNotAllowed: METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed";
    NotAcceptable: NOT_ACCEPTABLE, "not_acceptable", "Not acceptable";
    RequestTimeout: REQUEST_TIMEOUT, "request_timeout", "Request timeout";
    Conflict: CONFLICT, "conflict", "Conflict";
    Gone: GONE, "gone", "Gone";
    PreconditionFailed: PRECONDITION_FAILED, "precondition_failed", "Precondition failed";
    PayloadTooLarge: PAYLOAD_TOO_LARGE, "payload_too_large", "Payload too large";
    UnsupportedMediaType: UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "Unsupported media type";
    Validation: UNPROCESSABLE_ENTITY, "validation", "Validation failed";
    IdempotencyKeyReused: UNPROCESSABLE_ENTITY, "idempotency_key_reused", "Idempotency key reused";
    RateLimited: TOO_MANY_REQUESTS, "rate_limited", "Rate limited";
    Internal: INTERNAL_SERVER_ERROR, "internal", "Internal error";
    UpstreamError: BAD_GATEWAY, "upstream_error", "Upstream error";
    Unavailable: SERVICE_UNAVAILABLE, "unavailable", "Unavailable";
    UpstreamTimeout: GATEWAY_TIMEOUT, "upstream_timeout", "Upstream timeout";
}

impl Code {
    /// The status that it is answered with.
    pub(in crate::http) const fn status(self) -> StatusCode {
        self.row().0
    }

    /// What programs call it.
    pub(in crate::http) const fn name(self) -> &'static str {
        self.row().1
    }

    /// What people call it.
    pub(in crate::http) const fn title(self) -> &'static str {
        self.row().2
    }

    /// Where it is explained: the `type` of its problems.
    pub(in crate::http) fn explained_at(self) -> String {
        format!("/docs/problems#{}", self.name())
    }

    /// Whether it passes by itself, so that the same request may succeed a moment later.
    pub(in crate::http) const fn is_passing(self) -> bool {
        matches!(self, Self::Unavailable | Self::Conflict | Self::RateLimited)
    }

    /// The kind of an error that the framework answered with nothing but its status.
    pub(in crate::http) fn of(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::NOT_ACCEPTABLE => Self::NotAcceptable,
            StatusCode::REQUEST_TIMEOUT => Self::RequestTimeout,
            StatusCode::PAYLOAD_TOO_LARGE => Self::PayloadTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            StatusCode::SERVICE_UNAVAILABLE => Self::Unavailable,
            _ if status.is_client_error() => Self::MalformedRequest,
            _ => Self::Internal,
        }
    }
}
