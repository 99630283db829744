//! Which pages of other origins may use the API in a browser (CORS, as the Fetch standard has it).

use actix_cors::{Cors, CorsError};
use actix_web::Error;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{Method, header};
use actix_web::middleware::Condition;

use super::limits::{RATE_LIMIT, RATE_LIMIT_POLICY};
use super::methods::ACCEPT_PATCH;
use super::request_id::X_REQUEST_ID;
use crate::config::Origin;
use crate::http::problem::{Code, Problem};
use crate::http::request::idempotency::IDEMPOTENCY_REPLAYED;
use crate::http::request::position::ROSTER_POSITION;

/// What of an answer pages may read, beside what they always may.
const READABLE: [HeaderName; 14] = [
    header::ACCEPT_ENCODING,
    ACCEPT_PATCH,
    header::ALLOW,
    header::CONTENT_DISPOSITION,
    header::ETAG,
    header::LINK,
    header::LOCATION,
    header::RETRY_AFTER,
    RATE_LIMIT,
    RATE_LIMIT_POLICY,
    header::WWW_AUTHENTICATE,
    IDEMPOTENCY_REPLAYED,
    ROSTER_POSITION,
    X_REQUEST_ID,
];

/// The origins whose pages may use the API; none, where there are none.
#[derive(Debug, Clone, Default)]
pub(crate) struct CrossOrigin(Vec<Origin>);

impl CrossOrigin {
    /// Pages of these may.
    pub(crate) fn new(origins: Vec<Origin>) -> Self {
        Self(origins)
    }

    /// Tells browsers so.
    pub(in crate::http) fn layer(self) -> Condition<Cors> {
        let cors = Cors::default()
            .allowed_methods([
                Method::GET,
                Method::HEAD,
                Method::POST,
                Method::PUT,
                Method::PATCH,
                Method::DELETE,
            ])
            .allow_any_header()
            .expose_headers(READABLE)
            .max_age(3600);
        let cors = self.0.iter().fold(cors, |cors, origin| match origin {
            Origin::Any => cors.allow_any_origin().send_wildcard(),
            Origin::Of(origin) => cors.allowed_origin(origin),
        });
        Condition::new(!self.0.is_empty(), cors)
    }

    /// What the layer says of an answer to a page of this origin, for one that cannot go through it.
    pub(in crate::http) fn told(&self, origin: Option<&HeaderValue>) -> Vec<(HeaderName, HeaderValue)> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let allowed = self.0.iter().find_map(|allowed| match allowed {
            Origin::Any => Some(HeaderValue::from_static("*")),
            Origin::Of(allowed) => origin.filter(|origin| origin.as_bytes() == allowed.as_bytes()).cloned(),
        });
        let allowed = allowed.map(|allowed| (header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed));
        let readable = HeaderValue::try_from(READABLE.map(|name| name.to_string()).join(", ")).ok();
        let readable = readable.filter(|_| allowed.is_some());
        let readable = readable.map(|readable| (header::ACCESS_CONTROL_EXPOSE_HEADERS, readable));
        let varies = (header::VARY, HeaderValue::from_static("Origin"));
        allowed.into_iter().chain(readable).chain([varies]).collect()
    }
}

/// What to say where a page asked whether it may, and may not.
pub(in crate::http) fn refused(error: &Error) -> Option<Problem> {
    error.as_error::<CorsError>().map(|error| Problem::new(Code::MalformedRequest, error.to_string()))
}
