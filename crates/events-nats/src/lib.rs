//! Roster's events on NATS `JetStream`, for the ports `EventPublisher`, `EventSource`, `DeadLetters`, `HealthCheck` and
//! `Examination`.
//!
//! It needs a NATS server, version 2.9 or later, with `JetStream`. The streams that it needs it makes: `ROSTER`
//! for events out, `DIRECTORY` for events in, `ROSTER_DEAD_LETTERS` for those that cannot succeed. A server
//! that is away is waited for, without limit. It is used within a Tokio runtime that has I/O and timers (`enable_all`).
//!
//! Over `tls://`, a program that has more than one of rustls' cryptography providers names one before it connects
//! (`rustls::crypto::CryptoProvider::install_default`): where two are built in, the client cannot choose.

mod batch;
mod config;
mod connection;
mod dead_letters;
mod examination;
mod message;
mod publisher;
mod source;
mod streams;
mod trace;
mod unreadable;

pub use config::NatsConfig;
pub use connection::{Nats, SetupError};
pub use dead_letters::NatsDeadLetters;
pub use publisher::NatsPublisher;
pub use source::NatsSource;
