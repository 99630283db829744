//! Users and their events on PostgreSQL, for the ports `UserRepository`, `EventLog`, `Outbox` and
//! `HealthCheck`.
//!
//! It needs a PostgreSQL server, version 12 or later, and nothing installed beside it: the driver and its
//! TLS are Rust. [`Postgres::migrate`] makes the schema.

mod config;
mod connector;
mod create;
mod error;
mod events;
mod examination;
mod export;
mod lead;
mod limits;
mod list;
mod many;
mod migrations;
mod outbox;
mod pool;
mod prepared;
mod receipts;
mod rows;
mod schema;
mod setup;
mod store;
mod tls;
mod transaction;
mod turnover;
mod url;
mod users;
mod write;

pub use config::PostgresConfig;
pub use events::PgEvents;
pub use outbox::PgOutbox;
pub use setup::SetupError;
pub use store::Postgres;
pub use users::PgUsers;
