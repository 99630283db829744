//! The users service: it reads its settings, wires adapters to the domain, and serves HTTP.
//!
//! Begin at [`wiring`], the only place that names an adapter, and at [`http`], where each resource has
//! one file with its bodies, handlers and routes.

pub mod access;
pub mod background;
mod bulk;
pub mod cli;
mod clock;
pub mod commands;
pub mod config;
mod failure;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod gzip;
pub mod http;
mod no_broker;
mod no_directory;
mod outage;
mod outgoing;
mod replacement;
mod runtime;
pub mod server;
mod signals;
pub mod telemetry;
mod tell;
pub mod wiring;

pub use failure::Failure;
