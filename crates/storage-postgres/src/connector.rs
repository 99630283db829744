//! Opens connections, each with what a session of Roster has: time-outs on the server, and a socket that
//! finds out when nobody is there any more.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use diesel::connection::CacheSize;
use diesel::{ConnectionError, ConnectionResult};
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use roster_domain::chain;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::tls::TlsStream;
use tokio_postgres::{CancelToken, Client, Config, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::driver::{Owner, drive};
use crate::lock::lock;
use crate::timeouts::Timeouts;
use crate::turnover::Turnover;
use crate::url::Url;
use crate::{PostgresConfig, SetupError, hosts, tls};

/// After how long a socket with nothing on it asks whether the server is still there; and, in a third of
/// it, again.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// How long the server may leave what was sent without an acknowledgement before it counts as gone.
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);
/// How long is waited for a server, whatever the URL says, where nobody waits for long.
const BRIEF: Duration = Duration::from_secs(10);
/// What the driver has for a keep-alive where the URL says nothing.
const DRIVER_KEEPALIVE: Duration = Duration::from_secs(2 * 60 * 60);

#[derive(Clone)]
pub(crate) struct Connector {
    config: Config,
    tls: MakeRustlsConnect,
    pub(crate) timeouts: Timeouts,
    /// Whether it is known how long a server may say nothing.
    is_watched: bool,
    /// Which connections are of use.
    pub(crate) turnover: Turnover,
    /// Whether a proxy that pools by transaction is between here and the server.
    by_transaction: bool,
    /// Where connections live, whoever asks for one: a server's workers, each with a runtime of its own, end
    /// one by one, and must not take with them what the others work with.
    home: Option<Handle>,
    /// How long opening may take at each address of a server.
    within: Duration,
    /// Which server answered last: of those that are asked for the one that takes writes, it is asked first.
    answered: Arc<AtomicUsize>,
    /// At which address that was.
    address: Arc<Mutex<Option<Config>>>,
    /// `host:port` of each server, for messages.
    pub(crate) servers: String,
    /// Whether this is the way around a proxy, which has a setting of its own.
    is_direct: bool,
}

impl Connector {
    pub(crate) fn new(settings: &PostgresConfig) -> Result<Self, SetupError> {
        Self::to(&settings.url, false, settings)
    }

    /// What needs a session: around a proxy, where there is a way.
    pub(crate) fn direct(settings: &PostgresConfig) -> Result<Self, SetupError> {
        let Some(url) = &settings.direct_url else { return Self::new(settings) };
        Self::to(url, true, settings).map_err(|error| SetupError::Direct(Box::new(error)))
    }

    fn to(url: &str, is_direct: bool, settings: &PostgresConfig) -> Result<Self, SetupError> {
        let by_transaction = !is_direct && !settings.statement_cache;
        let Url { mut config, verify, roots } = Url::parse(url)?;
        keep_alive(&mut config);
        let within = config.get_connect_timeout().copied().unwrap_or(settings.connect_timeout);
        config.connect_timeout(within);
        if config.get_application_name().is_none() {
            config.application_name("roster");
        }
        let timeouts = Timeouts::of_requests(settings.statement_timeout);
        let mut is_watched = true;
        if !by_transaction {
            // What the URL asks for by `options` comes last, and so stands.
            let asked = config.get_options().unwrap_or_default();
            is_watched = !asked.to_ascii_lowercase().replace('-', "_").contains("statement_timeout");
            let options = format!("{} {asked}", timeouts.options());
            config.options(options.trim_end());
        }
        Ok(Self {
            tls: tls::connector(verify, &roots)?,
            timeouts,
            is_watched,
            turnover: Turnover::default(),
            by_transaction,
            home: Handle::try_current().ok(),
            within,
            answered: Arc::default(),
            address: Arc::default(),
            servers: hosts::names(&config),
            is_direct,
            config,
        })
    }

    /// The same for connections that live where they are asked for, and end with that runtime.
    pub(crate) fn here(&self) -> Self {
        Self { home: None, ..self.clone() }
    }

    /// The same for what is soon to be told: a server that does not let in by then is not waited for.
    pub(crate) fn for_checks(&self) -> Self {
        Self { within: self.within.min(BRIEF), ..self.clone() }
    }

