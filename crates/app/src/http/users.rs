//! `/users`: bodies, handlers and routes.

use actix_web::http::{Method, header};
use actix_web::{HttpResponse, HttpResponseBuilder, web};
use roster_domain::{
    Email, Name, NewUser, Page, Position, Timestamp, User, UserChanges, UserQuery, Violations, Written,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::BASE_PATH;
use super::list::{ListRequest, next_cursor};
use super::middleware::access::protected;
use super::openapi::rules;
use super::problem::error::ApiError;
use super::request::conditional::{ReadCondition, WriteCondition, etag};
use super::request::idempotency::{IDEMPOTENCY_REPLAYED, Idempotency};
use super::request::json::{Body, Json, Member, Object};
use super::request::path::IdInPath;
use super::request::position::ROSTER_POSITION;
use crate::access::Scope;
use crate::wiring::Services;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(protected("/users").on(Method::POST, Scope::UsersWrite, create).on(
            Method::GET,
            Scope::UsersRead,
            list,
        ))
        .service(
            protected("/users/{id}")
                .on(Method::GET, Scope::UsersRead, get)
                .on(Method::PUT, Scope::UsersWrite, replace)
                .on(Method::PATCH, Scope::UsersWrite, patch)
                .on(Method::DELETE, Scope::UsersWrite, delete),
        );
}

type Answer = Result<HttpResponse, ApiError>;

async fn create(
    services: web::Data<Services>,
    idempotency: Idempotency,
    Json(body): Json<CreateUserRequest>,
) -> Answer {
    let new = body.try_into()?;
    let request = idempotency.creating(&new);
    Ok(created(services.users.create(new, request).await?))
}

async fn get(services: web::Data<Services>, id: IdInPath, condition: ReadCondition) -> Answer {
    let user = services.users.get(id.user()?).await?;
    if condition.is_met_without(user.version)? {
        return Ok(HttpResponse::NotModified().insert_header((header::ETAG, etag(user.version))).finish());
    }
    Ok(answer(&mut HttpResponse::Ok(), user))
}

async fn list(services: web::Data<Services>, request: ListRequest) -> Answer {
    let Some(query) = &request.query else {
        let (total, newest) = (request.total_of_none(), services.feed.newest().await?);
        let nobody = Page { items: Vec::new(), more: false, total, newest };
        return Ok(page(newest, &ListResponse::new(nobody, &UserQuery::default()), None));
    };
    let users = services.users.list(query).await?;
    let newest = users.newest;
    let list = ListResponse::new(users, query);
    let link = list.next.as_deref().map(|cursor| request.link(&format!("{BASE_PATH}/users"), cursor));
    Ok(page(newest, &list, link))
}

async fn replace(
    services: web::Data<Services>,
    id: IdInPath,
    WriteCondition(precondition): WriteCondition,
    Json(body): Json<CreateUserRequest>,
) -> Answer {
    let (id, new) = id.user_and(NewUser::try_from(body))?;
    let user = services.users.update(id, new.into(), precondition).await?;
    Ok(answer(&mut HttpResponse::Ok(), user))
}

async fn patch(
    services: web::Data<Services>,
    id: IdInPath,
    WriteCondition(precondition): WriteCondition,
    Json(body): Json<PatchUserRequest>,
) -> Answer {
    let (id, changes) = id.user_and(body.try_into())?;
    let user = services.users.update(id, changes, precondition).await?;
    Ok(answer(&mut HttpResponse::Ok(), user))
}

