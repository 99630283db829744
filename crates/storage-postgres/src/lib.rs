//! Users and their events on PostgreSQL, for the ports `UserRepository`, `EventLog`, `Outbox`,
//! `HealthCheck` and `Examination`.
//!
//! It needs a PostgreSQL server, version 13 or later, and nothing installed beside it: the driver and its
//! TLS are Rust. It is used within a Tokio runtime that has I/O and timers (`enable_all`). [`Postgres::migrate`] makes the
//! schema.
//!
//! ```no_run
//! # async fn run(clock: std::sync::Arc<dyn roster_domain::ports::Clock>) -> Result<(), roster_domain::BoxError> {
//! use std::sync::Arc;
//!
//! use roster_domain::services::UserService;
//! use roster_storage_postgres::{Postgres, PostgresConfig};
//!
//! let database = Postgres::new(PostgresConfig::new("postgres://roster:…@127.0.0.1/roster"))?;
//! database.check_schema().await?; // or `migrate`, where the schema is this program's to keep
//! let users = UserService::new(Arc::new(database.users()), clock);
//! # Ok(())
//! # }
//! ```
//!
//! A program of its own can work on the database that a Roster serves from, beside it: whatever it writes by these
//! ports is an event like any other, and the Roster publishes it.

mod batched;
mod change;
mod columns;
mod config;
mod connector;
mod create;
mod create_all;
mod create_many;
mod driver;
mod each;
mod error;
mod event_rows;
mod events;
mod examination;
mod export;
mod find;
mod group_commit;
mod hosts;
mod lead;
mod limited;
mod list;
mod lock;
mod measured;
mod migrations;
mod numbering;
mod outbox;
mod per_runtime;
mod pipelines;
mod planned_anew;
mod pool;
mod pools;
mod prepared;
mod queue;
mod receipts;
mod rows;
mod schema;
mod search;
mod setup;
mod store;
mod timeouts;
mod tls;
mod transaction;
mod turnover;
mod turns;
mod url;
mod users;
mod write;

pub use config::PostgresConfig;
pub use events::PgEvents;
pub use examination::PostgresExamination;
pub use outbox::PgOutbox;
pub use setup::SetupError;
pub use store::Postgres;
pub use users::PgUsers;
