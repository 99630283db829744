//! What every adapter promises, as behaviours that a test of an adapter runs one by one, each on an
//! empty store.
//!
//! ```
//! use roster_domain::testing::{InMemory, contract};
//!
//! for behaviour in contract::USERS {
//!     let store = InMemory::default();
//!     futures_executor::block_on((behaviour.check)(&store));
//! }
//! ```

mod cancellation;
mod events;
mod given;
mod outbox;
mod users;

use futures_core::future::BoxFuture;

pub use events::EVENTS;
pub use outbox::OUTBOX;
pub use users::USERS;

use crate::ports::{EventLog, Outbox, UserRepository};

/// One promise of a port, named by a sentence, and how to check it.
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

/// The list of behaviours made of functions of certain ports: their names are the promises.
macro_rules! behaviours {
    ($(#[$doc:meta])* $list:ident: $check:ident $ports:tt = $($name:ident),+ $(,)?) => {
        $(#[$doc])*
        pub const $list: &[super::Behaviour<super::$check>] = &[
            $(super::Behaviour { name: stringify!($name), check: behaviours!(@check $name $ports) }),+
        ];
    };
    (@check $name:ident ($($port:ident),+)) => { |$($port),+| Box::pin($name($($port),+)) };
}
pub(crate) use behaviours;
