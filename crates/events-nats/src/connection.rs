use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_nats::connection::State;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::stream::Stream;
use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use async_trait::async_trait;
use futures_util::FutureExt;
use roster_domain::BoxError;
use roster_domain::ports::{HealthCheck, Unhealthy};
use thiserror::Error;
use tokio::time::error::Elapsed;
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use crate::streams::Name;
use crate::{NatsConfig, NatsDeadLetters, NatsPublisher, NatsSource};

/// How long a connection that is being made is waited for.
const MOMENT: Duration = Duration::from_secs(1);

/// How often the server is asked for a sign of life; after two without one, the connection is made anew.
const PING: Duration = Duration::from_secs(5);

/// For how long it is remembered what is wrong with a stream: while it is used, it is looked at more often.
const TROUBLE: Duration = Duration::from_secs(30);

/// The longest pause between two attempts to connect.
const LONGEST_DELAY: Duration = Duration::from_secs(2);

/// A connection to a NATS server. A clone is another handle of the same.
#[derive(Clone)]
pub struct Nats {
    pub(crate) client: Client,
    pub(crate) context: Context,
    pub(crate) config: Arc<NatsConfig>,
    /// What the client told of the connection last.
    told: Told,
    /// What is wrong with each stream that something is wrong with.
    troubles: Arc<Mutex<BTreeMap<Name, (Instant, String)>>>,
}

/// Why there can be no connection, now or later. The URL is not repeated: it may hold a password.
#[derive(Debug, Error)]
pub enum SetupError {
    /// The URL is none.
    #[error("must be a URL of a NATS server, such as nats://nats.example.org:4222")]
    Url,
    /// The file of credentials cannot be read, or holds none.
    #[error("cannot take credentials from {}", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: std::io::Error,
    },
    /// The client cannot be made.
    #[error("there can be no connection")]
    Client(#[source] BoxError),
}

impl Nats {
    /// Checks the configuration, and begins to connect: the server need not be there yet, and one that goes away
    /// is connected to again, without limit.
    ///
    /// # Errors
    ///
    /// Where no server could ever be connected to.
    pub async fn connect(config: NatsConfig) -> Result<Self, SetupError> {
        let servers = servers(&config.url)?;
        let mut options = authenticated(&servers, &config).await?;
        if servers.iter().any(|server| server.scheme() == "tls") {
            options = options.require_tls(true);
        }
        let told = Told::of(&servers);
        let hearing = told.clone();
        let client = options
            .name("roster")
            .connection_timeout(config.answer_timeout)
            .request_timeout(Some(config.answer_timeout))
            .ping_interval(PING)
            .retry_on_initial_connect()
            .max_reconnects(None)
            .reconnect_delay_callback(|attempts| {
                LONGEST_DELAY
                    .min(Duration::from_millis(50) * u32::try_from(attempts).unwrap_or(u32::MAX).min(100))
            })
            .event_callback(move |event| {
                let told = hearing.clone();
                async move { told.hear(&event) }
            })
            .connect(without_login(servers)?)
            .await
            .map_err(|error| SetupError::Client(error.into()))?;
        let context = ContextBuilder::new()
            .timeout(config.answer_timeout)
            .ack_timeout(config.answer_timeout)
            .build(client.clone());
        Ok(Self { client, context, config: Arc::new(config), told, troubles: Arc::default() })
    }

    /// Another connection to the same server: what ends one is to end no other.
    pub(crate) async fn another(&self) -> Result<Self, SetupError> {
        let another = Self::connect(NatsConfig::clone(&self.config)).await?;
        Ok(Self { troubles: self.troubles.clone(), ..another })
    }

    /// Tells others of events.
    pub fn publisher(&self) -> NatsPublisher {
        NatsPublisher::new(self.clone())
    }

    /// Brings events of others.
    pub fn source(&self) -> NatsSource {
        NatsSource::new(self.clone())
    }

    /// Keeps the events of others that cannot succeed.
    pub fn dead_letters(&self) -> NatsDeadLetters {
        NatsDeadLetters::new(self.clone())
    }

    /// Whether the client has ended, as where it panicked over what it read: then it connects no more.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.client.flush().now_or_never(), Some(Err(_)))
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Which connection it is: the number changes with each that is made.
    pub(crate) fn connection(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::Relaxed)
    }

    /// Waits a moment for a connection that is being made.
    pub(crate) async fn connected(&self) -> Result<(), BoxError> {
        let late = |_| "there is no connection to the NATS server".into();
        self.connected_within(MOMENT).await.map_err(late)
    }

    pub(crate) async fn connected_within(&self, limit: Duration) -> Result<(), Elapsed> {
        let connected = async {
            while !self.is_connected() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(limit, connected).await
    }

    /// A stream, made where it is not there. What is wrong with it is remembered until nothing is.
    pub(crate) async fn stream(&self, name: Name) -> Result<Stream, BoxError> {
        let opened = name.open(&self.context).await;
        match &opened {
            Ok(_) => drop(self.troubles().remove(&name)),
            Err(error) => self.tell_trouble(name, error.to_string()),
        }
        opened
    }

    /// Remembers what is wrong with a stream.
    pub(crate) fn tell_trouble(&self, name: Name, why: String) {
        self.troubles().insert(name, (Instant::now(), why));
    }

    /// What the client told of a connection that cannot be made; nothing where it told nothing.
    pub(crate) fn trouble(&self) -> String {
        self.told.last().clone()
    }

    /// Where the servers are, by name or address and port.
    pub(crate) fn servers(&self) -> &str {
        &self.told.servers
    }

    fn troubles(&self) -> MutexGuard<'_, BTreeMap<Name, (Instant, String)>> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl HealthCheck for Nats {
    /// Tells whether there is a connection, and whether the streams are as they should be, as far as they were
    /// used of late. It does not ask the server: the connection does so all the time.
    async fn check(&self) -> Result<(), Unhealthy> {
        if !self.is_connected() {
            return Err(Unhealthy("there is no connection to the NATS server".into()));
        }
        let troubles = self.troubles();
        let recent = troubles.values().find(|(since, _)| since.elapsed() < TROUBLE);
        recent.map_or(Ok(()), |(_, trouble)| Err(Unhealthy(trouble.clone().into())))
    }
}

