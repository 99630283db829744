//! The paths of requests, as the router and handlers see them.

use std::future::{Ready, ready};

use actix_web::dev::{Payload, ServiceRequest};
use actix_web::http::Uri;
use actix_web::{FromRequest, HttpRequest};
use roster_domain::{DirectoryId, DomainError, UserId, Violation, Violations};

use crate::http::problem::error::ApiError;

/// The `{id}` of a path, if it is a number. That it is none is a rule that is broken, and so is told after what is not
/// well-formed; whether anybody can have it is asked later still.
pub(in crate::http) struct IdInPath(Result<i64, Violation>);

impl IdInPath {
    /// The id, where a user can have it; else there is no such user.
    pub(in crate::http) fn user(self) -> Result<UserId, ApiError> {
        let (id, ()) = self.user_and(Ok(()))?;
        Ok(id)
    }

    /// The same with what the body says, or every rule that either breaks.
    pub(in crate::http) fn user_and<T>(self, parsed: Result<T, Violations>) -> Result<(UserId, T), ApiError> {
        let mut broken = Violations::default();
        match (broken.take(self.0.map_err(Violations::from)), broken.take(parsed)) {
            (Some(id), Some(parsed)) => {
                Ok((UserId::new(id).ok_or_else(|| DomainError::user_not_found(id))?, parsed))
            }
            _ => Err(broken.into()),
        }
    }

    /// The id, where a person of the directory can have it; else there is no such person.
    pub(in crate::http) fn person(self) -> Result<DirectoryId, ApiError> {
        let id = self.0?;
        Ok(DirectoryId::new(id).ok_or_else(|| DomainError::person_not_found(id))?)
    }
}

/// Has the router take a path with a slash at its end for the one without it: each is answered the same.
pub(in crate::http) fn without_final_slash(request: &mut ServiceRequest) {
    if let Some(Ok(uri)) = stripped(request.uri().path()).map(Uri::try_from) {
        request.match_info_mut().get_mut().update(&uri);
    }
}

/// A path without the slash that is at its end.
pub(in crate::http) fn stripped(path: &str) -> Option<&str> {
    path.strip_suffix('/').filter(|path| !path.is_empty())
}

impl FromRequest for IdInPath {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request.match_info().query("id").parse();
        ready(Ok(Self(id.map_err(|_| Violation::new("id", "Id must be a 64-bit integer")))))
    }
}
