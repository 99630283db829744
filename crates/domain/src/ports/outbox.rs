use std::time::Duration;

use async_trait::async_trait;

use crate::ports::EventLogError;
use crate::{Event, Position, Timestamp};

/// Keeps how far events were told to others, and forgets those that everybody had time to read.
///
/// There is one mark: all events up to its position were published, or set aside. It moves on, unless somebody
/// [rewinds](Self::rewind) it.
///
/// # When this port changes
///
/// There is one mark for all readers. Readers that need marks of their own would be methods beside these, not
/// other promises of these. `outbox_contract!` holds a store to all of them.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Takes the lead among all who would publish from this store; `None` where somebody has it. It is given
    /// up when it is dropped, and when its holder dies, however that happens: keep it for as long as you publish, and ask
    /// every second or two whether it is still [held](Lead::is_held), as one of whom nothing is heard loses it.
    async fn lead(&self) -> Result<Option<Box<dyn Lead>>, EventLogError>;

    /// The mark; [`Position::START`] at first.
    async fn published(&self) -> Result<Position, EventLogError>;

    /// The events after the mark, at most `limit`; `None` where there are none.
    async fn unpublished(&self, limit: usize) -> Result<Option<Unpublished>, EventLogError>;

    /// Moves the mark from where it was found to `up_to`, and keeps with it, in one transaction, which events were set
    /// aside on the way. A mark that is further already stays, and so does one that was [rewound](Self::rewind)
    /// meanwhile, or would pass the newest event: then nothing is set aside. What is so already stays as it is.
    async fn mark_published(
        &self,
        from: Position,
        up_to: Position,
        set_aside: Vec<SetAside>,
    ) -> Result<(), EventLogError>;

    /// The events that were set aside, oldest first, at most `limit`.
    async fn set_aside(&self, limit: usize) -> Result<Vec<SetAside>, EventLogError>;

    /// Moves the mark back to `to`, if it is further, so that what comes after is published again: for a broker
    /// that lost it, or one that takes now what it refused. Of what comes after, nothing is set aside any more.
    async fn rewind(&self, to: Position) -> Result<(), EventLogError>;

    /// Forgets the oldest events, at most `limit`, that are up to the mark and older than `before`, and that any of
    /// them was set aside; tells how many events those were. What is left has no gap.
    async fn prune_events(&self, before: Timestamp, limit: usize) -> Result<usize, EventLogError>;

    /// Forgets receipts, at most `limit`, that have expired at `now`; tells how many those were.
    async fn prune_receipts(&self, now: Timestamp, limit: usize) -> Result<usize, EventLogError>;
}

/// The lead among all who would publish from a store.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait Lead: Send {
    /// Whether it is still held. Once it was lost, it stays so.
    async fn is_held(&mut self) -> bool;

    /// How long whoever had the lead before may not have noticed yet that it is lost, who asks
    /// [`is_held`](Self::is_held) twice a second.
    fn overlap(&self) -> Duration;
}

/// Events that are to be told to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpublished {
    /// The mark, as it was found with them.
    pub mark: Position,
    /// One at least, in the order of their positions.
    pub events: Vec<Event>,
}

/// An event that is not told to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// Which it is.
    pub position: Position,
    /// Why, for a person.
    pub reason: String,
    /// Since when.
    pub at: Timestamp,
}
