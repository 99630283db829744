//! Roster's users and their events on [redb](https://docs.rs/redb), a store in one file, for the ports
//! `UserRepository` and `EventLog`.
//!
//! redb has one writer at a time and is synchronous: a write is one transaction on a thread for blocking work,
//! which goes on to its end when the future that asked for it is dropped.

mod error;
mod events;
mod rows;
mod tables;
mod users;

use std::path::Path;
use std::sync::Arc;

use redb::backends::InMemoryBackend;
use redb::{Database, ReadTransaction, ReadableDatabase};
use roster_domain::BoxError;

use crate::error::Error;
use crate::tables::Tables;

/// Users and their events in one file. A clone is another handle of the same.
#[derive(Clone)]
pub struct Redb(Arc<Database>);

impl Redb {
    /// The store in this file, made where it is not there.
    ///
    /// # Errors
    ///
    /// Where the file cannot be had, or is something else.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, BoxError> {
        Self::with_tables(Database::create(path)?)
    }

    /// A store in memory, gone with its last handle.
    ///
    /// # Errors
    ///
    /// Where there is no memory for it.
    pub fn in_memory() -> Result<Self, BoxError> {
        Self::with_tables(Database::builder().create_with_backend(InMemoryBackend::new())?)
    }

    fn with_tables(database: Database) -> Result<Self, BoxError> {
        let transaction = database.begin_write()?;
        drop(Tables::open(&transaction)?);
        transaction.commit()?;
        Ok(Self(Arc::new(database)))
    }

    /// One transaction: it is committed where `write` succeeds, and leaves nothing where it does not.
    async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&mut Tables<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let database = self.0.clone();
        blocking(move || {
            let transaction = database.begin_write()?;
            let written = write(&mut Tables::open(&transaction)?)?;
            transaction.commit()?;
            Ok(written)
        })
        .await
    }

    /// What a snapshot tells.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let database = self.0.clone();
        blocking(move || read(&database.begin_read()?)).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|stopped| Err(Error::Stopped(stopped)))
}
