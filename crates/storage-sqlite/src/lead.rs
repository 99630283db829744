//! Who publishes: whoever holds a lock on a file beside the database, which the system takes back when its
//! holder dies.

use std::fs::{File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use roster_domain::ports::Lead;

use crate::error::Error;

/// The lock, for as long as this is kept.
pub(crate) struct SqliteLead {
    locked: File,
    path: PathBuf,
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
            Ok(()) => {
                Ok(Some(Self { locked: file_to_lock, path: file.to_owned() }).filter(Self::is_in_place))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(unavailable(error)),
        }
    }

    /// Whether the file is the one that others lock, too: it may have been removed.
    fn is_in_place(&self) -> bool {
        let (Ok(there), Ok(locked)) = (self.path.metadata(), self.locked.metadata()) else { return false };
        (there.dev(), there.ino()) == (locked.dev(), locked.ino())
    }
}

#[async_trait]
impl Lead for SqliteLead {
    /// Nobody takes a lock from a process that lives, but whoever removes its file.
    async fn is_held(&mut self) -> bool {
        self.is_in_place()
    }

    fn overlap(&self) -> Duration {
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seen to fail where whoever had it believed to have it for good.
    #[tokio::test]
    async fn a_lead_whose_file_is_removed_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db-lead");
        let take = || SqliteLead::take(&file).unwrap();
        let mut first = take().unwrap();
        assert!(first.is_held().await && take().is_none());

        std::fs::remove_file(&file).unwrap();

        assert!(!first.is_held().await);
        let mut second = take().unwrap();
        assert!(second.is_held().await && !first.is_held().await);
    }
}
