//! `/docs`: pages for people. They need nothing from elsewhere, so that they work with no internet.

mod problems;

use std::borrow::Cow;
use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use utoipa_swagger_ui::Config;

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

async fn page() -> HttpResponse {
    html(PAGE, Policy::Explorer)
}

async fn problems() -> HttpResponse {
    static RENDERED: LazyLock<String> = LazyLock::new(problems::render);
    html(RENDERED.as_str(), Policy::Page)
}

async fn asset(file: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let (content_type, body) = match file.as_str() {
        "start.js" => ("text/javascript; charset=utf-8".to_owned(), Cow::Borrowed(START.as_bytes())),
        name => vendored(name).ok_or_else(|| ApiError::NoSuchRoute(format!("/docs/assets/{file}")))?,
    };
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, content_type));
    Ok(response.insert_header((header::CACHE_CONTROL, "public, max-age=3600")).body(body.into_owned()))
}

/// A file of Swagger UI, with its media type.
fn vendored(name: &str) -> Option<(String, Cow<'static, [u8]>)> {
    let known = ASSETS.iter().find(|known| **known == name)?;
    let file = utoipa_swagger_ui::serve(known, Config::from("/openapi.json").into()).ok()??;
    Some((file.content_type, file.bytes))
}

fn html(page: &'static str, policy: Policy) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"));
    response.insert_header((header::CONTENT_SECURITY_POLICY, policy.to_header_value()));
    response.insert_header((header::CACHE_CONTROL, "no-cache")).body(page)
}
