//! `/livez` and `/readyz`: whether the program runs, and whether it should be sent requests.

use actix_web::{HttpResponse, web};
use futures_util::future::join;
use roster_domain::DomainError;
use serde::Serialize;
use utoipa::ToSchema;

use super::middleware::lifecycle::Lifecycle;
use super::openapi::rules;
use super::problem::error::ApiError;
use crate::access::Gatekeeper;
use crate::wiring::Health;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/livez").route(web::get().to(livez)).route(web::head().to(livez)))
        .service(web::resource("/readyz").route(web::get().to(readyz)).route(web::head().to(readyz)));
}

/// What a healthy program says of itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Health)]
pub(super) struct HealthResponse {
    #[schema(schema_with = rules::health)]
    status: &'static str,
    /// What is away that the program can do without, for the moment.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    degraded: Vec<&'static str>,
}

/// It answers, so it runs: nothing that it stands on is asked.
async fn livez() -> HttpResponse {
    HttpResponse::Ok().json(HealthResponse { status: "alive", degraded: Vec::new() })
}

/// Whether the store answers and nobody has told the program to stop.
async fn readyz(
    health: web::Data<Health>,
    gatekeeper: web::Data<Gatekeeper>,
    lifecycle: web::Data<Lifecycle>,
) -> Result<HttpResponse, ApiError> {
    if lifecycle.is_stopping() {
        return Err(ApiError::Stopping);
    }
    health.store.check().await.map_err(DomainError::unavailable)?;
    let (broker, directory) = join(health.broker.check(), health.directory.check()).await;
    let mut degraded = Vec::from_iter(broker.is_err().then_some("broker"));
    degraded.extend(directory.is_err().then_some("directory"));
    degraded.extend((!gatekeeper.can_fetch_keys()).then_some("jwks"));
    let status = if degraded.is_empty() { "ready" } else { "degraded" };
    Ok(HttpResponse::Ok().json(HealthResponse { status, degraded }))
}
