//! Reads that are over in some microseconds, done by the thread that asks: to hand one to another thread, and its rows
//! back, takes longer than the read.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use diesel::SqliteConnection;

use crate::connector::Connector;
use crate::error::{Error, Fault};

/// Connections that wait for nobody, as many as there are threads that read at once.
#[derive(Clone)]
pub(crate) struct Brief {
    connector: Connector,
    idle: Arc<Mutex<Vec<SqliteConnection>>>,
}

impl Brief {
    /// Opens nothing yet.
    pub(crate) fn new(connector: &Connector) -> Self {
        Self { connector: connector.waiting_for_nobody(), idle: Arc::default() }
    }

    /// Runs `read` here and now; nothing, where it would have to wait for another process.
    pub(crate) fn read<T>(
        &self,
        read: impl Fn(&mut SqliteConnection) -> Result<T, Error>,
    ) -> Option<Result<T, Error>> {
        let idle = self.idle().pop();
        let mut conn = idle.map_or_else(|| self.connector.reader(), Ok).ok()?;
        let done = catch_unwind(AssertUnwindSafe(|| read(&mut conn)));
        match done.unwrap_or_else(|_| Err(Error::Internal("a read panicked".into()))) {
            Err(Error::Database(error)) if Fault::of(&error) == Fault::Busy => None,
            Ok(found) => {
                self.idle().push(conn);
                Some(Ok(found))
            }
            // The connection is in doubt, and closed.
            failed => Some(failed),
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<SqliteConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
