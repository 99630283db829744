//! Who publishes: whoever holds a lock on a file beside the database, which the system takes back when its
//! holder dies.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use roster_domain::ports::Lead;

use crate::error::Error;

/// The lock, for as long as this is kept.
pub(crate) struct SqliteLead {
    _locked: File,
}

impl SqliteLead {
    /// The file to lock for a database that is there: the same for all of its names.
    pub(crate) fn file(database: &Path) -> io::Result<PathBuf> {
        let mut name = database.canonicalize()?.into_os_string();
        name.push("-lead");
        Ok(name.into())
    }

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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// Seen to fail where the name was taken as it was given.
    #[test]
    fn one_leads_by_whatever_name_the_database_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real.db"), folder.path().join("link.db"));
        fs::write(&real, "").unwrap();
        symlink(&real, &link).unwrap();

        let _first = SqliteLead::take(&SqliteLead::file(&link).unwrap()).unwrap().expect("nobody leads");

        assert!(SqliteLead::take(&SqliteLead::file(&real).unwrap()).unwrap().is_none());
    }
}
