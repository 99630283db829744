//! The router over ports of the tests' own: what it answers where a store fails, with no store at all.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpServer;
use actix_web::body::to_bytes;
use actix_web::http::header::HeaderMap;
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::test::{TestRequest, init_service, try_call_service};
use async_trait::async_trait;
use roster_domain::Position;
use roster_domain::ports::{
    HealthCheck, MockHealthCheck, MockUserRepository, Unhealthy, UserRepositoryError,
};
use roster_domain::testing::{InMemory, ManualClock};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::middleware::limits::{Deadlines, InFlight};
use super::{CrossOrigin, Lifecycle, Limits, Ops, Shared, Streams, app};
use crate::access::Gatekeeper;
use crate::no_broker::NoBroker;
use crate::no_directory::NoDirectory;
use crate::telemetry::Metrics;
use crate::wiring::{Health, Ports};

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    is_last: bool,
    pub(super) body: Value,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

pub(super) fn in_memory() -> Ports {
    let store = Arc::new(InMemory::default());
    Ports {
        users: store.clone(),
        events: store.clone(),
        outbox: store.clone(),
        publisher: None,
        source: Arc::new(NoBroker),
        directory: Arc::new(NoDirectory),
        clock: Arc::new(ManualClock::default()),
        health: Health { store, broker: Arc::new(NoBroker), directory: Arc::new(NoDirectory) },
    }
}

/// The same, where the store's health is told by this.
pub(super) fn whose_store(health: impl HealthCheck + 'static) -> Ports {
    let mut ports = in_memory();
    ports.health.store = Arc::new(health);
    ports
}

fn users(users: MockUserRepository) -> Ports {
    Ports { users: Arc::new(users), ..in_memory() }
}

/// Makes applications on these ports, which give up soon.
macro_rules! app_on {
    ($ports:expr, $gatekeeper:expr, $lifecycle:expr) => {{
        let soon = Duration::from_millis(200);
        let limits = Limits::of(Deadlines { body: soon, answer: soon }, InFlight::at_most(8));
        let (_newest, told) = watch::channel(Position::START);
        let streams = Streams::new(told, Duration::from_secs(1));
        let cors = CrossOrigin::default();
        let shared = Shared {
            health: $ports.health.clone(),
            services: $ports.into(),
            gatekeeper: $gatekeeper,
            lifecycle: $lifecycle,
            limits,
            metrics: Metrics::default(),
        };
        app(shared, streams, cors, Ops::Here)
    }};
}

/// Asks an application that lets everyone in for something, as its sender would see the answer.
pub(super) async fn ask(ports: Ports, lifecycle: Lifecycle, request: TestRequest) -> Answer {
    ask_past(Gatekeeper::default(), ports, lifecycle, request).await
}

/// The same of one that may ask for credentials.
pub(super) async fn ask_past(
    gatekeeper: Gatekeeper,
    ports: Ports,
    lifecycle: Lifecycle,
    request: TestRequest,
) -> Answer {
    let app = init_service(app_on!(ports, gatekeeper, lifecycle)).await;
    let answer = try_call_service(&app, request.to_request()).await;
    let response = match answer {
        Ok(response) => response.into_parts().1.map_into_boxed_body(),
        Err(error) => error.error_response(),
    };
    let (status, headers) = (response.status(), response.headers().clone());
    let is_last = response.head().connection_type() == ConnectionType::Close;
    let body = to_bytes(response.into_body()).await.unwrap_or_default();
    Answer { status, headers, is_last, body: serde_json::from_slice(&body).unwrap_or_default() }
}

/// Serves an application, by one worker, on a socket of its own.
pub(super) fn serve(ports: Ports) -> SocketAddr {
    let server = HttpServer::new(move || app_on!(ports.clone(), Gatekeeper::default(), Lifecycle::default()));
    let server = server.workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
    let address = server.addrs()[0];
    actix_web::rt::spawn(server.run());
    address
}

async fn get(ports: Ports, path: &str) -> Answer {
    ask(ports, Lifecycle::default(), TestRequest::get().uri(path)).await
}

fn ada() -> TestRequest {
    let body = json!({"email": "ada@example.org", "name": "Ada"});
    TestRequest::post().uri("/api/v1/users").set_json(body)
}

#[actix_web::test]
async fn each_error_of_the_store_has_its_status_and_code() {
    for (error, status, code, retry_after) in [
        (UserRepositoryError::EmailTaken, 400, "business_rule", ""),
        (UserRepositoryError::ReceiptReused, 422, "idempotency_key_reused", ""),
        (UserRepositoryError::ReceiptInProgress, 409, "conflict", "1"),
        (UserRepositoryError::Unavailable("secret".into()), 503, "unavailable", "1"),
        (UserRepositoryError::Internal("secret".into()), 500, "internal", ""),
    ] {
        let mut repository = MockUserRepository::new();
        repository.expect_create().return_once(|_, _| Err(error));

        let answer = ask(users(repository), Lifecycle::default(), ada()).await;

        assert_eq!((answer.status.as_u16(), answer.body["error"].as_str()), (status, Some(code)));
        assert_eq!(answer.header("retry-after"), retry_after, "{code}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.body["status"], status);
        assert_eq!(answer.body["type"], format!("/docs/problems#{code}"));
        assert_eq!(answer.body["request_id"], answer.header("x-request-id"));
        assert!(!answer.body.to_string().contains("secret"), "{}", answer.body);
    }
}

#[actix_web::test]
async fn a_request_that_takes_too_long_is_unavailable() {
    struct Hanging;
    #[async_trait]
    impl HealthCheck for Hanging {
        async fn check(&self) -> Result<(), Unhealthy> {
            std::future::pending().await
        }
    }
    let answer = get(whose_store(Hanging), "/readyz").await;

    assert_eq!((answer.status.as_u16(), answer.body["error"].as_str()), (503, Some("unavailable")));
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(answer.body["request_id"], answer.header("x-request-id"));
}

#[actix_web::test]
async fn a_program_whose_store_does_not_answer_lives_and_is_not_ready() {
    let away = || {
        let mut store = MockHealthCheck::new();
        store.expect_check().returning(|| Err(Unhealthy("secret".into())));
        whose_store(store)
    };
    let alive = get(away(), "/livez").await;
    assert_eq!((alive.status.as_u16(), alive.body), (200, json!({"status": "alive"})));
    let ready = get(away(), "/readyz").await;
    assert_eq!((ready.status.as_u16(), ready.body["error"].as_str()), (503, Some("unavailable")));
    assert!(!ready.body.to_string().contains("secret"), "{}", ready.body);
    let ready = get(in_memory(), "/readyz").await;
    assert_eq!((ready.status.as_u16(), ready.body), (200, json!({"status": "ready"})));
}

#[actix_web::test]
async fn a_program_that_is_stopping_is_not_ready_and_keeps_no_connection() {
    let stopping = Lifecycle::default();
    stopping.stop();

    let ready = ask(in_memory(), stopping.clone(), TestRequest::get().uri("/readyz")).await;
    assert_eq!((ready.status.as_u16(), ready.body["error"].as_str()), (503, Some("unavailable")));
    let created = ask(in_memory(), stopping, ada()).await;
    assert_eq!((created.status.as_u16(), &created.body["id"]), (201, &json!(1)));
    assert!(ready.is_last && created.is_last);
}
