//! What is done before the program serves, or instead of it.

use std::io::{Write, stdout};

use anyhow::Context;
use tokio::runtime::{Builder, Runtime};

use crate::config::Config;
use crate::failure::Failure;
use crate::http::openapi;
use crate::telemetry::logging;
use crate::wiring;

/// Brings the database's schema up to date.
///
/// # Errors
///
/// Where the database cannot be opened, or is of a newer schema.
pub fn migrate(mut config: Config) -> Result<(), Failure> {
    logging::start(&config.log, None);
    config.database.migrate = true;
    runtime()?.block_on(wiring::ports(&config))?;
    tracing::info!("the schema is up to date");
    Ok(())
}

/// Prints the API's description. Nothing that is set is opened for it.
///
/// # Errors
///
/// Where it cannot be written.
pub fn print_openapi() -> Result<(), Failure> {
    let written = writeln!(stdout(), "{}", openapi::render()).context("cannot print");
    Ok(written?)
}

/// The runtime of what does not belong to a worker of the server.
pub(crate) fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().context("cannot start")
}
