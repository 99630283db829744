//! Which adapter stands behind which port: the only place that names one.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use anyhow::anyhow;
use roster_directory_http::{DirectoryConfig as HttpDirectoryConfig, HttpDirectory};
use roster_domain::ports::{
    Clock, DeadLetters, Directory, EventLog, EventPublisher, EventSource, Examination, HealthCheck, Outbox,
    UserRepository,
};
use roster_domain::services::{DirectoryService, FeedService, ImportService, InboundService, UserService};
use roster_events_nats::{Nats, NatsConfig, SetupError as NatsSetupError};
use roster_storage_postgres::{
    Postgres, PostgresConfig, PostgresExamination, SetupError as PostgresSetupError,
};
use roster_storage_sqlite::{Sqlite, SqliteConfig, SqliteExamination};

use crate::asked_once::AskedOnce;
use crate::background::OutboxExamination;
use crate::clock::SystemClock;
use crate::config::{Config, DatabaseConfig, DatabaseUrl, DirectoryConfig, EventsConfig};
use crate::failure::Failure;
use crate::no_broker::NoBroker;
use crate::no_directory::NoDirectory;
use crate::telemetry::metrics::Gauge;

/// The ports that the program stands on. A test can put any other in their place.
#[derive(Clone)]
pub(crate) struct Ports {
    /// Keeps users.
    pub users: Arc<dyn UserRepository>,
    /// Reads what happened to them.
    pub events: Arc<dyn EventLog>,
    /// Keeps how far events were told to others.
    pub outbox: Arc<dyn Outbox>,
    /// Tells others of events; none where there is no broker to tell.
    pub publisher: Option<Arc<dyn EventPublisher>>,
    /// Brings events of others.
    pub source: Arc<dyn EventSource>,
    /// Looks people up.
    pub directory: Arc<dyn Directory>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Tells whether what stands behind them is well.
    pub health: Health,
}

/// Whether what the program stands on is well.
#[derive(Clone)]
pub(crate) struct Health {
    /// The store answers.
    pub store: Arc<dyn HealthCheck>,
    /// The broker is there.
    pub broker: Arc<dyn HealthCheck>,
    /// The directory is well, as far as it was asked of late.
    pub directory: Arc<dyn HealthCheck>,
}

/// What can be done, on certain ports.
#[derive(Clone)]
pub(crate) struct Services {
    /// What can be done with users.
    pub users: UserService,
    /// Makes many users at once.
    pub import: ImportService,
    /// What can be done with people of the external directory.
    pub directory: DirectoryService,
    /// What can be read of the feed of events.
    pub feed: FeedService,
    /// What is done about events of others.
    pub inbound: InboundService,
}

impl From<Ports> for Services {
    fn from(ports: Ports) -> Self {
        let users = UserService::new(ports.users.clone(), ports.clock.clone());
        Self {
            directory: DirectoryService::new(ports.directory, users.clone()),
            users,
            import: ImportService::new(ports.users.clone(), ports.clock.clone()),
            feed: FeedService::new(ports.events),
            inbound: InboundService::new(ports.users, ports.clock),
        }
    }
}

/// Opens what the settings name, and brings the database's schema up to date unless they say otherwise; with what
/// measures the state of some of it.
///
/// # Errors
///
/// Where the database cannot be opened or its schema does not fit, or there can be no client of the
/// directory; the setting is named.
pub(crate) async fn ports(config: &Config) -> Result<(Ports, Vec<Gauge>), Failure> {
    let mut gauges = Vec::new();
    let (directory, lookups) = directory(&config.directory, &mut gauges)?;
    let (publisher, source, broker) = broker(&config.events).await?;
    let (users, events, outbox, store) = store(&config.database, &mut gauges).await?;
    let store = Arc::new(AskedOnce::of(store));
    let health = Health { store, broker, directory: lookups };
    let clock = Arc::new(SystemClock);
    Ok((Ports { users, events, outbox, publisher, source, directory, clock, health }, gauges))
}

/// Something that the settings name, to be looked at.
type Examined = Result<Box<dyn Examination>, Failure>;

/// All that the settings name, to be looked at; or which of them is wrong.
pub(crate) async fn examinations(config: &Config) -> Vec<Examined> {
    let mut examinations = vec![store_to_examine(&config.database)];
    // Where they cannot be had, the look at the store tells why.
    if let Ok((events, outbox)) = events_there(&config.database).await {
        let are_told = config.events.nats_url.is_some();
        examinations.push(Ok(Box::new(OutboxExamination { events, outbox, are_told })));
    }
    examinations.push(broker_to_examine(&config.events).await);
    examinations.push(directory_to_examine(&config.directory));
    examinations
}

