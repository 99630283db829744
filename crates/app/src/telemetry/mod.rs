//! How the program is seen from outside: its log, and what is measured of it.

pub(crate) mod logging;
pub mod metrics;

pub use metrics::Metrics;
