//! A panic ends the request that it is in, and nothing else.

use std::panic::AssertUnwindSafe;

use actix_web::Error;
use futures_util::FutureExt;

use crate::http::problem::error::ApiError;

/// Makes a panic of some work an error. What the work had in hand is dropped, as where a client went away: its
/// transaction is rolled back. What the panic said was logged where it was.
pub(in crate::http) async fn without_panic<T>(
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| Err(ApiError::Panicked.into()))
}

#[cfg(test)]
mod tests {
    use std::panic::{set_hook, take_hook};
    use std::sync::atomic::{AtomicBool, Ordering};

    use actix_web::test::TestRequest;
    use async_trait::async_trait;
    use roster_domain::ports::{HealthCheck, Unhealthy};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use crate::http::Lifecycle;
    use crate::http::tests::{ask, serve, whose_store};
    use crate::telemetry::logging::{Said, panicked};
    use crate::wiring::Ports;

    /// A store whose code breaks the first time that it is asked.
    fn breaking() -> Ports {
        struct Breaking(AtomicBool);
        #[async_trait]
        impl HealthCheck for Breaking {
            async fn check(&self) -> Result<(), Unhealthy> {
                assert!(self.0.swap(true, Ordering::Relaxed), "the store's code breaks");
                Ok(())
            }
        }
        whose_store(Breaking(AtomicBool::new(false)))
    }

    // Seen to fail where the panic is not caught: then the test panics.
    #[actix_web::test]
    async fn a_panic_is_an_internal_error_and_the_log_has_its_place_under_the_request_s_id() {
        let log = Said::default();
        let lines = {
            let log = log.clone();
            tracing_subscriber::fmt().with_writer(move || log.clone()).finish()
        };
        // For every thread, and told to them all: a thread that logs nothing could else have said for the whole
        // program that nobody reads what a panic says.
        tracing::subscriber::set_global_default(lines).unwrap();
        tracing::callsite::rebuild_interest_cache();
        let standard = take_hook();
        set_hook(Box::new(move |panic| {
            panicked(panic);
            standard(panic);
        }));

        let request = TestRequest::get().uri("/readyz").insert_header(("x-request-id", "find-me-4711"));
        let answer = ask(breaking(), Lifecycle::default(), request).await;

        assert_eq!((answer.status.as_u16(), answer.body["error"].as_str()), (500, Some("internal")));
        assert_eq!(answer.body["request_id"], "find-me-4711");
        assert!(!answer.body.to_string().contains("breaks"), "{}", answer.body);
        let log = log.text();
        let line = log.lines().find(|line| line.contains("the store's code breaks"));
        let line = line.unwrap_or_else(|| panic!("the log has it: {log}"));
        assert!(line.contains("find-me-4711") && line.contains("http/middleware/panic.rs:"), "{line}");
    }

    // Seen to fail where the panic is not caught: the connection ends without an answer.
    #[actix_web::test]
    async fn the_connection_and_the_worker_go_on_after_a_panic() {
        let address = serve(breaking());
        let mut connection = TcpStream::connect(address).await.unwrap();
        let mut said = String::new();
        for last in ["", "Connection: close\r\n"] {
            let request = format!("GET /readyz HTTP/1.1\r\nHost: localhost\r\n{last}\r\n");
            connection.write_all(request.as_bytes()).await.unwrap();
        }
        connection.read_to_string(&mut said).await.unwrap();

        let statuses: Vec<_> = said.split("HTTP/1.1 ").skip(1).filter_map(|answer| answer.get(..3)).collect();
        assert_eq!(statuses, ["500", "200"], "{said}");
    }
}
