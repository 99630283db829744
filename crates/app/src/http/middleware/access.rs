//! Who asks, and whether they may: judged before a request's body is read.

use std::net::{IpAddr, SocketAddr};

use actix_web::dev::{AppService, HttpServiceFactory, ServiceRequest};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::uri::Authority;
use actix_web::{Error, FromRequest, Handler, HttpMessage, HttpRequest, Resource, Responder, web};
use tracing::Span;

use crate::access::{Gatekeeper, Principal, Refusal, Scopes};
use crate::http::problem::error::ApiError;
use crate::http::request::accept;

/// Refuses what a page of another name may have sent, where only this machine is to be served: a browser asks this
/// machine, too, for a page whose name leads here by now (DNS rebinding), and tells that name.
pub(in crate::http) fn check_host(gatekeeper: &Gatekeeper, request: &ServiceRequest) -> Result<(), ApiError> {
    let hosts = request.headers().get_all(header::HOST).map(|host| host.to_str().unwrap_or_default());
    let mut hosts = hosts.chain(request.uri().authority().map(Authority::as_str));
    if gatekeeper.is_for_this_machine() && !hosts.all(is_of_this_machine) {
        return Err(ApiError::NotThisMachine);
    }
    Ok(())
}

/// Whether no name server has a say in where this host is: it is an address, or `localhost` (RFC 6761 §6.3).
fn is_of_this_machine(host: &str) -> bool {
    let is_address =
        host.parse::<SocketAddr>().is_ok() || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let name = host.split(':').next().unwrap_or_default();
    let name = name.strip_suffix('.').unwrap_or(name);
    is_address || name.rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case("localhost"))
}

/// Notes who asks, where the gatekeeper lets them in: with the request, and in its span.
pub(in crate::http) async fn identify(
    gatekeeper: &Gatekeeper,
    request: &ServiceRequest,
) -> Result<(), Refusal> {
    let principal = gatekeeper.admit(bearer(request.headers())).await?;
    Span::current().record("principal", principal.name());
    request.extensions_mut().insert(principal);
    Ok(())
}

/// The token of `Authorization: Bearer TOKEN` (RFC 6750 §2.1). A header of another scheme is no credential, nor
/// are two headers: which of two is meant is not for us to say.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut lines = headers.get_all(header::AUTHORIZATION);
    let line = lines.next()?.to_str().ok().filter(|_| lines.next().is_none())?;
    let (scheme, token) = line.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Who asks. A request without a principal was not judged: it has none.
pub(in crate::http) fn principal(request: &HttpRequest) -> Result<Principal, ApiError> {
    request.extensions().get().cloned().ok_or_else(|| Refusal::Missing.into())
}

/// A resource at `path` that nobody asks for anything without the scopes that it takes: there is no way to add a
/// route without naming them.
pub(in crate::http) fn protected(path: &str) -> Protected {
    Protected { resource: web::resource(path), form: Some("application/json") }
}

/// A resource for whoever has the scopes.
pub(in crate::http) struct Protected {
    resource: Resource,
    /// The form of what it answers, which then is to be acceptable.
    form: Option<&'static str>,
}

impl Protected {
    /// One that answers not in JSON alone: its handlers see to it that a client accepts what they answer.
    pub(in crate::http) fn in_forms_of_its_own(self) -> Self {
        Self { form: None, ..self }
    }

    /// With a method, for whoever has these scopes. Where there is `GET`, there is `HEAD`.
    pub(in crate::http) fn on<F, Args>(self, method: Method, needed: impl Into<Scopes>, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let needed = needed.into();
        // What is deleted is answered without a body.
        let form = self.form.filter(|_| method != Method::DELETE);
        let route = |method, handler: F| {
            web::method(method).to(move |request: HttpRequest, payload: web::Payload| {
                let handler = handler.clone();
                async move {
                    judge(&request, needed, form)?;
                    // Kept until there is an answer: a body that nobody reads is not sent for nothing meanwhile.
                    let mut payload = payload.into_inner();
                    let arguments = Args::from_request(&request, &mut payload).await;
                    let answer = handler.call(arguments.map_err(Into::into)?).await.respond_to(&request);
                    Ok::<_, Error>(answer.map_into_boxed_body())
                }
            })
        };
        let head = (method == Method::GET).then(|| route(Method::HEAD, handler.clone()));
        let resource = head.into_iter().fold(self.resource.route(route(method, handler)), Resource::route);
        Self { resource, ..self }
    }
}

impl HttpServiceFactory for Protected {
    fn register(self, config: &mut AppService) {
        self.resource.register(config);
    }
}

/// Refuses a request before anything else of it is looked at: of a client that accepts no such form, or whose
/// principal has not the scopes.
fn judge(request: &HttpRequest, needed: Scopes, form: Option<&'static str>) -> Result<(), ApiError> {
    if let Some(form) = form
        && accept::choose(request.headers(), &[form]).is_none()
    {
        return Err(ApiError::NotAcceptable(form));
    }
    if principal(request)?.may(needed) { Ok(()) } else { Err(ApiError::Forbidden(needed)) }
}

/// What to ask of whom an error refuses, as `WWW-Authenticate` (RFC 6750 §3); `None` where it is another error.
pub(in crate::http) fn challenge(error: &ApiError) -> Option<HeaderValue> {
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
    fn this_machine_is_asked_by_an_address_or_as_localhost() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:8080",
            "192.0.2.1",
            "[::1]",
            "[::1]:8080",
            "localhost",
            "LocalHost:80",
            "roster.localhost:8080",
            "localhost.",
            "localhost.:8080",
        ] {
            assert!(is_of_this_machine(host), "{host}");
        }
        for host in [
            "",
            "attacker.example",
            "attacker.example:8080",
            "127.0.0.1.attacker.example",
            "localhost.attacker.example",
            "notlocalhost",
            "attacker.example:80@localhost",
            "localhost@attacker.example",
        ] {
            assert!(!is_of_this_machine(host), "{host}");
        }
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
