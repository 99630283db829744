//! What every answer tells a browser: to take it for nothing but what it is, to let nobody else have it, and
//! how long to keep it.

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// What a browser may load for an answer (Content Security Policy, level 3).
#[derive(Debug, Clone, Copy)]
pub(in crate::http) enum Policy {
    /// Nothing at all: the answer is no page.
    Data,
    /// A page with a style of its own.
    Page,
    /// A page with scripts, which asks this service and no other.
    Explorer,
}

impl Policy {
    pub(in crate::http) fn to_header_value(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Data => "default-src 'none'; frame-ancestors 'none'",
            Self::Page => {
                "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            }
            // Swagger UI sets the style of elements, and has its pictures in its stylesheet.
            Self::Explorer => {
                "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                 connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            }
        })
    }
}

/// Adds what every answer has to one that does not say otherwise.
pub(in crate::http) fn guard(method: &Method, headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let default = |headers: &mut HeaderMap, name: HeaderName, value: HeaderValue| {
        if !headers.contains_key(&name) {
            headers.insert(name, value);
        }
    };
    default(headers, header::CONTENT_SECURITY_POLICY, Policy::Data.to_header_value());
    // Users are nobody else's to keep. What has an entity tag may be kept by who asked, and is asked for again.
    let revalidated = headers.contains_key(header::ETAG) && (method == Method::GET || method == Method::HEAD);
    let cached = if revalidated { "private, no-cache" } else { "no-store" };
    default(headers, header::CACHE_CONTROL, HeaderValue::from_static(cached));
}
