//! Who asks, and whether they may: judged before a request's body is read.

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{AppService, HttpServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::middleware::{Next, from_fn};
use actix_web::{Error, FromRequest, Handler, HttpMessage, HttpRequest, Resource, Responder, web};
use tracing::Span;

use super::error::ApiError;
use crate::access::{Gatekeeper, Principal, Refusal, Scopes};

/// Lets in nobody but whom the gatekeeper does, and notes who it is: with the request, and in its span.
pub(super) async fn authenticate<B: MessageBody + 'static>(
    gatekeeper: web::Data<Gatekeeper>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    match gatekeeper.admit(bearer(request.headers())).await {
        Ok(principal) => {
            Span::current().record("principal", principal.name());
            request.extensions_mut().insert(principal);
            next.call(request).await.map(ServiceResponse::map_into_left_body)
        }
        Err(refusal) => Ok(request.error_response(ApiError::from(refusal)).map_into_right_body()),
    }
}

/// The token of `Authorization: Bearer TOKEN` (RFC 6750 §2.1). A header of another scheme is no credential, nor
/// are two headers: which of two is meant is not for us to say.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut lines = headers.get_all(header::AUTHORIZATION);
    let line = lines.next()?.to_str().ok().filter(|_| lines.next().is_none())?;
    let (scheme, token) = line.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Who asks.
pub(super) fn principal(request: &HttpRequest) -> Option<Principal> {
    request.extensions().get().cloned()
}

/// A resource at `path`, with and without a slash at its end, that nobody asks for anything without the scopes
/// that it takes: there is no way to add a route without naming them.
pub(super) fn protected(path: &str) -> Protected {
    Protected(web::resource([path, &format!("{path}/")]))
}

/// A resource for whoever has the scopes.
pub(super) struct Protected(Resource);

impl Protected {
    /// With a method, for whoever has these scopes. Where there is `GET`, there is `HEAD`.
    pub(super) fn on<F, Args>(self, method: Method, needed: impl Into<Scopes>, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let needed = needed.into();
        let route = |method, handler: F| {
            let route = web::method(method).to(handler);
            route.wrap(from_fn(move |request, next| admit(needed, request, next)))
        };
        let head = (method == Method::GET).then(|| route(Method::HEAD, handler.clone()));
        Self(head.into_iter().fold(self.0.route(route(method, handler)), Resource::route))
    }
}

impl HttpServiceFactory for Protected {
    fn register(self, config: &mut AppService) {
        self.0.register(config);
    }
}

/// Goes on with a request whose principal has the scopes. One without a principal was not judged: it has none.
async fn admit<B: MessageBody + 'static>(
    needed: Scopes,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let refused = match request.extensions().get::<Principal>() {
        Some(principal) if principal.may(needed) => None,
        Some(_) => Some(ApiError::Forbidden(needed)),
        None => Some(Refusal::Missing.into()),
    };
    match refused {
        None => next.call(request).await.map(ServiceResponse::map_into_left_body),
        Some(refused) => Ok(request.error_response(refused).map_into_right_body()),
    }
}

/// What to ask of whom an error refuses, as `WWW-Authenticate` (RFC 6750 §3); `None` where it is another error.
pub(super) fn challenge(error: &ApiError) -> Option<HeaderValue> {
    let parameters = match error {
        ApiError::Unauthenticated(Refusal::Missing) => String::new(),
        ApiError::Unauthenticated(why @ (Refusal::Invalid | Refusal::Expired)) => {
            format!(r#", error="invalid_token", error_description="{why}""#)
        }
        ApiError::Forbidden(needed) => {
            format!(r#", error="insufficient_scope", scope="{}""#, needed.join(" "))
        }
        _ => return None,
    };
    HeaderValue::try_from(format!(r#"Bearer realm="roster"{parameters}"#)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presented(lines: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(line).unwrap());
        }
        bearer(&headers).map(str::to_owned)
    }

    #[test]
    fn a_credential_is_one_bearer_token() {
        for line in ["Bearer a.b-c", "bearer a.b-c", "BEARER  a.b-c "] {
            assert_eq!(presented(&[line]).as_deref(), Some("a.b-c"), "{line}");
        }
        for lines in
            [&[][..], &["Bearer"], &["Basic YTpi"], &["a.b-c"], &["Bearer a", "Bearer a"], &["Bearer é"]]
        {
            assert_eq!(presented(lines), None, "{lines:?}");
        }
    }
}
