//! `roster migrate`: the schema, brought up to date before programs serve.

use crate::config::Config;
use crate::failure::Failure;
use crate::runtime::runtime;
use crate::signals::Signals;
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
    runtime()?.block_on(async {
        Signals::new()?.end_with_next(|| {});
        wiring::ports(&config).await
    })?;
    tracing::info!("the schema is up to date");
    Ok(())
}
