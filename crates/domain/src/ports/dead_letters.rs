use async_trait::async_trait;
use thiserror::Error;

use crate::{BoxError, Timestamp};

/// Keeps the events of others that can never succeed, until somebody looks at them.
///
/// # When this port changes
///
/// A field that [`DeadLetter`] comes to have is one that every adapter has to fill in, also for letters that were
/// kept before; it is a breaking release.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// All dead letters, oldest first.
    async fn list(&self) -> Result<Vec<DeadLetter>, DeadLettersError>;

    /// The dead letter with this id.
    async fn find(&self, id: u64) -> Result<Option<DeadLetter>, DeadLettersError>;

    /// Sends a dead letter again to where it came from, as a new message, and forgets it here; whether there was
    /// one with this id.
    async fn retry(&self, id: u64) -> Result<bool, DeadLettersError>;
}

/// An event of others that could not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its number among dead letters.
    pub id: u64,
    /// Since when it is one.
    pub at: Timestamp,
    /// Why, for a person.
    pub reason: String,
    /// On which subject it came.
    pub subject: String,
    /// The stream that it came from.
    pub stream: String,
    /// Its number there.
    pub sequence: u64,
    /// How often it was delivered.
    pub deliveries: u64,
    /// What it says.
    pub payload: Vec<u8>,
    /// Whether that is only its beginning, as it was too large to be kept whole.
    pub is_cut: bool,
}

/// Why dead letters could not be handled.
#[derive(Debug, Error)]
#[error("the dead letters cannot be reached")]
pub struct DeadLettersError(#[source] pub BoxError);