async fn delete(
    services: web::Data<Services>,
    id: IdInPath,
    WriteCondition(precondition): WriteCondition,
) -> Answer {
    services.users.delete(id.user()?, precondition).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The body of a `POST`, and of a `PUT`, which replaces both members.
#[derive(ToSchema)]
#[schema(as = UserCreate)]
pub(super) struct CreateUserRequest {
    #[schema(schema_with = rules::new_email)]
    email: Member,
    #[schema(schema_with = rules::new_name)]
    name: Member,
}

impl Body for CreateUserRequest {
    fn read(_: &str, body: &[u8]) -> Result<Self, ApiError> {
        let mut object = Object::parse(body)?;
        Ok(Self { email: object.take("email"), name: object.take("name") })
    }
}

impl TryFrom<CreateUserRequest> for NewUser {
    type Error = Violations;

    fn try_from(request: CreateUserRequest) -> Result<Self, Violations> {
        Self::from_parsed(request.email.required_text(Email::parse), request.name.required_text(Name::parse))
    }
}

/// The body of a `PATCH`: a JSON Merge Patch (RFC 7396) of `email` and `name`.
#[derive(ToSchema)]
#[schema(as = UserPatch)]
pub(super) struct PatchUserRequest {
    #[schema(schema_with = rules::new_email, required = false)]
    email: Member,
    #[schema(schema_with = rules::new_name, required = false)]
    name: Member,
}

impl Body for PatchUserRequest {
    const MEDIA_TYPES: &'static [&'static str] = &["application/merge-patch+json", "application/json"];

    fn read(_: &str, body: &[u8]) -> Result<Self, ApiError> {
        let mut object = Object::parse(body)?;
        Ok(Self { email: object.take("email"), name: object.take("name") })
    }
}

impl TryFrom<PatchUserRequest> for UserChanges {
    type Error = Violations;

    fn try_from(request: PatchUserRequest) -> Result<Self, Violations> {
        Self::from_parsed(request.email.optional_text(Email::parse), request.name.optional_text(Name::parse))
    }
}

/// A user, as clients see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub(crate) struct UserResponse {
    #[schema(schema_with = rules::id)]
    id: i64,
    #[schema(schema_with = rules::email)]
    email: String,
    #[schema(schema_with = rules::name)]
    name: String,
    #[schema(schema_with = rules::time)]
    created_at: Timestamp,
    #[schema(schema_with = rules::time)]
    updated_at: Timestamp,
    #[schema(schema_with = rules::version)]
    version: i64,
}

impl From<User> for UserResponse {
    fn from(user: User) -> Self {
        Self {
            id: user.id.get(),
            email: user.email.into_string(),
            name: user.name.into_string(),
            created_at: user.created_at,
            updated_at: user.updated_at,
            version: user.version.get(),
        }
    }
}

/// A page of users, as clients see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UserPage)]
pub(super) struct ListResponse {
    #[schema(max_items = 100)]
    items: Vec<UserResponse>,
    /// The cursor of the next page; null on the last one.
    #[schema(required = true)]
    next: Option<String>,
    /// How many users there are on all pages, where `count=exact` asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0)]
    total: Option<u64>,
}

impl ListResponse {
    pub(super) fn new(page: Page<User>, query: &UserQuery) -> Self {
        let last = page.items.last().filter(|_| page.more).map(|user| user.id);
        Self {
            next: next_cursor(query, last),
            items: page.items.into_iter().map(UserResponse::from).collect(),
            total: page.total,
        }
    }
}

/// The answer to whatever made a user, now or when it was asked the first time.
pub(super) fn created(written: Written<User>) -> HttpResponse {
    let mut response = HttpResponse::Created();
    if let Written::Before(_) = written {
        response.insert_header((IDEMPOTENCY_REPLAYED, "true"));
    }
    let user = written.into_inner();
    response.insert_header((header::LOCATION, format!("{BASE_PATH}/users/{}", user.id)));
    answer(&mut response, user)
}

fn answer(response: &mut HttpResponseBuilder, user: User) -> HttpResponse {
    response.insert_header((header::ETAG, etag(user.version))).json(UserResponse::from(user))
}

fn page(newest: Position, list: &ListResponse, link: Option<String>) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((ROSTER_POSITION, newest.to_string()));
    if let Some(link) = link {
        response.insert_header((header::LINK, link));
    }
    response.json(list)
}
