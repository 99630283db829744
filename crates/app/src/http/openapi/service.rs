//! What is outside of the base path: the program's health and measurements, and what describes it.

use utoipa::openapi::Paths;
use utoipa::openapi::content::{Content, ContentBuilder};
use utoipa::openapi::path::HttpMethod::Get;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ComponentsBuilder, ObjectBuilder, Type};

use super::operation::{answer, at, empty, operation};
use super::rules::text;
use crate::http::health::HealthResponse;
use crate::http::problem::Code;

const TAG: &str = "service";

pub(super) fn schemas(components: ComponentsBuilder) -> ComponentsBuilder {
    components.schema_from::<HealthResponse>()
}

/// What may be at an address of its own.
pub(super) fn ops(paths: &mut Paths) {
    at(
        paths,
        Get,
        "/livez",
        operation("getLiveness", TAG, "Ask whether the program runs")
            .answering(200, answer("It runs", "Health")),
    );
    at(
        paths,
        Get,
        "/readyz",
        operation("getReadiness", TAG, "Ask whether the program should be sent requests")
            .about("It should not while its store does not answer, or once it was told to stop.")
            .answering(200, answer("It should; what is away that it can do without is named", "Health"))
            .failing(&[Code::Unavailable]),
    );
    at(
        paths,
        Get,
        "/metrics",
        operation("getMetrics", TAG, "Read what is measured")
            .answering(200, page("Measurements, in the text format of Prometheus", "text/plain")),
    );
}

pub(super) fn paths(paths: &mut Paths) {
    let object = ObjectBuilder::new().schema_type(Type::Object).title(Some("OpenApiDocument"));
    let object = ContentBuilder::new().schema(Some(object));
    at(
        paths,
        Get,
        "/openapi.json",
        operation("getOpenApi", TAG, "Read this document")
            .answering(200, empty("This document").content("application/json", object.build())),
    );
    at(
        paths,
        Get,
        "/docs",
        operation("getDocs", TAG, "Look at this document, and try it")
            .answering(200, page("A page for a browser; it needs no internet", "text/html")),
    );
    at(
        paths,
        Get,
        "/docs/problems",
        operation("getProblems", TAG, "Read what each kind of error means")
            .answering(200, page("A page for a browser, with an anchor for each `error`", "text/html")),
    );
}

fn page(description: &str, media_type: &str) -> ResponseBuilder {
    let content: Content = ContentBuilder::new().schema(Some(text(description))).build();
    empty(description).content(media_type, content)
}
