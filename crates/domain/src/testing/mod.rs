//! For tests: an in-memory store, a clock that is set by hand, and the contract of the ports.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "an assertion of a test fails by a panic"
)]

mod clock;
pub mod contract;
mod memory;

pub use clock::ManualClock;
pub use memory::InMemory;
