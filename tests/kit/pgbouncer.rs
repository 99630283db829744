//! A database behind a proxy.

use super::database::{Backend, Database};
use super::run::Run;
use super::servers::PgBouncer;
use super::suite::Given;

/// An empty database, and a `PgBouncer` in front of it that pools by transaction, on fewer connections than one
/// program has.
pub(crate) struct Proxied {
    pub(crate) database: Database,
    proxy: PgBouncer,
}

impl Proxied {
    /// The URL of the database, by way of the proxy.
    pub(crate) fn url(&self) -> &str {
        self.proxy.url()
    }
}

impl Given for Proxied {
    const BACKENDS: &'static [Backend] = &[Backend::Postgres];

    async fn given(on: Backend) -> Result<Self, String> {
        let database = Database::empty(on).await?;
        let proxy = PgBouncer::to(database.url(), 6, Run::current().folder().path()).await?;
        Ok(Self { database, proxy })
    }
}
