//! What the domain needs of the world: one trait a file, with its error. Adapters implement them.
//!
//! Every port is `Send + Sync` and dyn-safe: a use case holds an `Arc<dyn Port>`. Its documentation is its
//! contract, and the feature `testing` holds an adapter to it.
//!
//! # What a change of a port means for who implements it
//!
//! | what changes | the release | what an adapter has to do |
//! |---|---|---|
//! | a method without a body, or another signature | breaking | implement it: the compiler says where |
//! | a method with a body | minor | nothing; a better one of its own, where it can |
//! | a new promise of a method | breaking, though everything compiles | keep it: the contract has a behaviour more, and the changelog says so under "For implementers" |
//! | a promise that was there, and is now checked | minor | nothing, where it was kept |
//! | a new error of a port (`#[non_exhaustive]`) | minor | nothing; return it where it fits |
//! | a new field of what an adapter makes or stores: `User`, `Event`, `Unpublished`, `SetAside`, `DirectoryPerson` | breaking | fill it in, also for what was stored before |
//! | a new field of what an adapter is handed: `Commit`, `UserFilter` | breaking, though everything compiles | heed it: the contract says where it does not |
//! | a new kind of `Change` or `InboundChange` (`#[non_exhaustive]`) | minor for readers, breaking for stores | write and read it |
//!
//! Types that an adapter has to handle whole (`Order`, `Precondition`, `Written`) are exhaustive on purpose: who
//! does not know a variant must not compile. Before 1.0, a breaking release is a new minor version: 0.2 for 0.1.

mod clock;
mod dead_letters;
mod directory;
mod events;
mod examination;
mod health;
mod outbox;
mod publisher;
mod source;
mod users;

pub use clock::Clock;
pub use dead_letters::{DeadLetter, DeadLetters, DeadLettersError};
pub use directory::{Directory, DirectoryError};
pub use events::{EventLog, EventLogError};
pub use examination::{Examination, Finding, Verdict};
pub use health::{HealthCheck, Unhealthy};
pub use outbox::{Lead, Outbox, SetAside, Unpublished};
pub use publisher::{EventPublisher, PublishError};
pub use source::EventSource;
pub use users::{UserRepository, UserRepositoryError};

#[cfg(feature = "mocks")]
pub use {
    clock::MockClock, dead_letters::MockDeadLetters, directory::MockDirectory, events::MockEventLog,
    examination::MockExamination, health::MockHealthCheck, outbox::MockLead, outbox::MockOutbox,
    publisher::MockEventPublisher, source::MockEventSource, users::MockUserRepository,
};