    /// The same for connections on which several statements are under way at once. Whoever waits for those looks after
    /// that.
    pub(crate) fn for_pipelines(&self) -> Self {
        Self { is_watched: false, ..self.clone() }
    }

    /// The same with the timeouts that suit a migration.
    pub(crate) fn for_migrations(&self, lock: Duration) -> Self {
        let mut migrating = self.clone();
        migrating.timeouts = Timeouts::of_migrations(lock);
        if !self.by_transaction {
            let asked = self.config.get_options().unwrap_or_default();
            migrating.config.options(format!("{asked} {}", migrating.timeouts.options()));
        }
        migrating
    }

    /// How long a server may say nothing to what it was asked; none where that has no end, or is not known.
    pub(crate) fn silence(&self) -> Option<Duration> {
        if self.is_watched { self.timeouts.silence() } else { None }
    }

    /// Whether each statement needs a transaction: a proxy lends a session of the server for no longer.
    pub(crate) fn is_by_transaction(&self) -> bool {
        self.by_transaction
    }

    /// That there is no connection.
    pub(crate) fn unreachable(&self, error: &ConnectionError) -> SetupError {
        let error = SetupError::Connect { server: self.servers.clone(), reason: error.to_string() };
        if self.is_direct { SetupError::Direct(Box::new(error)) } else { error }
    }

    /// How a transaction begins by this statement. Behind a proxy no session can be asked for timeouts: so each
    /// transaction is.
    pub(crate) fn begin(&self, begin: &str) -> String {
        if self.by_transaction { format!("{begin}; {}", self.timeouts.local()) } else { begin.to_owned() }
    }

    /// Opens one that lives at home; where that has ended, or never was, here.
    pub(crate) async fn connect(&self) -> ConnectionResult<AsyncPgConnection> {
        let Some(home) = &self.home else { return self.connect_here().await };
        let connector = self.clone();
        // Nobody else could have what is opened where whoever waits for it gives up: so it ends with this.
        let mut opening = JoinSet::new();
        opening.spawn_on(async move { connector.connect_here().await }, home);
        match opening.join_next().await {
            Some(Ok(opened)) => opened,
            Some(Err(_)) | None => self.connect_here().await,
        }
    }

    /// Opens one that lives here, and ends with the runtime that asks for it.
    pub(crate) async fn connect_here(&self) -> ConnectionResult<AsyncPgConnection> {
        let servers = hosts::each(&self.config);
        let takes_writes = self.config.get_target_session_attrs() == TargetSessionAttrs::ReadWrite;
        let first = if takes_writes { self.answered.load(Ordering::Relaxed) } else { 0 };
        let mut failures = Vec::new();
        for (nth, server) in servers.iter().enumerate().cycle().skip(first).take(servers.len()) {
            match self.open_in_time(server).await {
                Ok(opened) => {
                    self.answered.store(nth, Ordering::Relaxed);
                    return Ok(opened);
                }
                Err(of_server) => failures.extend(of_server),
            }
        }
        Err(all(failures))
    }

    /// Opens one at the first address of a server that lets in, or tells what is wrong with each.
    async fn open_in_time(&self, server: &Config) -> Result<AsyncPgConnection, Vec<Failure>> {
        let found = async { hosts::addresses(server).await.map_err(|error| bad(&error)) };
        let found = self.in_time(server, found).await;
        self.open_first(found.map_err(|error| vec![(server.clone(), error)])?).await
    }

    /// The address that let in last comes first: another one may take all of its time to let in nobody.
    async fn open_first(&self, mut addresses: Vec<Config>) -> Result<AsyncPgConnection, Vec<Failure>> {
        let last = lock(&self.address).clone();
        let first = addresses.iter().position(|address| last.as_ref() == Some(address));
        addresses.rotate_left(first.unwrap_or(0));
        let mut failures = Vec::new();
        for address in addresses {
            match self.in_time(&address, self.open(&address)).await {
                Ok(opened) => {
                    *lock(&self.address) = Some(address);
                    return Ok(opened);
                }
                Err(error) => failures.push((address, error)),
            }
        }
        Err(failures)
    }

    async fn in_time<T>(
        &self,
        servers: &Config,
        done: impl Future<Output = ConnectionResult<T>>,
    ) -> ConnectionResult<T> {
        let within = self.within_of(servers);
        let late = || ConnectionError::BadConnection(format!("no answer within {within:?}"));
        timeout(within, done).await.unwrap_or_else(|_| Err(late()))
    }

