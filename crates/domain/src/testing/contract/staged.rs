//! What a test of an adapter gives to the contract: the adapter, and the hands that its surroundings are
//! moved by.

use async_trait::async_trait;

use crate::ports::{Directory, EventLog, EventPublisher, Outbox, UserRepository};
use crate::testing::Condition;
use crate::{DirectoryPerson, EventId};

/// A store of users and their events, empty at first. Whatever is both ports is one; where they are two types,
/// a struct of both is, with whatever keeps the store in being.
pub trait Store: Send + Sync {
    /// Its users.
    fn users(&self) -> &dyn UserRepository;

    /// The events of the same store.
    fn events(&self) -> &dyn EventLog;
}

impl<T: UserRepository + EventLog> Store for T {
    fn users(&self) -> &dyn UserRepository {
        self
    }

    fn events(&self) -> &dyn EventLog {
        self
    }
}

/// A store that keeps, too, how far its events were told to others.
pub trait StoreWithOutbox: Store {
    /// The outbox of the same store.
    fn outbox(&self) -> &dyn Outbox;
}

impl<T: UserRepository + EventLog + Outbox> StoreWithOutbox for T {
    fn outbox(&self) -> &dyn Outbox {
        self
    }
}

/// A publisher, and the broker behind it, which keeps nothing at first and gets into trouble when it is told.
#[async_trait]
pub trait StagedBroker: Send + Sync {
    /// What is held to the contract.
    fn publisher(&self) -> &dyn EventPublisher;

    /// The ids of the events that the broker keeps, in the order in which subscribers hear of them.
    async fn kept(&self) -> Vec<EventId>;

    /// Has the broker refuse for good all that tells of a user with the longest name there is, in characters of
    /// four bytes, and take all that tells of one with a name of some letters: brokers have a largest message.
    /// Called before anything is published.
    async fn refuse_the_longest_names(&self);

    /// Takes the broker away, as an outage does; it forgets nothing.
    async fn take_away(&self);

    /// Brings the broker back, and waits until the publisher can reach it.
    async fn bring_back(&self);
}

/// A directory, and the service behind it, which has nobody at first, is well, and fares as it is told.
#[async_trait]
pub trait StagedDirectory: Send + Sync {
    /// What is held to the contract. It may try again what failed, without pauses of seconds: it is the
    /// contract that waits.
    fn directory(&self) -> &dyn Directory;

    /// Adds a person to the service.
    async fn add(&self, person: DirectoryPerson);

    /// Has the service fare so from here on.
    async fn fare(&self, condition: Condition);
}
