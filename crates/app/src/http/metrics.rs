//! `/metrics`: what is measured, in the text format of Prometheus.

use actix_web::http::header;
use actix_web::{HttpResponse, web};

use crate::telemetry::Metrics;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/metrics").route(web::get().to(get)).route(web::head().to(get)));
}

async fn get(metrics: web::Data<Metrics>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
        .body(metrics.render())
}
