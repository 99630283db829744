//! Which adapter stands behind which port: the only place that names one.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use anyhow::anyhow;
use roster_directory_http::{DirectoryConfig as HttpDirectoryConfig, HttpDirectory};
use roster_domain::ports::{Clock, Directory, EventLog, HealthCheck, UserRepository};
use roster_domain::services::{DirectoryService, FeedService, UserService};
use roster_storage_postgres::{Postgres, PostgresConfig};
use roster_storage_sqlite::{Sqlite, SqliteConfig};

use crate::clock::SystemClock;
use crate::config::{Config, DatabaseConfig, DatabaseUrl, DirectoryConfig};
use crate::failure::Failure;
use crate::no_directory::NoDirectory;

/// The ports that the program stands on. A test can put any other in their place.
#[derive(Clone)]
pub struct Ports {
    /// Keeps users.
    pub users: Arc<dyn UserRepository>,
    /// Reads what happened to them.
    pub events: Arc<dyn EventLog>,
    /// Tells whether the store of both answers.
    pub store: Arc<dyn HealthCheck>,
    /// Looks people up.
    pub directory: Arc<dyn Directory>,
    /// Tells whether the directory is well, as far as it was asked of late.
    pub directory_health: Arc<dyn HealthCheck>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// What can be done, on certain ports.
#[derive(Clone)]
pub struct Services {
    /// What can be done with users.
    pub users: UserService,
    /// What can be done with people of the external directory.
    pub directory: DirectoryService,
    /// What can be read of the feed of events.
    pub feed: FeedService,
    /// Tells whether the store answers.
    pub store: Arc<dyn HealthCheck>,
    /// Tells whether the directory is well, as far as it was asked of late.
    pub directory_health: Arc<dyn HealthCheck>,
}

impl From<Ports> for Services {
    fn from(ports: Ports) -> Self {
        let users = UserService::new(ports.users, ports.clock);
        Self {
            directory: DirectoryService::new(ports.directory, users.clone()),
            users,
            feed: FeedService::new(ports.events),
            store: ports.store,
            directory_health: ports.directory_health,
        }
    }
}

/// Opens what the settings name, and brings the database's schema up to date unless they say otherwise.
///
/// # Errors
///
/// Where the database cannot be opened or its schema does not fit, or there can be no client of the
/// directory; the setting is named.
pub async fn ports(config: &Config) -> Result<Ports, Failure> {
    let (directory, directory_health) = directory(&config.directory)?;
    let (users, events, store) = store(&config.database).await?;
    Ok(Ports { users, events, store, directory, directory_health, clock: Arc::new(SystemClock) })
}

/// Who keeps users, who reads their events, and whether both answer.
type Store = (Arc<dyn UserRepository>, Arc<dyn EventLog>, Arc<dyn HealthCheck>);

/// The database of the URL's scheme.
async fn store(config: &DatabaseConfig) -> Result<Store, Failure> {
    match &config.url {
        DatabaseUrl::Sqlite(path) => {
            let store = Sqlite::open(sqlite(path, config)).map_err(refused)?;
            ready(config, Box::pin(store.migrate()), Box::pin(store.check_schema())).await?;
            Ok((Arc::new(store.users()), Arc::new(store.events()), Arc::new(store)))
        }
        DatabaseUrl::Postgres(url) => {
            let store = Postgres::new(postgres(url, config)).map_err(refused)?;
            ready(config, Box::pin(store.migrate()), Box::pin(store.check_schema())).await?;
            Ok((Arc::new(store.users()), Arc::new(store.events()), Arc::new(store)))
        }
    }
}

/// Who looks people up, and whether that goes well.
type Lookup = (Arc<dyn Directory>, Arc<dyn HealthCheck>);

/// The directory that is set, or one that says that none is.
fn directory(config: &DirectoryConfig) -> Result<Lookup, Failure> {
    let Some(url) = &config.url else {
        return Ok((Arc::new(NoDirectory), Arc::new(NoDirectory)));
    };
    let refused = |error| Failure::setting(DirectoryConfig::URL, error);
    let mut http = HttpDirectoryConfig::new(url).map_err(|error| refused(error.into()))?;
    let token = DirectoryConfig::bearer_token();
    http.bearer_token = token.map_err(|error| Failure::setting(DirectoryConfig::TOKEN, error))?;
    let directory = Arc::new(HttpDirectory::new(http).map_err(|error| refused(anyhow!(error)))?);
    Ok((directory.clone(), directory))
}

/// Migrates, or only looks whether that is needed, as the settings say.
async fn ready<E: std::error::Error + Send + Sync + 'static>(
    config: &DatabaseConfig,
    migrate: impl Future<Output = Result<Vec<String>, E>>,
    check: impl Future<Output = Result<(), E>>,
) -> Result<(), Failure> {
    if !config.migrate {
        return check.await.map_err(refused);
    }
    for migration in migrate.await.map_err(refused)? {
        tracing::info!(migration, "migrated");
    }
    Ok(())
}

fn refused(error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::setting(DatabaseConfig::URL, error)
}

fn sqlite(path: &Path, config: &DatabaseConfig) -> SqliteConfig {
    let mut sqlite = SqliteConfig::new(path);
    sqlite.readers = config.pool_size.map_or(sqlite.readers, NonZeroUsize::get);
    sqlite
}

fn postgres(url: &str, config: &DatabaseConfig) -> PostgresConfig {
    let mut postgres = PostgresConfig::new(url);
    postgres.pool_size = config.pool_size.map_or(postgres.pool_size, NonZeroUsize::get);
    postgres.statement_timeout = config.statement_timeout;
    postgres.statement_cache = config.statement_cache;
    postgres
}
