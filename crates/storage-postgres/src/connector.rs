//! Opens connections, each with what a session of Roster has: time-outs on the server, and a socket that
//! finds out when nobody is there any more.

use std::time::Duration;

use diesel::connection::CacheSize;
use diesel::{ConnectionError, ConnectionResult};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_postgres::Config;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::url::{Url, chain, servers};
use crate::{PostgresConfig, SetupError, tls};

/// After how long a socket with nothing on it asks whether the server is still there; and, in a third of
/// it, again.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// How long the server may leave what was sent without an acknowledgement before it counts as gone.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);
/// How long a transaction may wait for its own program.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(10);
/// What the driver has for a keep-alive where the URL says nothing.
const DRIVER_KEEPALIVE: Duration = Duration::from_secs(2 * 60 * 60);

#[derive(Clone)]
pub(crate) struct Connector {
    config: Config,
    tls: MakeRustlsConnect,
    cache: bool,
    /// Where connections live, whoever asks for one: a server's workers, each with a runtime of its own, end
    /// one by one, and must not take with them what the others work with.
    home: Option<Handle>,
    /// How long opening may take, on whatever host.
    pub(crate) within: Duration,
    /// `host:port` of each server, for messages.
    pub(crate) servers: String,
}

impl Connector {
    pub(crate) fn new(settings: &PostgresConfig) -> Result<Self, SetupError> {
        let Url { mut config, verify, roots } = Url::parse(&settings.url)?;
        keep_alive(&mut config);
        config.connect_timeout(settings.connect_timeout);
        if config.get_application_name().is_none() {
            config.application_name("roster");
        }
        if settings.statement_cache {
            ask_for_timeouts(&mut config, settings.statement_timeout);
        }
        let hosts = u32::try_from(config.get_hosts().len()).unwrap_or(1).max(1);
        Ok(Self {
            tls: tls::connector(verify, &roots)?,
            cache: settings.statement_cache,
            home: Handle::try_current().ok(),
            within: settings.connect_timeout * hosts,
            servers: servers(&config),
            config,
        })
    }

    /// The same without the limits that suit a request: a migration takes as long as it takes, but waits
    /// for a lock no longer than `lock`.
    pub(crate) fn for_migrations(&self, lock: Duration) -> Self {
        let mut unlimited = self.clone();
        if self.cache {
            let lock = lock.as_millis();
            let limits = format!(
                " -c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c lock_timeout={lock}"
            );
            let options = unlimited.config.get_options().unwrap_or_default().to_owned() + &limits;
            unlimited.config.options(options);
        }
        unlimited
    }

    /// Whether a proxy that pools by transaction is between here and the server.
    pub(crate) fn is_behind_proxy(&self) -> bool {
        !self.cache
    }

    pub(crate) async fn connect(&self) -> ConnectionResult<AsyncPgConnection> {
        let late = || ConnectionError::BadConnection(format!("no answer within {:?}", self.within));
        timeout(self.within, self.open_at_home()).await.unwrap_or_else(|_| Err(late()))
    }

    /// Opens it where it is to live; where that has ended, or never was, here.
    async fn open_at_home(&self) -> ConnectionResult<AsyncPgConnection> {
        let Some(home) = &self.home else { return self.open().await };
        let connector = self.clone();
        match home.spawn(async move { connector.open().await }).await {
            Ok(opened) => opened,
            Err(_ended) => self.open().await,
        }
    }

    async fn open(&self) -> ConnectionResult<AsyncPgConnection> {
        let (client, connection) = self
            .config
            .connect(self.tls.clone())
            .await
            .map_err(|error| ConnectionError::BadConnection(chain(&error)))?;
        let mut connection = AsyncPgConnection::try_from_client_and_connection(client, connection).await?;
        if !self.cache {
            connection.set_prepared_statement_cache_size(CacheSize::Disabled);
        }
        Ok(connection)
    }
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

/// Sets the session's time-outs as it begins, which costs no round trip. What the URL asks for by `options`
/// comes last, and so stands.
fn ask_for_timeouts(config: &mut Config, statement: Duration) {
    let statement = statement.as_millis();
    let lock = statement / 2;
    let idle = IDLE_IN_TRANSACTION.as_millis();
    let asked = config.get_options().unwrap_or_default();
    let options = format!(
        "-c statement_timeout={statement} -c lock_timeout={lock} \
         -c idle_in_transaction_session_timeout={idle} {asked}"
    );
    config.options(options);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connector(query: &str, cache: bool) -> Connector {
        let settings = PostgresConfig {
            statement_timeout: Duration::from_secs(3),
            statement_cache: cache,
            ..PostgresConfig::new(format!("postgres://ada@one,two/roster{query}"))
        };
        Connector::new(&settings).unwrap()
    }

    #[test]
    fn a_session_begins_with_its_time_outs_and_the_url_has_the_last_word() {
        let one = connector("?options=-c%20lock_timeout%3D7", true);
        assert_eq!(
            one.config.get_options().unwrap(),
            "-c statement_timeout=3000 -c lock_timeout=1500 \
             -c idle_in_transaction_session_timeout=10000 -c lock_timeout=7"
        );
        let migrating = one.for_migrations(Duration::from_secs(60));
        assert!(migrating.config.get_options().unwrap().ends_with("-c lock_timeout=60000"));
        assert_eq!(one.within, Duration::from_secs(6), "each host has its time");
    }

    #[test]
    fn a_proxy_is_asked_for_nothing_that_it_refuses() {
        let behind_proxy = connector("", false);
        assert_eq!(behind_proxy.config.get_options(), None);
        assert_eq!(behind_proxy.for_migrations(Duration::ZERO).config.get_options(), None);
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