/// What was told of the connection last, so that the same is not told at each of many attempts.
#[derive(Clone)]
struct Told {
    /// Where the servers are.
    servers: Arc<str>,
    last: Arc<Mutex<String>>,
}

impl Told {
    fn of(servers: &[ServerAddr]) -> Self {
        let places: Vec<_> =
            servers.iter().map(|server| format!("{}:{}", server.host(), server.port())).collect();
        Self { servers: places.join(",").into(), last: Arc::default() }
    }

    fn last(&self) -> MutexGuard<'_, String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, event: &Event) {
        let (servers, mut last) = (&*self.servers, self.last());
        match event {
            Event::Connected => {
                last.clear();
                info!(servers, "connected to the NATS server");
            }
            Event::Disconnected => warn!(servers, "the connection to the NATS server is lost"),
            Event::ClientError(_) | Event::ServerError(_) if *last != event.to_string() => {
                *last = event.to_string();
                warn!(servers, reason = *last, "there is trouble with the NATS server");
            }
            other => debug!(event = %other, "NATS"),
        }
    }
}

fn servers(url: &str) -> Result<Vec<ServerAddr>, SetupError> {
    let servers = url.split(',').map(|one| one.trim().parse::<ServerAddr>().map_err(|_| SetupError::Url));
    let servers = servers.collect::<Result<Vec<_>, _>>()?;
    let is_known =
        |server: &ServerAddr| ["nats", "tls"].contains(&server.scheme()) && !server.host().is_empty();
    if servers.iter().all(is_known) { Ok(servers) } else { Err(SetupError::Url) }
}

/// The servers alone: the client takes no log-in from a URL, and would write the URL to its log.
fn without_login(servers: Vec<ServerAddr>) -> Result<Vec<ServerAddr>, SetupError> {
    let bare = servers.into_iter().map(|server| {
        let mut url = server.into_inner();
        let cleared = url.set_username("").and_then(|()| url.set_password(None));
        cleared.map_err(|()| SetupError::Url)?;
        ServerAddr::from_url(url).map_err(|_| SetupError::Url)
    });
    bare.collect()
}

/// With the file of credentials, or with the user and password, or the token, of the first URL that has them.
async fn authenticated(servers: &[ServerAddr], config: &NatsConfig) -> Result<ConnectOptions, SetupError> {
    if let Some(path) = &config.credentials {
        let refused = |source| SetupError::Credentials { path: path.clone(), source };
        return ConnectOptions::with_credentials_file(path).await.map_err(refused);
    }
    let options = ConnectOptions::new();
    let Some(server) = servers.iter().find(|server| server.username().is_some()) else { return Ok(options) };
    Ok(match (server.username(), server.password()) {
        (Some(user), Some(password)) => options.user_and_password(user.to_owned(), password.to_owned()),
        (Some(token), None) => options.token(token.to_owned()),
        (None, _) => options,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_one_of_nats_or_several() {
        for url in ["nats://127.0.0.1:4222", "tls://a:b@one.example,tls://a:b@two.example:4223", "127.0.0.1"]
        {
            assert!(servers(url).is_ok(), "{url}");
        }
        for url in ["", "http://127.0.0.1", "nats://", "nats://a,,nats://b"] {
            assert!(servers(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_log_in_stays_out_of_what_the_client_is_told() {
        let bare =
            without_login(servers("nats://ada:secret@one.example:4222,tls://token@two.example").unwrap());
        let bare = bare.unwrap();
        let urls: Vec<_> = bare.iter().map(ServerAddr::as_url_str).collect();
        assert!(urls[0].ends_with("//one.example:4222") && urls[1].contains("//two.example"), "{urls:?}");
    }

    #[tokio::test]
    async fn credentials_that_cannot_be_read_are_told_with_their_file() {
        let mut config = NatsConfig::new("nats://ada:secret@127.0.0.1:1");
        config.credentials = Some("/nowhere/roster.creds".into());
        let refused = Nats::connect(config).await.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(refused.contains("/nowhere/roster.creds") && !refused.contains("secret"), "{refused}");
    }
}
