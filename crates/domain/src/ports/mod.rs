//! What the domain needs of the world: one trait a file, with its error. Adapters implement them.
//!
//! Every port is `Send + Sync` and dyn-safe: a use case holds an `Arc<dyn Port>`.

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
pub use outbox::{Lead, Outbox, SetAside};
pub use publisher::{EventPublisher, PublishError};
pub use source::EventSource;
pub use users::{UserRepository, UserRepositoryError};

#[cfg(feature = "mocks")]
pub use {
    clock::MockClock, dead_letters::MockDeadLetters, directory::MockDirectory, events::MockEventLog,
    examination::MockExamination, health::MockHealthCheck, outbox::MockLead, outbox::MockOutbox,
    publisher::MockEventPublisher, source::MockEventSource, users::MockUserRepository,
};
