//! The API's description in OpenAPI 3.1, put together from one file a resource; at `/openapi.json`, and by
//! `roster openapi`.
//!
//! Schemas of bodies stand beside the bodies, in the resources' own files; what they share is in `rules`.

mod bulk;
mod components;
mod directory;
mod events;
mod operation;
pub(super) mod rules;
mod service;
mod users;

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use actix_web::{HttpRequest, HttpResponse, web};
use utoipa::openapi::schema::ComponentsBuilder;
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{Info, OpenApi, OpenApiBuilder};

use super::middleware::coding::Fixed;
use super::{Ops, problem};

/// What holds for all operations.
const DESCRIPTION: &str = "\
Users over REST, and a feed of what happens to them.

Every path also answers with a trailing slash. `HEAD` is answered wherever `GET` is, without the body; \
`OPTIONS` is answered with 204 and `Allow`, to whoever is let in; a method that a resource does not take with 405 and \
`Allow`. \
Every error is a `Problem`; its `type` leads to [what it means](/docs/problems). \
Members of a request other than those named are ignored, and of parameters that stand twice the last counts. \
Long answers without an `ETag` are compressed for clients that would rather have gzip.";

const TAGS: [(&str, &str); 4] = [
    ("users", "Users: make them, read them, change them, delete them."),
    ("directory", "People of the external directory."),
    ("events", "What happened here, and what others tell us."),
    ("service", "The program itself."),
];

pub(super) fn routes(config: &mut web::ServiceConfig, ops: Ops) {
    let get = move |request: HttpRequest| async move {
        static WHOLE: LazyLock<Fixed> = LazyLock::new(|| Fixed::text(render()));
        static WITHOUT_OPS: LazyLock<Fixed> =
            LazyLock::new(|| Fixed::text(text_of(&document(Ops::Elsewhere))));
        let document = match ops {
            Ops::Here => &WHOLE,
            Ops::Elsewhere => &WITHOUT_OPS,
        };
        document.respond(HttpResponse::Ok().content_type("application/json"), request.headers())
    };
    config.service(web::resource("/openapi.json").route(web::get().to(get)).route(web::head().to(get)));
}

/// The document, as text.
pub(crate) fn render() -> String {
    text_of(&document(Ops::Here))
}

fn text_of(document: &OpenApi) -> String {
    // What is rendered has no maps with odd keys, so that it cannot fail.
    serde_json::to_string_pretty(document).unwrap_or_default()
}

/// What is at the address of the API: health and measurements may be at another.
fn document(ops: Ops) -> OpenApi {
    let mut info = Info::new("Roster", env!("CARGO_PKG_VERSION"));
    info.description = Some(DESCRIPTION.to_owned());
    info.license = Some(license());
    let mut paths = operation::paths();
    for describe in [users::paths, bulk::paths, directory::paths, events::paths, service::paths] {
        describe(&mut paths);
    }
    if ops == Ops::Here {
        service::ops(&mut paths);
    }
    let components = ComponentsBuilder::new();
    let components = components.schema_from::<problem::Body<'_>>().schema_from::<problem::FieldError<'_>>();
    let components =
        service::schemas(events::schemas(directory::schemas(bulk::schemas(users::schemas(components)))));
    let tags = TAGS.map(|(name, about)| TagBuilder::new().name(name).description(Some(about)).build());
    OpenApiBuilder::new()
        .info(info)
        .tags(Some(tags))
        .paths(paths)
        .components(Some(components::shared(components).build()))
        .build()
}

fn license() -> utoipa::openapi::License {
    utoipa::openapi::LicenseBuilder::new()
        .name("MIT OR Apache-2.0")
        .identifier(Some("MIT OR Apache-2.0"))
        .build()
}
