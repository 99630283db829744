//! `/docs`: pages for people. They need nothing from elsewhere, so that they work with no internet.

mod problems;

use std::borrow::Cow;
use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use utoipa_swagger_ui::Config;

use super::middleware::coding::Fixed;
use super::middleware::security_headers::Policy;
use super::problem::error::ApiError;

/// Swagger UI, on this document.
const PAGE: &str = include_str!("page.html");
const START: &str = include_str!("start.js");

/// What else the page is made of: the address, and the file that Swagger UI has it in.
const ASSETS: [&str; 3] = ["swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"];

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/docs").route(web::get().to(page)).route(web::head().to(page)))
        .service(
            web::resource("/docs/problems").route(web::get().to(problems)).route(web::head().to(problems)),
        )
        .service(
            web::resource("/docs/assets/{file}").route(web::get().to(asset)).route(web::head().to(asset)),
        );
}

async fn page(request: HttpRequest) -> HttpResponse {
    static WRITTEN: LazyLock<Fixed> = LazyLock::new(|| Fixed::text(PAGE));
    html(&WRITTEN, Policy::Explorer, &request)
}

async fn problems(request: HttpRequest) -> HttpResponse {
    static RENDERED: LazyLock<Fixed> = LazyLock::new(|| Fixed::text(problems::render()));
    html(&RENDERED, Policy::Page, &request)
}

async fn asset(file: web::Path<String>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    static FILES: LazyLock<Vec<File>> = LazyLock::new(files);
    let known = FILES.iter().find(|known| known.name == *file);
    let File { content_type, body, .. } = known.ok_or_else(|| ApiError::no_such_route(request.path()))?;
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, content_type.as_str()));
    response.insert_header((header::CACHE_CONTROL, "public, max-age=3600"));
    Ok(body.respond(&mut response, request.headers()))
}

/// A file of a page.
struct File {
    name: &'static str,
    content_type: String,
    body: Fixed,
}

fn files() -> Vec<File> {
    let (name, content_type) = ("start.js", "text/javascript; charset=utf-8".to_owned());
    let ours = File { name, content_type, body: Fixed::text(START) };
    ASSETS.iter().filter_map(|name| vendored(name)).chain([ours]).collect()
}

/// A file of Swagger UI.
fn vendored(name: &'static str) -> Option<File> {
    let file = utoipa_swagger_ui::serve(name, Config::from("/openapi.json").into()).ok()??;
    let bytes = match file.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    let is_picture = file.content_type.starts_with("image/");
    let body = if is_picture { Fixed::picture(bytes) } else { Fixed::text(bytes) };
    Some(File { name, content_type: file.content_type, body })
}

fn html(page: &Fixed, policy: Policy, request: &HttpRequest) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"));
    response.insert_header((header::CONTENT_SECURITY_POLICY, policy.to_header_value()));
    response.insert_header((header::CACHE_CONTROL, "no-cache"));
    page.respond(&mut response, request.headers())
}
