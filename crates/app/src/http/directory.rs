//! `/directory/users/{id}` and `/users/from-directory`: bodies, handlers and routes.

use actix_web::http::Method;
use actix_web::{HttpResponse, web};
use roster_domain::{DirectoryId, DirectoryPerson, DomainError};
use serde::Serialize;
use utoipa::ToSchema;

use super::middleware::access::protected;
use super::openapi::rules;
use super::problem::error::ApiError;
use super::request::json::{Body, Json, Member, Object};
use super::request::path::IdInPath;
use super::users;
use crate::access::Scope;
use crate::wiring::Services;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(protected("/directory/users/{id}").on(Method::GET, Scope::DirectoryRead, get)).service(
        protected("/users/from-directory").on(
            Method::POST,
            [Scope::UsersWrite, Scope::DirectoryRead],
            create_user,
        ),
    );
}

async fn get(services: web::Data<Services>, id: IdInPath) -> Result<HttpResponse, ApiError> {
    let person = services.directory.get(id.person()?).await?;
    Ok(HttpResponse::Ok().json(PersonResponse::from(person)))
}

async fn create_user(
    services: web::Data<Services>,
    Json(body): Json<FromDirectoryRequest>,
) -> Result<HttpResponse, ApiError> {
    let id = body.directory_id.required_integer()?;
    let id = DirectoryId::new(id).ok_or_else(|| DomainError::person_not_found(id))?;
    let user = services.directory.create_user(id).await?;
    Ok(users::created(user))
}

/// Which person shall be a user.
#[derive(ToSchema)]
#[schema(as = FromDirectory)]
pub(super) struct FromDirectoryRequest {
    #[schema(schema_with = rules::person_id)]
    directory_id: Member,
}

impl Body for FromDirectoryRequest {
    fn read(_: &str, body: &[u8]) -> Result<Self, ApiError> {
        let mut object = Object::parse(body)?;
        Ok(Self { directory_id: object.take("directory_id") })
    }
}

/// A person, as clients see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Person)]
pub(super) struct PersonResponse {
    #[schema(schema_with = rules::person_id)]
    id: i64,
    name: String,
    email: String,
    username: String,
}

impl From<DirectoryPerson> for PersonResponse {
    fn from(person: DirectoryPerson) -> Self {
        Self { id: person.id.get(), name: person.name, email: person.email, username: person.username }
    }
}
