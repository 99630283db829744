//! The API over HTTP: one file a resource holds its bodies, handlers and routes; the folders hold what all of them
//! share.

mod directory;
mod docs;
mod events;
mod export;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod health;
mod import;
mod list;
mod metrics;
mod middleware;
pub(crate) mod openapi;
#[cfg(measuring)]
pub mod parts;
mod problem;
mod request;
mod sse;
mod users;

#[cfg(test)]
mod tests;

use std::rc::Rc;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::{App, Error, web};

pub(crate) use middleware::cross_origin::CrossOrigin;
pub(crate) use middleware::lifecycle::Lifecycle;
pub(crate) use middleware::limits::{Limits, Patience};
pub(crate) use sse::Streams;

use crate::access::Gatekeeper;
use crate::telemetry::Metrics;
use crate::wiring::{Health, Services};
use middleware::admission::Admission;
use middleware::answer::Surroundings;
pub(crate) use problem::error::ApiError;
pub(crate) use request::json::Object;
pub(crate) use users::UserResponse;

/// The path that the API's resources are below.
const BASE_PATH: &str = "/api/v1";

/// What all that is served stands on, and each worker of a server has a handle of.
#[derive(Clone)]
pub(crate) struct Shared {
    /// What can be done.
    pub services: Services,
    /// Whether what that stands on is well.
    pub health: Health,
    /// Who is let in.
    pub gatekeeper: Gatekeeper,
    /// Whether the program is stopping.
    pub lifecycle: Lifecycle,
    /// What a request may take.
    pub limits: Limits,
    /// What is measured.
    pub metrics: Metrics,
}

/// Where health and measurements are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ops {
    /// Beside the API.
    Here,
    /// At an address of their own.
    Elsewhere,
}

impl Shared {
    /// For handlers.
    fn register(self, config: &mut web::ServiceConfig) {
        config
            .app_data(web::Data::new(self.services))
            .app_data(web::Data::new(self.health))
            .app_data(web::Data::new(self.gatekeeper))
            .app_data(web::Data::new(self.lifecycle))
            .app_data(web::Data::new(self.metrics));
    }
}

impl Ops {
    fn routes(config: &mut web::ServiceConfig) {
        config.configure(health::routes).configure(metrics::routes);
    }
}

/// The whole application, on any services: what `serve` serves, and what a test asks without a socket.
pub(crate) fn app(
    shared: Shared,
    streams: Streams,
    cross_origin: CrossOrigin,
    ops: Ops,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let admission = Rc::new(Admission::of(&shared));
    let surroundings = Rc::new(Surroundings::of(&shared, cross_origin.clone()));
    App::new()
        .configure(|config| shared.register(config))
        .app_data(web::Data::new(streams))
        .wrap(cross_origin.layer())
        .wrap(from_fn(move |request, next| surroundings.clone().answer(request, next)))
        .configure(|config| {
            if ops == Ops::Here {
                Ops::routes(config);
            }
        })
        .configure(|config| openapi::routes(config, ops))
        .configure(docs::routes)
        .service(
            web::scope(BASE_PATH)
                .wrap(from_fn(move |request, next| admission.clone().admit(request, next)))
                .configure(events::routes)
                .configure(import::routes)
                .configure(export::routes)
                .configure(directory::routes)
                .configure(users::routes),
        )
        .default_service(web::to(no_such_route))
}

/// Health and measurements alone, for an address of their own.
pub(crate) fn ops(
    shared: Shared,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let surroundings = Rc::new(Surroundings::of(&shared, CrossOrigin::default()));
    App::new()
        .configure(|config| shared.register(config))
        .wrap(from_fn(move |request, next| surroundings.clone().answer(request, next)))
        .configure(Ops::routes)
        .default_service(web::to(no_such_route))
}

async fn no_such_route(request: actix_web::HttpRequest) -> Result<String, ApiError> {
    Err(ApiError::no_such_route(request.path()))
}
