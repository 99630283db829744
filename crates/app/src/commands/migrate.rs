//! `roster migrate`: the schema, brought up to date before programs serve.

use super::run;
use crate::config::Config;
use crate::failure::Failure;
use crate::telemetry::logging;
use crate::wiring;

/// Brings the database's schema up to date.
///
/// # Errors
///
/// Where the database cannot be opened, or is of a newer schema.
pub(crate) fn migrate(mut config: Config) -> Result<(), Failure> {
    logging::start(&config.log, None);
    config.database.migrate = true;
    run(wiring::users(&config.database))?;
    tracing::info!("the schema is up to date");
    Ok(())
}
