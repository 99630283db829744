//! What every adapter promises, as behaviours that a test of an adapter runs one by one, each on
//! something new and empty.
//!
//! A macro line makes a test of each, named as the promise is:
//!
//! | line | holds | on |
//! |---|---|---|
//! | [`repository_contract!`](crate::repository_contract) | [`UserRepository`] and [`EventLog`]: [`USERS`], [`EVENTS`] | a [`Store`] |
//! | [`outbox_contract!`](crate::outbox_contract) | [`Outbox`]: [`OUTBOX`] | a [`StoreWithOutbox`] |
//! | [`publisher_contract!`](crate::publisher_contract) | [`EventPublisher`](crate::ports::EventPublisher): [`PUBLISHER`] | a [`StagedBroker`] |
//! | [`directory_contract!`](crate::directory_contract) | [`Directory`](crate::ports::Directory): [`DIRECTORY`] | a [`StagedDirectory`] |
//!
//! Each takes what makes the adapter: an `fn` or an `async fn` without arguments, or a closure. What it makes
//! is dropped when its test ends: whatever is to be removed then, a file or a database, belongs into it.
//!
//! ```
//! use roster_domain::testing::InMemory;
//!
//! roster_domain::repository_contract!(InMemory::default);
//! ```
//!
//! Tests are plain `#[test]`s, without a runtime, unless the attributes to give them follow:
//!
//! ```text
//! async fn my_adapter() -> MyStore { … }
//!
//! roster_domain::repository_contract!(my_adapter, #[tokio::test(flavor = "multi_thread")]);
//! ```
//!
//! A harness of one's own runs the lists:
//!
//! ```
//! use roster_domain::testing::{InMemory, contract};
//!
//! for behaviour in contract::USERS {
//!     let store = InMemory::default();
//!     futures_executor::block_on((behaviour.check)(&store));
//! }
//! ```
//!
//! A minor version may add behaviours, where a port promised them all along: then an adapter that does not
//! keep its promise fails a test that it did not have before.

mod cancellation;
mod directory;
mod events;
mod given;
mod macros;
mod outbox;
mod publisher;
mod staged;
#[cfg(test)]
mod tests;
mod users;

use futures_core::future::BoxFuture;

pub use directory::DIRECTORY;
pub use events::EVENTS;
#[doc(hidden)]
pub use macros::support;
pub use outbox::OUTBOX;
pub use publisher::PUBLISHER;
pub use staged::{StagedBroker, StagedDirectory, Store, StoreWithOutbox};
pub use users::USERS;

use crate::ports::{EventLog, Outbox, UserRepository};

/// One promise of a port, named by a sentence, and how to check it.
#[non_exhaustive]
pub struct Behaviour<Check> {
    /// The promise, in words joined by underscores.
    pub name: &'static str,
    /// Panics where the promise is not kept.
    pub check: Check,
}

/// Checks a promise of a [`UserRepository`] that is empty.
pub type UsersCheck = for<'a> fn(&'a dyn UserRepository) -> BoxFuture<'a, ()>;

/// Checks what a [`UserRepository`] and the [`EventLog`] on the same store, both empty, promise together.
pub type EventsCheck = for<'a> fn(&'a dyn UserRepository, &'a dyn EventLog) -> BoxFuture<'a, ()>;

/// Checks what an [`Outbox`], with the [`UserRepository`] and the [`EventLog`] on the same store, all empty,
/// promises.
pub type OutboxCheck =
    for<'a> fn(&'a dyn UserRepository, &'a dyn EventLog, &'a dyn Outbox) -> BoxFuture<'a, ()>;

/// Checks what an [`EventPublisher`](crate::ports::EventPublisher) promises, with a broker that keeps nothing yet.
pub type PublisherCheck = for<'a> fn(&'a dyn StagedBroker) -> BoxFuture<'a, ()>;

/// Checks what a [`Directory`](crate::ports::Directory) promises, with nobody in it yet.
pub type DirectoryCheck = for<'a> fn(&'a dyn StagedDirectory) -> BoxFuture<'a, ()>;

/// The list of behaviours made of functions of certain ports: their names are the promises.
macro_rules! behaviours {
    ([$($name:ident,)+] $(#[$doc:meta])* $list:ident: $check:ident $ports:tt) => {
        $(#[$doc])*
        pub const $list: &[super::Behaviour<super::$check>] = &[
            $(super::Behaviour { name: stringify!($name), check: behaviours!(@check $name $ports) }),+
        ];
    };
    (@check $name:ident ($($port:ident),+)) => { |$($port),+| Box::pin($name($($port),+)) };
}
pub(crate) use behaviours;
