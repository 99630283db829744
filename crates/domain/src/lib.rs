//! The users domain of Roster: entities, rules, ports and use cases.
//!
//! It knows no database, no framework, no runtime and no clock: whatever it needs of the world is a
//! [port](ports), which an adapter of yours or of Roster's implements. With its default features it is 12 crates,
//! this one included, and none of them does any I/O; a test of Roster holds it to that list.
//!
//! | where | what |
//! |---|---|
//! | the crate itself | [`User`], [`Email`], [`Name`], …: a value that breaks a rule does not exist |
//! | [`services`] | the use cases, each a struct of `Arc<dyn Port>` |
//! | [`ports`] | what they need of the world, one trait each; what it means when one changes |
//! | `testing` (a feature) | the ports in memory, and the contract that makes sure of an adapter of yours |
//! | `mocks` (a feature) | a [mock](https://docs.rs/mockall) of each port |
//! | `serde` (a feature) | events as CloudEvents, out and in |
//!
//! # Run the use cases
//!
//! ```
//! # futures_executor::block_on(async {
//! use std::sync::Arc;
//!
//! use roster_domain::services::UserService;
//! use roster_domain::testing::{InMemory, ManualClock};
//! use roster_domain::{DomainError, Email, Name, NewUser, Precondition, UserChanges};
//!
//! let users = UserService::new(Arc::new(InMemory::default()), Arc::new(ManualClock::default()));
//!
//! let ada = NewUser { email: Email::parse(" Ada@Example.org ")?, name: Name::parse("Ada Lovelace")? };
//! let ada = users.create(ada, None).await?.into_inner();
//! assert_eq!(ada.email.as_str(), "ada@example.org");
//!
//! // A write names the version that it was made from, so that no update is lost.
//! let renamed = UserChanges { name: Some(Name::parse("Ada King")?), ..UserChanges::default() };
//! let at_this_version = Precondition::OneOf(vec![ada.version]);
//! users.update(ada.id, renamed.clone(), at_this_version.clone()).await?;
//! let late = users.update(ada.id, renamed, at_this_version).await;
//! assert!(matches!(late, Err(DomainError::PreconditionFailed { .. })));
//! # Ok::<(), DomainError>(())
//! # }).unwrap();
//! ```
//!
//! On a database it is the same with `Arc::new(Postgres::new(config)?.users())` of `roster-storage-postgres`.
//!
//! # Write an adapter
//!
//! Implement the port, and have the contract make sure of it: one line makes a test of each promise. This
//! directory is a list of people; `testing` has the rest of what `directory_contract!` wants to know, and
//! `repository_contract!` and `publisher_contract!` do the same for a store and a broker.
//!
//! ```
//! use async_trait::async_trait;
//! use roster_domain::ports::{Directory, DirectoryError};
//! use roster_domain::{DirectoryId, DirectoryPerson};
//!
//! /// `1;Ada Lovelace;ada;ada@example.org`, a line each.
//! struct ListOfPeople(String);
//!
//! #[async_trait]
//! impl Directory for ListOfPeople {
//!     async fn find(&self, id: DirectoryId) -> Result<Option<DirectoryPerson>, DirectoryError> {
//!         let columns = |line: &'_ str| line.split(';').map(str::to_owned).collect::<Vec<_>>();
//!         let line = self.0.lines().map(columns).find(|line| line[0] == id.to_string());
//!         match line.as_deref() {
//!             None => Ok(None), // absence is no error
//!             Some([_, name, username, email]) => Ok(Some(DirectoryPerson {
//!                 id,
//!                 name: name.clone(),
//!                 username: username.clone(),
//!                 email: email.clone(), // as it is: rules are the domain's
//!             })),
//!             Some(_) => Err(DirectoryError::Failed(format!("the line of {id} has other columns").into())),
//!         }
//!     }
//! }
//! #
//! # futures_executor::block_on(async {
//! # let people = ListOfPeople("7;Ada Lovelace;ada;ada@example.org\n8;Eve".to_owned());
//! # let find = |id| people.find(DirectoryId::new(id).unwrap());
//! # assert_eq!(find(7).await.unwrap().unwrap().name, "Ada Lovelace");
//! # assert!(find(9).await.unwrap().is_none());
//! # assert!(matches!(find(8).await, Err(DirectoryError::Failed(_))));
//! # });
//! ```
//!
//! # Mock a port
//!
//! ```toml
//! [dev-dependencies]
//! roster-domain = { version = "0.1", features = ["mocks", "testing"] }
//! ```
//!
//! ```
//! # futures_executor::block_on(async {
//! use std::sync::Arc;
//!
//! use roster_domain::ports::{MockUserRepository, UserRepositoryError};
//! use roster_domain::services::UserService;
//! use roster_domain::testing::ManualClock;
//! use roster_domain::{DomainError, UserId};
//!
//! let mut store = MockUserRepository::new();
//! let away = || UserRepositoryError::Unavailable("the network is down".into());
//! store.expect_find().times(1).returning(move |_| Err(away()));
//!
//! let users = UserService::new(Arc::new(store), Arc::new(ManualClock::default()));
//! let found = users.get(UserId::new(7).unwrap()).await;
//!
//! assert!(matches!(found, Err(DomainError::Unavailable { .. })));
//! # });
//! ```
//!
//! What changed, and what it asks of you, is in `CHANGELOG.md`.

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
mod version;
mod violation;

pub use commit::{Commit, Receipt, Written};
pub use directory::{DirectoryId, DirectoryPerson};
pub use error::{BoxError, BusinessRule, DomainError, chain};
pub use event::{Change, Event, EventId, Position};
pub use idempotency::{IdempotencyKey, RepeatableRequest};
pub use inbound::{InboundChange, InboundEvent, InboundId};
pub use page::{FeedLimit, Order, Page, PageLimit, UserFilter, UserQuery};
pub use time::Timestamp;
pub use trace::TraceContext;
pub use user::{Email, Name, NamePrefix, NewUser, User, UserChanges, UserId};
pub use version::{Precondition, Version};
pub use violation::{Violation, Violations};