fn store_to_examine(config: &DatabaseConfig) -> Examined {
    Ok(match &config.url {
        DatabaseUrl::Sqlite(path) => Box::new(SqliteExamination::of(sqlite(path, config)?, config.migrate)),
        DatabaseUrl::Postgres(url) => {
            let examination = PostgresExamination::of(postgres(url, config), config.migrate);
            Box::new(examination.map_err(refused_by_postgres)?)
        }
    })
}

async fn broker_to_examine(config: &EventsConfig) -> Examined {
    let Some(nats) = nats(config).await? else { return Ok(Box::new(NoBroker)) };
    Ok(Box::new(nats))
}

fn directory_to_examine(config: &DirectoryConfig) -> Examined {
    let Some(directory) = http_directory(config)? else { return Ok(Box::new(NoDirectory)) };
    Ok(Box::new(directory))
}

/// The users alone, for what does not serve.
///
/// # Errors
///
/// Where the database cannot be opened or its schema does not fit; the setting is named.
pub(crate) async fn users(config: &DatabaseConfig) -> Result<Arc<dyn UserRepository>, Failure> {
    let (users, _, _, _) = store(config, &mut Vec::new()).await?;
    Ok(users)
}

/// The same, for what only reads: no database is made for it, and none is migrated.
///
/// # Errors
///
/// As above, and where there is no such file.
pub(crate) async fn users_there(config: &DatabaseConfig) -> Result<Arc<dyn UserRepository>, Failure> {
    users(&there(config)?).await
}

/// The events alone, and how far they were told to others: of a database that is there, as it is.
///
/// # Errors
///
/// As above.
pub(crate) async fn events_there(
    config: &DatabaseConfig,
) -> Result<(Arc<dyn EventLog>, Arc<dyn Outbox>), Failure> {
    let (_, events, outbox, _) = store(&there(config)?, &mut Vec::new()).await?;
    Ok((events, outbox))
}

/// A database that is neither made nor migrated.
fn there(config: &DatabaseConfig) -> Result<DatabaseConfig, Failure> {
    match &config.url {
        DatabaseUrl::Sqlite(path) if !path.exists() => {
            Err(Failure::setting(DatabaseConfig::URL, anyhow!("there is no file {}", path.display())))
        }
        _ => Ok(DatabaseConfig { migrate: false, ..config.clone() }),
    }
}

/// Who keeps users, their events, how far those were told to others, and whether all that answers.
type Store = (Arc<dyn UserRepository>, Arc<dyn EventLog>, Arc<dyn Outbox>, Arc<dyn HealthCheck>);

/// The database of the URL's scheme.
async fn store(config: &DatabaseConfig, gauges: &mut Vec<Gauge>) -> Result<Store, Failure> {
    match &config.url {
        DatabaseUrl::Sqlite(path) => {
            let store = Sqlite::open(sqlite(path, config)?).map_err(refused)?;
            ready(config, Box::pin(store.migrate()), Box::pin(store.check_schema()), refused).await?;
            let measured = store.clone();
            gauges.push(Arc::new(move || measured.measure()));
            Ok((Arc::new(store.users()), Arc::new(store.events()), Arc::new(store.outbox()), Arc::new(store)))
        }
        DatabaseUrl::Postgres(url) => {
            let store = Postgres::new(postgres(url, config)).map_err(refused_by_postgres)?;
            let checked = Box::pin(store.check_schema());
            ready(config, Box::pin(store.migrate()), checked, refused_by_postgres).await?;
            let measured = store.clone();
            gauges.push(Arc::new(move || measured.measure()));
            Ok((Arc::new(store.users()), Arc::new(store.events()), Arc::new(store.outbox()), Arc::new(store)))
        }
    }
}

/// Who tells others of events, who brings theirs, and whether the broker of both is there.
type Broker = (Option<Arc<dyn EventPublisher>>, Arc<dyn EventSource>, Arc<dyn HealthCheck>);

/// The broker that is set, or one that keeps events to the feed.
async fn broker(config: &EventsConfig) -> Result<Broker, Failure> {
    let Some(nats) = nats(config).await? else {
        return Ok((None, Arc::new(NoBroker), Arc::new(NoBroker)));
    };
    Ok((Some(Arc::new(nats.publisher())), Arc::new(nats.source()), Arc::new(nats)))
}

