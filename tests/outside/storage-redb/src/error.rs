use roster_domain::ports::{EventLogError, UserRepositoryError};
use thiserror::Error;

/// What can go wrong here, told to a caller as its port says.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// An answer that callers act on.
    #[error(transparent)]
    Told(#[from] UserRepositoryError),
    #[error("redb failed")]
    Redb(#[source] redb::Error),
    #[error("the {table} {key} is not as it should be: {why}")]
    Row { table: &'static str, key: String, why: String },
    #[error("the work was stopped")]
    Stopped(#[source] tokio::task::JoinError),
}

/// Each step of redb has an error of its own.
macro_rules! from_redb {
    ($($error:ident),+) => {
        $(impl From<redb::$error> for Error {
            fn from(error: redb::$error) -> Self {
                Self::Redb(error.into())
            }
        })+
    };
}
from_redb!(CommitError, StorageError, TableError, TransactionError);

impl From<Error> for UserRepositoryError {
    fn from(error: Error) -> Self {
        match error {
            Error::Told(told) => told,
            Error::Stopped(_) => Self::Unavailable(error.into()),
            Error::Redb(_) | Error::Row { .. } => Self::Internal(error.into()),
        }
    }
}

impl From<Error> for EventLogError {
    fn from(error: Error) -> Self {
        match error {
            Error::Stopped(_) => Self::Unavailable(error.into()),
            Error::Told(_) | Error::Redb(_) | Error::Row { .. } => Self::Internal(error.into()),
        }
    }
}
