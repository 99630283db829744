use async_trait::async_trait;
use thiserror::Error;

use crate::{BoxError, Event, Position};

/// Reads the events that writes recorded.
///
/// An event has no position while its transaction is under way. [`sequence`](Self::sequence) gives
/// positions to those that were committed, in the order of ids that a store keeps for them; from then
/// on they are in the feed. Events of one user are in the order of its versions.
///
/// # When this port changes
///
/// An entity of a new kind brings new kinds of [`Change`](crate::Change), and leaves this port as it is: a store
/// has to write and read those kinds before one is committed to it. What is stored stays readable: no kind is
/// ever taken away, and a field that an [`Event`] comes to have is one that older rows may lack.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait EventLog: Send + Sync {
    /// Gives a position to each committed event that has none, and tells how many those were. A store
    /// that numbers in the write itself has nothing to do. Any number may call it at once.
    async fn sequence(&self) -> Result<usize, EventLogError>;

    /// The events after a position, at most `limit`, in the order of their positions.
    async fn read(&self, after: Position, limit: usize) -> Result<Vec<Event>, EventLogError>;

    /// The position of the newest event in the feed, pruned or not; [`Position::START`] before the first.
    async fn newest(&self) -> Result<Position, EventLogError>;

    /// The position of the last event that was pruned, and with it all before; [`Position::START`] where
    /// none was. Who has read up to there, or further, has missed nothing.
    async fn pruned(&self) -> Result<Position, EventLogError>;
}

/// Why events could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EventLogError {
    /// The store does not answer; it may later.
    #[error("the event log does not answer")]
    Unavailable(#[source] BoxError),
    /// Anything else: what is stored breaks today's rules, or a query is wrong.
    #[error("the event log failed")]
    Internal(#[source] BoxError),
}