    /// How long opening may take on these servers, where the driver tries one after the other.
    fn within_of(&self, servers: &Config) -> Duration {
        self.within.saturating_mul(u32::try_from(hosts::count(servers)).unwrap_or(1).max(1))
    }

    /// Has a server end what was asked on a connection that is closed: a commit that waits for a standby would go on,
    /// and keep its session. One that does not listen to that has hung.
    async fn cancel(self, under_way: CancelToken, asked: Instant) {
        let cancelled = timeout(self.within.min(BRIEF), under_way.cancel_query(self.tls.clone())).await;
        if !matches!(cancelled, Ok(Ok(()))) {
            // Others have connections to it on which nothing was asked yet.
            self.turnover.begin_at(asked);
        }
    }

    async fn open(&self, server: &Config) -> ConnectionResult<AsyncPgConnection> {
        let (client, connection) = server.connect(self.tls.clone()).await.map_err(|error| bad(&error))?;
        let owner = self.driven(&client, connection);
        let mut connection = if self.by_transaction {
            // What Diesel asks of a new session it asks by prepared statements: each is there for as long as the
            // session is lent, so all of that is one transaction.
            client.batch_execute("BEGIN").await.map_err(|error| bad(&error))?;
            let mut connection = AsyncPgConnection::try_from(client).await?;
            connection.set_prepared_statement_cache_size(CacheSize::Disabled);
            connection.batch_execute("COMMIT").await.map_err(ConnectionError::CouldntSetupConfiguration)?;
            connection
        } else {
            AsyncPgConnection::try_from(client).await?
        };
        connection.set_instrumentation(owner);
        Ok(connection)
    }

    /// Spawns what drives a connection, until the owner that this tells of is dropped.
    fn driven<T>(&self, client: &Client, connection: Connection<Socket, T>) -> Owner
    where
        T: TlsStream + Unpin + Send + 'static,
    {
        // A standby says so, where it is of PostgreSQL 14 or newer. No read would find it out; unless one is asked for.
        let is_standby = connection.parameter("in_hot_standby") == Some("on");
        if is_standby && self.config.get_target_session_attrs() != TargetSessionAttrs::ReadOnly {
            self.turnover.begin_soon();
        }
        let (connector, under_way) = (self.clone(), client.cancel_token());
        drive(connection, self.silence(), move |asked| connector.cancel(under_way, asked))
    }
}

/// Who did not let in, and why.
type Failure = (Config, ConnectionError);

/// What is wrong with each server, where there are several.
fn all(mut failures: Vec<Failure>) -> ConnectionError {
    match failures.pop() {
        Some((_, only)) if failures.is_empty() => only,
        last => {
            let all = failures.into_iter().chain(last);
            let told = all.map(|(server, error)| format!("{}: {error}", hosts::names(&server)));
            ConnectionError::BadConnection(told.collect::<Vec<_>>().join("; "))
        }
    }
}

