//! `/users/import` and `/users/export`: what a client can do with users in bulk.

use serde_json::json;
use utoipa::openapi::content::{Content, ContentBuilder};
use utoipa::openapi::path::HttpMethod::{Get, Post};
use utoipa::openapi::schema::{ComponentsBuilder, ObjectBuilder, Type};
use utoipa::openapi::{KnownFormat, Paths, SchemaFormat};

use super::operation::{at, empty, header, operation};
use super::rules::{self, integer, text};
use crate::access::Scope;
use crate::bulk::Format;
use crate::http::problem::Code;

const TAG: &str = "users";

const NDJSON: &str = "{\"email\":\"ada@example.org\",\"name\":\"Ada Lovelace\"}\n";
const CSV: &str = "email,name\nada@example.org,Ada Lovelace\n";

/// What the lines of a body are, each of which is JSON by itself: the document has no word for a body of such.
pub(super) fn schemas(components: ComponentsBuilder) -> ComponentsBuilder {
    let object = |about| ObjectBuilder::new().schema_type(Type::Object).description(Some(about));
    let count = |about| integer(about, 0);
    let outcome = object(
        "What became of a line: it made a user, or why it did not. Of a dry run, neither where it is valid.",
    )
    .property("line", integer("Which line it is, counted from 1; the header of CSV is none.", 1))
    .required("line")
    .property("id", rules::id())
    .property("error", rules::problem_code())
    .property("message", text("Why it failed, for a person."));
    let summary = object("How many lines an import had; last, where errors alone are told.")
        .property("lines", count("How many there were."))
        .required("lines")
        .property("created", count("How many made a user."))
        .required("created")
        .property("failed", count("How many failed."))
        .required("failed");
    components.schema("ImportOutcome", outcome).schema("ImportSummary", summary)
}

pub(super) fn paths(paths: &mut Paths) {
    let outcomes = "{\"line\":1,\"id\":1}\n{\"line\":2,\"error\":\"business_rule\",\"message\":\"Email already exists\"}\n";
    at(
        paths,
        Post,
        "/api/v1/users/import",
        operation("importUsers", TAG, "Make users of lines, each with an outcome of its own")
            .needing(Scope::UsersWrite)
            .about("Outcomes are streamed in the order of the lines, while those still come in; what was told is kept, whatever becomes of the rest. Of errors alone, the answer begins once all was sent, or much has failed; where that did not come, lines before it may have taken effect. Either side may be compressed with gzip.")
            .taking(&["DryRun", "Report", "Content-Encoding"])
            .body([
                (Format::Ndjson.media_type(), lines("A `UserCreate` a line.", NDJSON)),
                (Format::Csv.media_type(), lines("A header row that names `email` and `name`, then a row each.", CSV)),
            ])
            .answering(
                200,
                empty("An outcome for each line")
                    .content(Format::Ndjson.media_type(), lines("An `ImportOutcome` a line; of errors alone, an `ImportSummary` last.", outcomes)),
            )
            .failing(&[
                Code::MalformedRequest,
                Code::NotAcceptable,
                Code::RequestTimeout,
                Code::UnsupportedMediaType,
                Code::Validation,
            ]),
    );
    at(
        paths,
        Get,
        "/api/v1/users/export",
        operation("exportUsers", TAG, "Read all users, from one snapshot")
            .needing(Scope::UsersRead)
            .about("In the order of their ids, streamed. An export that fails is broken off, and not ended as if it were whole.")
            .answering(
                200,
                empty("All users")
                    .content(Format::Ndjson.media_type(), lines("A `User` a line.", ""))
                    .content(Format::Csv.media_type(), lines("A header row, then a row for each user.", ""))
                    .header_ref("Content-Disposition", header("Content-Disposition"))
                    .header_ref("Roster-Position", header("Roster-Position")),
            )
            .failing(&[Code::NotAcceptable]),
    );
}

/// Lines, which are bytes to generated clients: they can be files, and need not be UTF-8.
fn lines(description: &str, example: &str) -> Content {
    let binary = SchemaFormat::KnownFormat(KnownFormat::Binary);
    let text = text(description).format(Some(binary));
    let example = (!example.is_empty()).then(|| json!(example));
    ContentBuilder::new().schema(Some(text)).example(example).build()
}