/// The events of others that can never succeed.
///
/// # Errors
///
/// Where no broker is set, or no connection to it can be made; the setting is named.
pub(crate) async fn dead_letters(config: &EventsConfig) -> Result<Arc<dyn DeadLetters>, Failure> {
    let none =
        || Failure::setting(EventsConfig::NATS_URL, anyhow!("is needed: it is where dead letters are kept"));
    Ok(Arc::new(nats(config).await?.ok_or_else(none)?.dead_letters()))
}

async fn nats(config: &EventsConfig) -> Result<Option<Nats>, Failure> {
    let Some(url) = &config.nats_url else {
        return match config.nats_credentials {
            None => Ok(None),
            Some(_) => {
                Err(Failure::setting(EventsConfig::NATS_CREDENTIALS, anyhow!("takes --nats-url beside it")))
            }
        };
    };
    let mut nats = NatsConfig::new(url);
    nats.credentials.clone_from(&config.nats_credentials);
    let connected = Nats::connect(nats).await;
    connected.map(Some).map_err(|error| match error {
        NatsSetupError::Credentials { .. } => Failure::setting(EventsConfig::NATS_CREDENTIALS, error),
        NatsSetupError::Url | NatsSetupError::Client(_) => Failure::setting(EventsConfig::NATS_URL, error),
    })
}

/// Who looks people up, and whether that goes well.
type Lookup = (Arc<dyn Directory>, Arc<dyn HealthCheck>);

/// The directory that is set, or one that says that none is.
fn directory(config: &DirectoryConfig, gauges: &mut Vec<Gauge>) -> Result<Lookup, Failure> {
    let Some(directory) = http_directory(config)?.map(Arc::new) else {
        return Ok((Arc::new(NoDirectory), Arc::new(NoDirectory)));
    };
    let measured = directory.clone();
    gauges.push(Arc::new(move || measured.measure()));
    Ok((directory.clone(), directory))
}

fn http_directory(config: &DirectoryConfig) -> Result<Option<HttpDirectory>, Failure> {
    let Some(url) = &config.url else { return Ok(None) };
    let refused = |error| Failure::setting(DirectoryConfig::URL, error);
    let mut http = HttpDirectoryConfig::new(url).map_err(|error| refused(error.into()))?;
    let token = DirectoryConfig::bearer_token();
    http.bearer_token = token.map_err(|error| Failure::setting(DirectoryConfig::TOKEN, error))?;
    HttpDirectory::new(http).map(Some).map_err(|error| refused(anyhow!(error)))
}

/// Migrates, or only looks whether that is needed, as the settings say.
async fn ready<E: std::error::Error + Send + Sync + 'static>(
    config: &DatabaseConfig,
    migrate: impl Future<Output = Result<Vec<String>, E>>,
    check: impl Future<Output = Result<Vec<String>, E>>,
    refused: impl Fn(E) -> Failure,
) -> Result<(), Failure> {
    if !config.migrate {
        for migration in check.await.map_err(refused)? {
            tracing::warn!(migration, "the database is of a newer version of Roster");
        }
        return Ok(());
    }
    for migration in migrate.await.map_err(refused)? {
        tracing::info!(migration, "migrated");
    }
    Ok(())
}

fn refused(error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::setting(DatabaseConfig::URL, error)
}

/// What is wrong may be the way around a proxy, which has a setting of its own.
fn refused_by_postgres(error: PostgresSetupError) -> Failure {
    let setting = match &error {
        PostgresSetupError::Direct(_) => DatabaseConfig::DIRECT_URL,
        _ => DatabaseConfig::URL,
    };
    Failure::setting(setting, error)
}

fn sqlite(path: &Path, config: &DatabaseConfig) -> Result<SqliteConfig, Failure> {
    if config.direct_url.is_some() {
        let why = anyhow!("takes a --database-url of PostgreSQL beside it");
        return Err(Failure::setting(DatabaseConfig::DIRECT_URL, why));
    }
    let mut sqlite = SqliteConfig::new(path);
    sqlite.readers = config.pool_size.map_or(sqlite.readers, NonZeroUsize::get);
    Ok(sqlite)
}

fn postgres(url: &str, config: &DatabaseConfig) -> PostgresConfig {
    let mut postgres = PostgresConfig::new(url);
    postgres.pool_size = config.pool_size.map_or(postgres.pool_size, NonZeroUsize::get);
    postgres.direct_url.clone_from(&config.direct_url);
    postgres.pool_wait = config.pool_wait;
    postgres.statement_timeout = config.statement_timeout;
    postgres.statement_cache = config.statement_cache;
    postgres
}
