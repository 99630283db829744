//! For tests: a store, a broker and a directory in memory, a clock that is set by hand, and the contract of the
//! ports.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "an assertion of a test fails by a panic"
)]

mod broker;
mod clock;
pub mod contract;
mod directory;
mod memory;

pub use broker::InMemoryBroker;
pub use clock::ManualClock;
pub use directory::{Condition, InMemoryDirectory};
pub use memory::InMemory;
