//! Serving, from the first start to the last request.

mod connections;
mod door;
mod open_files;
mod ops;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use std::time::Duration;

use actix_web::HttpServer;
use actix_web::dev::ServerHandle;
use anyhow::Context;
use tokio::net::TcpSocket;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::access::Gatekeeper;
use crate::background::Background;
use crate::config::{Config, HttpConfig, LimitsConfig};
use crate::failure::Failure;
use crate::http::{self, CrossOrigin, Lifecycle, Limits, Patience, Shared, Streams};
use crate::runtime::runtime;
use crate::signals::Signals;
use crate::telemetry::{Telemetry, logging};
use crate::tell::tell;
use crate::wiring;
use connections::Connections;
use door::Door;
use ops::Ops;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// How long the program still takes requests once it is told to stop, so that whoever asks whether it is
/// ready hears that it is not, and sends them elsewhere.
const UNREADY: Duration = Duration::from_millis(200);

/// How long a client may go on sending what is refused already, so that it comes to read why. A body that came too late
/// has no such time.
const LINGER: Duration = Duration::from_secs(5);

/// How long the loops may take, once all requests were answered, to publish what is left.
const FLUSH: Duration = Duration::from_secs(5);

/// What the first example makes.
const FIRST_USER: &str = r#"{"email": "ada@example.org", "name": "Ada Lovelace"}"#;

/// Serves the API until the program is told to stop.
///
/// # Errors
///
/// Where a setting is wrong, or something that the program stands on cannot be had.
pub(crate) fn serve(config: Config) -> Result<(), Failure> {
    let runtime = runtime()?;
    let telemetry = Telemetry::start(&config, runtime.handle())?;
    let served = runtime.block_on(run(config, &telemetry));
    telemetry.stop();
    served
}

async fn run(config: Config, telemetry: &Telemetry) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    config.access.check(config.http.listen, HttpConfig::LISTEN)?;
    let listener = listen(config.http.listen, HttpConfig::LISTEN)?;
    let ops = config.http.ops_listen.map(|address| listen(address, HttpConfig::OPS_LISTEN)).transpose()?;
    let workers = available_parallelism().map_or(2, NonZeroUsize::get);
    let max_connections = open_files::connections(&config, workers);
    let address = listener.local_addr().context("cannot serve")?;
    let gatekeeper = Gatekeeper::start(&config.access)?;
    let (ports, gauges) = tokio::select! {
        ports = wiring::ports(&config) => ports?,
        _ = signals.next() => {
            info!("stopped before anything was served");
            logging::finish();
            // What is waited for, as a lock of another program that migrates, may take long.
            std::process::exit(0);
        }
    };
    let metrics = telemetry.metrics().with(gauges);
    let tidying = tokio::spawn(metrics.clone().tidy());
    let health = ports.health.clone();
    let (background, services, newest) = Background::start(telemetry.traced(ports), config.events.retention);
    let lifecycle = Lifecycle::default();
    let shared = Shared {
        services,
        health,
        gatekeeper,
        lifecycle: lifecycle.clone(),
        limits: Limits::new(&config.limits),
        metrics,
    };
    let patience = patience(&config.limits);
    let ops = ops.map(|listener| Ops::serve(listener, shared.clone(), &config.limits, patience));
    let (ops_address, ops) = ops.transpose().context("cannot serve")?.unzip();
    let streams = Streams::new(newest, config.limits.stream_idle_timeout);
    let cors = CrossOrigin::new(config.http.cors_origins.clone());

    let ops_at = if ops.is_some() { http::Ops::Elsewhere } else { http::Ops::Here };
    let app = move || http::app(shared.clone(), streams.clone(), cors.clone(), ops_at);
    let (keep_alive, grace) = (config.limits.keep_alive, config.http.shutdown_grace);
    let door = Door::of(&listener).context("cannot serve")?;
    let connections = Connections::none();
    let opened = connections.clone();
    let server = HttpServer::new(app)
        .disable_signals()
        .client_request_timeout(config.limits.head_timeout)
        .client_disconnect_timeout(LINGER)
        .keep_alive(keep_alive)
        .max_connections(max_connections.div_ceil(workers))
        .workers(workers)
        .on_connect(move |connection, data| {
            patience.watch(connection, data);
            data.insert(opened.opened());
        })
        .shutdown_timeout(whole_seconds(grace.saturating_sub(keep_alive)))
        .listen(listener)
        .context("cannot serve")?
        .run();
    let end = Ending { server: server.handle(), door, connections, patience: grace.min(keep_alive) };
    let stop = tokio::spawn(stop_when_told(signals, end, lifecycle));
    greet(address, ops_address, &config);
    server.await.context("the server failed")?;
    background.stop(FLUSH).await;
    if let Some(ops) = ops {
        ops.stop().await;
    }
    stop.abort();
    tidying.abort();
    info!("stopped");
    Ok(())
}

/// How long a connection is kept whose client does nothing with it.
fn patience(config: &LimitsConfig) -> Patience {
    Patience { ask: config.keep_alive + config.head_timeout, read: config.stream_idle_timeout }
}

/// The server counts in whole seconds; what is asked for is the least that it gives.
fn whole_seconds(grace: Duration) -> u64 {
    grace.as_secs() + u64::from(grace.subsec_nanos() > 0)
}

/// Takes the address, before anything else is touched: two programs on one address are a mistake.
pub(crate) fn listen(address: SocketAddr, setting: &'static str) -> Result<TcpListener, Failure> {
    let bound = bind(address).with_context(|| format!("cannot listen on {address}"));
    bound.map_err(|error| Failure::setting(setting, error))
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// Says where the program is to be found, where its data are, and what to try first.
fn greet(address: SocketAddr, ops: Option<SocketAddr>, config: &Config) {
    let say = |line: String| tell(io::stdout(), &line);
    say(format!("Roster listens on http://{address}"));
    if let Some(ops) = ops {
        say(format!("Health and measurements are at http://{ops}"));
    }
    say(format!("Users are kept in {}", config.database.url));
    let credential =
        if config.access.asks_for_credentials() { "-H 'Authorization: Bearer …' " } else { "" };
    say(format!("Try: curl -i http://{address}/api/v1/users {credential}--json '{FIRST_USER}'"));
}

/// Tells everyone, once the program is told to stop; a second time, it ends at once.
async fn stop_when_told(mut signals: Signals, ending: Ending, lifecycle: Lifecycle) {
    signals.next().await;
    info!("stopping: requests in flight may finish");
    lifecycle.stop();
    tokio::spawn(ending.run());
    signals.next().await;
    warn!("told twice to stop: ending at once");
    logging::finish();
    std::process::exit(1);
}

/// How the server comes to its end without losing a request.
struct Ending {
    server: ServerHandle,
    door: Door,
    connections: Connections,
    /// How long a client that keeps its connection is given to ask once more, and hear that it is the last time: as
    /// long as the server keeps a connection on which nothing is asked.
    patience: Duration,
}

impl Ending {
    async fn run(self) {
        sleep(UNREADY).await;
        self.door.close(&self.server).await;
        // Each connection ends with its next answer, or when it was idle for long. The server would rather end
        // all that are idle at once, those among them whose next request is on its way.
        let _ = timeout(self.patience, self.connections.closed()).await;
        self.server.stop(true).await;
    }
}
