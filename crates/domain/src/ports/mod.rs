//! What the domain needs of the world: one trait a file, with its error. Adapters implement them.
//!
//! Every port is `Send + Sync` and dyn-safe: a use case holds an `Arc<dyn Port>`.

mod clock;
mod directory;
mod events;
mod health;
mod users;

pub use clock::Clock;
pub use directory::{Directory, DirectoryError};
pub use events::{EventLog, EventLogError};
pub use health::{HealthCheck, Unhealthy};
pub use users::{UserRepository, UserRepositoryError};

#[cfg(feature = "mocks")]
pub use {
    clock::MockClock, directory::MockDirectory, events::MockEventLog, health::MockHealthCheck,
    users::MockUserRepository,
};
