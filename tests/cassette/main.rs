//! The cassette crate against the real vcrpy, real sockets, real processes and hostile files.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "in a test, what cannot go on must fail"
)]

mod concurrency;
mod hostile;
mod interop;
mod leaks;
mod matching;
mod policy;
mod processes;
mod properties;
mod redirects;
mod replay;
mod support;
mod use_cassette;
