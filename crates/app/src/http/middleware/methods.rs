//! `OPTIONS`, and `Allow`: the router knows which methods a resource takes, and says so where it is asked for
//! another. What a resource can be asked for is answered from that (RFC 9110 §9.3.7).

use actix_web::dev::ServiceResponse;
use actix_web::http::header::{ALLOW, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};

use crate::http::request::json::Body;
use crate::http::users::PatchUserRequest;

pub(in crate::http) const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// Adds `OPTIONS` to the methods that a resource says it takes: it is answered for all of them.
pub(in crate::http) fn allow_options<B>(response: &mut ServiceResponse<B>) {
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return;
    }
    let methods = response.headers().get(ALLOW).and_then(|methods| methods.to_str().ok());
    let mut methods: Vec<_> = methods.unwrap_or_default().split(',').map(str::trim).collect();
    methods.push("OPTIONS");
    methods.retain(|method| !method.is_empty());
    if let Ok(methods) = HeaderValue::try_from(methods.join(", ")) {
        response.headers_mut().insert(ALLOW, methods);
    }
}

/// Adds to what a resource offers the forms of a patch that it takes (RFC 5789 §3.1).
pub(in crate::http) fn accept_patch<B>(offer: &mut ServiceResponse<B>) {
    let methods = offer.headers().get(ALLOW).and_then(|methods| methods.to_str().ok()).unwrap_or_default();
    if methods.split(", ").any(|method| method == Method::PATCH) {
        tell_forms_of_patches(offer);
    }
}

/// Adds them to the answer to a patch of another form (RFC 5789 §2.2).
pub(in crate::http) fn accept_patch_instead<B>(refused: &mut ServiceResponse<B>) {
    if refused.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE && refused.request().method() == Method::PATCH {
        tell_forms_of_patches(refused);
    }
}

/// Users alone are patched.
fn tell_forms_of_patches<B>(response: &mut ServiceResponse<B>) {
    if let Ok(forms) = HeaderValue::try_from(PatchUserRequest::MEDIA_TYPES.join(", ")) {
        response.headers_mut().insert(ACCEPT_PATCH, forms);
    }
}

/// Whether an answer says what can be asked for, to somebody who wants to know: of a resource, or of the
/// service, whose path is `*`.
pub(in crate::http) fn is_offer<B>(response: &ServiceResponse<B>) -> bool {
    let asked = response.request().method() == Method::OPTIONS;
    let told = response.status() == StatusCode::METHOD_NOT_ALLOWED || response.request().path() == "*";
    asked && told
}
