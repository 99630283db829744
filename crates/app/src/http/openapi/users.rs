//! `/users`: what a client can do with users.

use serde_json::{Value, json};
use utoipa::openapi::path::HttpMethod::{Delete, Get, Patch, Post, Put};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::{Paths, link::Link, schema::ComponentsBuilder};

use super::operation::{BODY, answer, at, content, empty, header, operation};
use crate::access::Scope;
use crate::http::problem::Code;
use crate::http::users::{CreateUserRequest, ListResponse, PatchUserRequest, UserResponse};

const TAG: &str = "users";

pub(super) fn schemas(components: ComponentsBuilder) -> ComponentsBuilder {
    components
        .schema_from::<UserResponse>()
        .schema_from::<ListResponse>()
        .schema_from::<CreateUserRequest>()
        .schema_from::<PatchUserRequest>()
}

pub(super) fn paths(paths: &mut Paths) {
    let (users, user) = ("/api/v1/users", "/api/v1/users/{id}");
    at(
        paths,
        Post,
        users,
        operation("createUser", TAG, "Create a user")
            .needing(Scope::UsersWrite)
            .taking(&["Idempotency-Key"])
            .body([("application/json", content("UserCreate", Some(ada())))])
            .answering(201, created().header_ref("Idempotency-Replayed", header("Idempotency-Replayed")))
            .failing(&BODY)
            .failing(&[Code::BusinessRule, Code::Conflict, Code::IdempotencyKeyReused, Code::NotAcceptable]),
    );
    at(
        paths,
        Get,
        users,
        operation("listUsers", TAG, "List users, a page at a time")
            .needing(Scope::UsersRead)
            .about("In the order of their ids. Users that come or go between two pages shift nothing.")
            .taking(&["Limit", "After", "Order", "Email", "Name", "Count"])
            .answering(
                200,
                answer("A page of users", "UserPage")
                    .header_ref("Link", header("Link"))
                    .header_ref("Roster-Position", header("Roster-Position")),
            )
            .failing(&[Code::MalformedRequest, Code::NotAcceptable, Code::Validation]),
    );
    at(
        paths,
        Get,
        user,
        operation("getUser", TAG, "Read a user")
            .needing(Scope::UsersRead)
            .taking(&["UserId", "If-Match", "If-None-Match"])
            .answering(200, tagged("The user"))
            .answering(
                304,
                empty("The user has a version that `If-None-Match` names").header_ref("ETag", header("ETag")),
            )
            .failing(&[
                Code::MalformedRequest,
                Code::NotFound,
                Code::NotAcceptable,
                Code::PreconditionFailed,
                Code::Validation,
            ]),
    );
    at(
        paths,
        Put,
        user,
        operation("replaceUser", TAG, "Replace a user's e-mail and name")
            .needing(Scope::UsersWrite)
            .about("What changes nothing leaves the version as it was.")
            .taking(&["UserId", "If-Match", "If-None-Match"])
            .body([("application/json", content("UserCreate", Some(ada())))])
            .answering(200, tagged("The user, as it is now"))
            .failing(&BODY)
            .failing(&WRITE),
    );
    let king = || Some(json!({"name": "Ada King"}));
    at(
        paths,
        Patch,
        user,
        operation("updateUser", TAG, "Change a user's e-mail or name")
            .needing(Scope::UsersWrite)
            .about("A JSON Merge Patch (RFC 7396). What changes nothing leaves the version as it was.")
            .taking(&["UserId", "If-Match", "If-None-Match"])
            .body([
                ("application/merge-patch+json", content("UserPatch", king())),
                ("application/json", content("UserPatch", king())),
            ])
            .answering(200, tagged("The user, as it is now"))
            .failing(&BODY)
            .failing(&WRITE),
    );
    at(
        paths,
        Delete,
        user,
        operation("deleteUser", TAG, "Delete a user")
            .needing(Scope::UsersWrite)
            .taking(&["UserId", "If-Match", "If-None-Match"])
            .answering(204, empty("The user is no more"))
            .failing(&[Code::MalformedRequest, Code::NotFound, Code::PreconditionFailed, Code::Validation]),
    );
}

/// What a change of a user can end in, beside what its body is refused for.
const WRITE: [Code; 4] = [Code::BusinessRule, Code::NotFound, Code::NotAcceptable, Code::PreconditionFailed];

/// The answer to whatever made a user, with what can be done next.
pub(super) fn created() -> ResponseBuilder {
    let created = tagged("The user").header_ref("Location", header("Location"));
    ["getUser", "replaceUser", "updateUser", "deleteUser"].into_iter().fold(created, |created, next| {
        let link = Link::builder().operation_id(next).parameter("id", "$response.body#/id");
        created.link(next, link.build())
    })
}

fn tagged(description: &str) -> ResponseBuilder {
    answer(description, "User").header_ref("ETag", header("ETag"))
}

fn ada() -> Value {
    json!({"email": "ada@example.org", "name": "Ada Lovelace"})
}
