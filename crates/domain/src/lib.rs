//! The users domain of Roster: entities, rules, ports and use cases.
//!
//! It knows no database, no framework, no runtime and no clock: whatever it needs of the world is a
//! [port](ports), which an adapter of yours or of Roster's implements. Use cases are in [`services`];
//! with the feature `testing` there is an in-memory store to run them on, and with `mocks` a mock of
//! each port.
//!
//! ```
//! # futures_executor::block_on(async {
//! use std::sync::Arc;
//!
//! use roster_domain::services::UserService;
//! use roster_domain::testing::{InMemory, ManualClock};
//! use roster_domain::{Email, Name, NewUser};
//!
//! let users = UserService::new(Arc::new(InMemory::default()), Arc::new(ManualClock::default()));
//! let ada = NewUser {
//!     email: Email::parse(" Ada@Example.org ")?,
//!     name: Name::parse("Ada Lovelace")?,
//! };
//!
//! let ada = users.create(ada, None).await?.into_inner();
//!
//! assert_eq!(ada.email.as_str(), "ada@example.org");
//! assert_eq!(users.get(ada.id).await?, ada);
//! # Ok::<(), roster_domain::DomainError>(())
//! # }).unwrap();
//! ```

#[cfg(feature = "serde")]
mod cloudevent;
mod commit;
mod directory;
mod error;
mod event;
mod idempotency;
mod inbound;
mod page;
pub mod ports;
pub mod services;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
mod trace;
mod user;

pub use commit::{Commit, Precondition, Receipt, Written};
pub use directory::{DirectoryId, DirectoryPerson};
pub use error::{BoxError, BusinessRule, DomainError, Violation, Violations, chain};
pub use event::{Change, Event, EventId, Position};
pub use idempotency::{IdempotencyKey, RepeatableRequest};
pub use inbound::{InboundChange, InboundEvent, InboundId};
pub use page::{FeedLimit, Order, Page, PageLimit, UserFilter, UserQuery};
pub use time::Timestamp;
pub use trace::TraceContext;
pub use user::{Email, Name, NamePrefix, NewUser, User, UserChanges, UserId, Version};
