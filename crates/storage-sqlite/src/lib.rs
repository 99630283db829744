//! Users and their events in a SQLite file, for the ports `UserRepository`, `EventLog`, `Outbox`,
//! `HealthCheck` and `Examination`.
//!
//! It needs a folder that can be written, on a disk of this machine, and nothing installed: SQLite is built
//! in. It is used within a Tokio runtime that has timers (`enable_time`). One thread writes, others read beside it, and an
//! acknowledged write survives a power cut. [`Sqlite::migrate`] makes the schema.

mod brief;
mod config;
mod connector;
mod create_many;
mod error;
mod event_rows;
mod events;
mod examination;
mod export;
mod group_commit;
mod lead;
mod limited;
mod list;
mod measured;
mod migrations;
mod outbox;
mod prepared;
mod readers;
mod receipts;
mod rows;
mod schema;
mod setup;
mod store;
mod transaction;
mod turns;
mod users;
mod write;
mod writer;

// Diesel links to SQLite by this crate; naming it here asks for the one that is built in.
use libsqlite3_sys as _;

pub use config::SqliteConfig;
pub use events::SqliteEvents;
pub use examination::SqliteExamination;
pub use outbox::SqliteOutbox;
pub use setup::SetupError;
pub use store::Sqlite;
pub use users::SqliteUsers;
