//! Who publishes: whoever holds a lock on a file beside the database, which the system takes back when its
//! holder dies.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use roster_domain::ports::Lead;

use crate::error::Error;

/// The lock, for as long as this is kept.
pub(crate) struct SqliteLead {
    _locked: File,
}

impl SqliteLead {
    /// The end of the name of the file that is locked.
    pub(crate) const FILE: &str = "-lead";

    /// Takes the lock, if nobody has it.
    pub(crate) fn take(file: &Path) -> Result<Option<Self>, Error> {
        let unavailable = |error: std::io::Error| {
            Error::Unavailable(format!("cannot lock {}: {error}", file.display()).into())
        };
        let file_to_lock = File::create(file).map_err(unavailable)?;
        match file_to_lock.try_lock() {
            Ok(()) => Ok(Some(Self { _locked: file_to_lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(unavailable(error)),
        }
    }
}

#[async_trait]
impl Lead for SqliteLead {
    /// Nobody takes a lock from a process that lives.
    async fn is_held(&mut self) -> bool {
        true
    }

    fn overlap(&self) -> Duration {
        Duration::ZERO
    }
}
