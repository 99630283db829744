//! The external directory over HTTP: `GET {base}/users/{id}`, in the shape of JSONPlaceholder.
//!
//! It implements the ports `Directory`, `HealthCheck` and `Examination`, and needs nothing but a URL, within a Tokio
//! runtime that has I/O and timers (`enable_all`). A remote service
//! is where services die, so a call has a budget that its retries cannot exceed, an answer a size, the directory a limit
//! of calls at once, and a circuit breaker leaves it alone while it is in trouble.

mod attempt;
mod breaker;
mod config;
mod directory;
mod examination;
mod measured;
mod person;
mod retry;
mod transport;

pub use config::{DirectoryConfig, InvalidUrl};
pub use directory::HttpDirectory;
pub use transport::HttpSend;
