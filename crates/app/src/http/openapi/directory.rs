//! `/directory` and `/users/from-directory`: people of the external directory.

use serde_json::json;
use utoipa::openapi::Paths;
use utoipa::openapi::path::HttpMethod::{Get, Post};
use utoipa::openapi::schema::ComponentsBuilder;

use super::operation::{BODY, answer, at, content, operation};
use super::users::created;
use crate::access::Scope;
use crate::http::directory::{FromDirectoryRequest, PersonResponse};
use crate::http::problem::Code;

const TAG: &str = "directory";

/// What a question to the directory can end in.
const ASKED: [Code; 4] = [Code::NotFound, Code::NotAcceptable, Code::UpstreamError, Code::UpstreamTimeout];

pub(super) fn schemas(components: ComponentsBuilder) -> ComponentsBuilder {
    components.schema_from::<PersonResponse>().schema_from::<FromDirectoryRequest>()
}

pub(super) fn paths(paths: &mut Paths) {
    at(
        paths,
        Get,
        "/api/v1/directory/users/{id}",
        operation("getPerson", TAG, "Look up a person in the external directory")
            .needing(Scope::DirectoryRead)
            .taking(&["PersonId"])
            .answering(200, answer("The person, in the directory's words", "Person"))
            .failing(&[Code::Validation])
            .failing(&ASKED),
    );
    at(
        paths,
        Post,
        "/api/v1/users/from-directory",
        operation("createUserFromDirectory", TAG, "Make a user of a person in the external directory")
            .needing([Scope::UsersWrite, Scope::DirectoryRead])
            .about("The rules are those of `createUser`.")
            .body([("application/json", content("FromDirectory", Some(json!({"directory_id": 1}))))])
            .answering(201, created())
            .failing(&BODY)
            .failing(&[Code::BusinessRule])
            .failing(&ASKED),
    );
}
