//! A network between the service and a server, which a test can break, slow down or narrow.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Url;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open(Pace),
    Cut,
    Silent,
}

/// How slowly something is passed on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Pace {
    /// Before each piece, in each direction.
    delay: Duration,
    /// For each byte of it.
    a_byte: Duration,
}

/// Passes on whatever is sent to it, while it is open.
pub(crate) struct Gateway {
    address: SocketAddr,
    target: watch::Sender<String>,
    state: watch::Sender<State>,
    listener: JoinHandle<()>,
}

impl Gateway {
    /// An open way to the server of this URL.
    pub(crate) async fn to(url: &str) -> Self {
        let (target, led) = watch::channel(host_and_port(url));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("a bound listener has an address");
        let (state, watched) = watch::channel(State::Open(Pace::default()));
        let listener = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connect(client, led.borrow().clone(), watched.clone()));
            }
        });
        Self { address, target, state, listener }
    }

    /// Has new connections lead to the server of this URL.
    pub(crate) fn lead_to(&self, url: &str) {
        self.target.send_replace(host_and_port(url));
    }

    /// The same URL, by way of this gateway.
    pub(crate) fn url(&self, url: &str) -> String {
        let mut url = Url::parse(url).expect("a URL");
        url.set_ip_host(self.address.ip()).expect("the URL has a host");
        url.set_port(Some(self.address.port())).expect("the URL has a port");
        url.into()
    }

    /// The same URL by way of this gateway or, where that leads to nothing, without it.
    pub(crate) fn url_or_without(&self, url: &str) -> String {
        let without = Url::parse(url).expect("a URL");
        let (host, port) = (without.host_str().expect("a host"), without.port().unwrap_or(5432));
        let address = self.address.to_string();
        self.url(url).replace(&address, &format!("{address},{host}:{port}"))
    }

    /// Ends every connection, and each new one as soon as it is made.
    pub(crate) fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    /// Passes nothing on, and ends nothing: nobody is told.
    pub(crate) fn silence(&self) {
        self.state.send_replace(State::Silent);
    }

    /// Passes on each piece of what comes so much later.
    pub(crate) fn delay(&self, delay: Duration) {
        self.state.send_replace(State::Open(Pace { delay, ..Pace::default() }));
    }

    /// Passes on no more than so many bytes a second, for each connection and direction.
    pub(crate) fn narrow(&self, bytes_a_second: u32) {
        let a_byte = Duration::from_secs(1) / bytes_a_second;
        self.state.send_replace(State::Open(Pace { a_byte, ..Pace::default() }));
    }

    /// Passes on whatever comes.
    pub(crate) fn open(&self) {
        self.state.send_replace(State::Open(Pace::default()));
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

fn host_and_port(url: &str) -> String {
    let url = Url::parse(url).expect("a URL");
    let usual = if url.scheme() == "nats" { 4222 } else { 5432 };
    format!("{}:{}", url.host_str().expect("a host"), url.port().unwrap_or(usual))
}

async fn connect(client: TcpStream, target: String, state: watch::Receiver<State>) {
    let mut cut = state.clone();
    let pass = async {
        let mut state = state;
        state.wait_for(|state| matches!(state, State::Open(_))).await.ok()?;
        let server = TcpStream::connect(target).await.ok()?;
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::select! {
            () = pass_on(from_client, to_server, state.clone()) => {}
            () = pass_on(from_server, to_client, state) => {}
        }
        Some(())
    };
    tokio::select! {
        _ = cut.wait_for(|state| *state == State::Cut) => {}
        _ = pass => {}
    }
}

async fn pass_on(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut state: watch::Receiver<State>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        dawdle(&mut state, read).await;
        if state.wait_for(|state| matches!(state, State::Open(_))).await.is_err()
            || to.write_all(&buffer[..read]).await.is_err()
        {
            return;
        }
    }
}

/// Waits as long as so many bytes take, or until something changes.
async fn dawdle(state: &mut watch::Receiver<State>, bytes: usize) {
    let State::Open(Pace { delay, a_byte }) = *state.borrow_and_update() else { return };
    let pause = delay + a_byte * u32::try_from(bytes).unwrap_or(u32::MAX);
    if !pause.is_zero() {
        tokio::select! {
            () = sleep(pause) => {}
            _ = state.changed() => {}
        }
    }
}
