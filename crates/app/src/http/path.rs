use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use roster_domain::{DirectoryId, DomainError, UserId, Violation};

use super::error::ApiError;

/// The `{id}` of a path, as a number; whether anybody can have it is another question, and asked later.
pub(super) struct IdInPath(i64);

impl IdInPath {
    /// The id, where a user can have it; else there is no such user.
    pub(super) fn user(&self) -> Result<UserId, DomainError> {
        UserId::new(self.0).ok_or_else(|| DomainError::user_not_found(self.0))
    }

    /// The id, where a person of the directory can have it; else there is no such person.
    pub(super) fn person(&self) -> Result<DirectoryId, DomainError> {
        DirectoryId::new(self.0).ok_or_else(|| DomainError::person_not_found(self.0))
    }
}

impl FromRequest for IdInPath {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request.match_info().query("id").parse();
        ready(id.map(Self).map_err(|_| Violation::new("id", "Id must be a 64-bit integer").into()))
    }
}
