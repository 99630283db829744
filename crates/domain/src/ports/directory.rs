use std::time::Duration;

use async_trait::async_trait;
use thiserror::Error;

use crate::{BoxError, DirectoryId, DirectoryPerson};

/// Looks people up in the external directory.
///
/// A call ends within a time that the adapter keeps, whatever becomes of the directory, and a directory
/// that is in trouble is left alone for a while. A dropped call is given up.
///
/// # When this port changes
///
/// What the domain comes to ask of a person is a field of [`DirectoryPerson`], which every adapter makes: one that
/// does not fill it in does not compile. A new [`DirectoryError`] is one that adapters may return, and need not.
/// `directory_contract!` holds an adapter to all that is promised here.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait Directory: Send + Sync {
    /// The person with this id, word for word; `None` where the directory has none. That it has none is no
    /// failure. An answer that tells of another person than was asked for is one.
    async fn find(&self, id: DirectoryId) -> Result<Option<DirectoryPerson>, DirectoryError>;
}

/// Why the directory was of no help.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// It was not asked: there is none, it failed too often of late, or too many wait for it already.
    #[error("the directory is not asked")]
    Unavailable {
        /// When it may be worth another try.
        retry_after: Duration,
        /// Why it was not asked.
        source: BoxError,
    },
    /// It took too long.
    #[error("the directory took too long")]
    TimedOut(#[source] BoxError),
    /// It could not be reached, failed, or answered what makes no sense.
    #[error("the directory failed")]
    Failed(#[source] BoxError),
}