fn bad(error: &(dyn std::error::Error + 'static)) -> ConnectionError {
    ConnectionError::BadConnection(chain(error))
}

/// What the URL does not say about the socket.
fn keep_alive(config: &mut Config) {
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(UNACKNOWLEDGED);
    }
    if config.get_keepalives_idle() == DRIVER_KEEPALIVE {
        config.keepalives_idle(KEEPALIVE).keepalives_interval(KEEPALIVE / 3).keepalives_retries(3);
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;
    use tokio::runtime::Builder;

    use super::*;

    fn connector(query: &str, cache: bool) -> Connector {
        let settings = PostgresConfig {
            statement_timeout: Duration::from_secs(3),
            statement_cache: cache,
            ..PostgresConfig::new(format!("postgres://ada@one,two/roster{query}"))
        };
        Connector::new(&settings).unwrap()
    }

    /// A server that lets nobody in, and does not say so.
    async fn silent() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").await.unwrap()
    }

    fn impatient(server: &TcpListener) -> Connector {
        let url = format!("postgres://ada@{}/roster?sslmode=disable", server.local_addr().unwrap());
        let connect_timeout = Duration::from_millis(50);
        Connector::new(&PostgresConfig { connect_timeout, ..PostgresConfig::new(url) }).unwrap()
    }

    #[test]
    fn a_session_begins_with_its_time_outs_and_the_url_has_the_last_word() {
        let one = connector("?options=-c%20lock_timeout%3D7", true);
        let options = one.config.get_options().unwrap();
        assert!(options.starts_with("-c statement_timeout=3000 "), "{options}");
        assert!(
            options.contains(" -c lock_timeout=2250 ") && options.ends_with(" -c lock_timeout=7"),
            "{options}"
        );
        let migrating = one.for_migrations(Duration::from_secs(60));
        assert!(migrating.config.get_options().unwrap().contains("-c lock_timeout=60000 "));
        assert_eq!(one.begin("BEGIN"), "BEGIN");
    }

    #[test]
    fn each_server_has_its_time() {
        let within = |query: &str| {
            let connector = connector(query, true);
            connector.within_of(&connector.config).as_secs()
        };
        assert_eq!(within(""), 6, "the two of them");
        assert_eq!(within("?connect_timeout=7"), 14);
        assert_eq!(within("?connect_timeout=0"), 6);
        assert_eq!(within(&format!("?connect_timeout={}", i64::MAX)), u64::MAX - 1);
    }

    /// Seen to fail where the time-out was around the task that opens, which went on without it.
    #[test]
    fn what_is_not_opened_in_time_is_closed() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let silent = silent().await;
            assert!(impatient(&silent).connect().await.is_err());

            let (mut socket, _) = silent.accept().await.unwrap();
            let mut said = Vec::new();
            let until_closed = timeout(Duration::from_secs(5), socket.read_to_end(&mut said)).await;
            assert!(
                until_closed.is_ok_and(|read| read.is_ok()),
                "after {} bytes it is still open",
                said.len()
            );
        });
    }

    /// Seen to fail where all addresses of a name had one time: the second was not asked.
    #[test]
    fn each_address_of_a_server_has_its_time() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (one, two) = (silent().await, silent().await);
            let connectors = [&one, &two].map(impatient);
            let addresses = connectors.each_ref().map(|connector| connector.config.clone()).to_vec();
            let failures = connectors[0].open_first(addresses).await.err().unwrap();
            assert_eq!(failures.len(), 2);
            let told = all(failures).to_string();
            assert_eq!(told.matches("no answer within 50ms").count(), 2, "{told}");
            for asked in [one, two] {
                timeout(Duration::from_secs(5), asked.accept()).await.unwrap().unwrap();
            }
        });
    }

    #[test]
    fn a_proxy_is_asked_for_nothing_that_it_refuses_and_each_transaction_for_its_limits() {
        let behind_proxy = connector("", false);
        let migrating = behind_proxy.for_migrations(Duration::ZERO);
        assert_eq!((behind_proxy.config.get_options(), migrating.config.get_options()), (None, None));
        assert!(behind_proxy.begin("BEGIN").starts_with("BEGIN; SET LOCAL statement_timeout = 3000;"));
        assert!(migrating.begin("BEGIN").starts_with("BEGIN; SET LOCAL statement_timeout = 0;"));
    }

    #[test]
    fn what_needs_a_session_goes_around_a_proxy_where_there_is_a_way() {
        let mut settings =
            PostgresConfig { statement_cache: false, ..PostgresConfig::new("postgres://proxy/d") };
        assert!(Connector::direct(&settings).unwrap().is_by_transaction());
        settings.direct_url = Some("postgres://server/d".to_owned());
        let direct = Connector::direct(&settings).unwrap();
        assert_eq!((direct.is_by_transaction(), &*direct.servers), (false, "server:5432"));
        settings.direct_url = Some("postgres:///d".to_owned());
        assert!(matches!(Connector::direct(&settings), Err(SetupError::Direct(_))));
    }

    #[test]
    fn a_socket_finds_out_that_the_server_is_gone_unless_the_url_says_otherwise() {
        let plain = connector("", true).config;
        assert_eq!(plain.get_keepalives_idle(), KEEPALIVE);
        assert_eq!(plain.get_tcp_user_timeout(), Some(&UNACKNOWLEDGED));
        let own = connector("?keepalives_idle=60&tcp_user_timeout=30", true).config;
        assert_eq!(own.get_keepalives_idle(), Duration::from_secs(60));
        assert_eq!(own.get_tcp_user_timeout(), Some(&Duration::from_secs(30)));
    }
}
