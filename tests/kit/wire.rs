//! A way to a PostgreSQL that sees what is prepared there, and counts what is done.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Url;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Passes on whatever is said, in the clear, keeps the text of each statement that a client has prepared, and counts those
/// that are done.
pub(crate) struct Wire {
    url: String,
    seen: Arc<Seen>,
    listener: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    prepared: Mutex<Vec<String>>,
    done: AtomicUsize,
}

impl Wire {
    /// A way to the database of this URL.
    pub(crate) async fn to(url: &str) -> Self {
        let mut url = Url::parse(url).expect("a URL");
        let target = format!("{}:{}", url.host_str().expect("a host"), url.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address: SocketAddr = listener.local_addr().expect("a bound listener has an address");
        url.set_ip_host(address.ip()).expect("the URL has a host");
        url.set_port(Some(address.port())).expect("the URL has a port");
        url.query_pairs_mut().append_pair("sslmode", "disable");
        let seen = Arc::<Seen>::default();
        let kept = Arc::clone(&seen);
        let listener = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, target.clone(), kept.clone()));
            }
        });
        Self { url: url.into(), seen, listener }
    }

    /// The URL of the database by this way.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What was prepared since this was asked last.
    pub(crate) fn prepared(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.prepared.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many prepared statements were done since this was asked last.
    pub(crate) fn take_done(&self) -> usize {
        self.seen.done.swap(0, Ordering::Relaxed)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn pass(client: TcpStream, target: String, seen: Arc<Seen>) -> Option<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = TcpStream::connect(target).await.ok()?.into_split();
    tokio::spawn(async move { copy(&mut from_server, &mut to_client).await });
    // The first message of a session has no type; without TLS there is none before it.
    let begin = message(&mut from_client, vec![]).await?;
    to_server.write_all(&begin).await.ok()?;
    loop {
        let message = message(&mut from_client, vec![0]).await?;
        if message[0] == b'P' {
            // A type, a length, a name, and the text; each of the last two ends with a zero.
            let text = message[5..].split(|&byte| byte == 0).nth(1).expect("a statement has a text");
            let text = String::from_utf8_lossy(text).into_owned();
            seen.prepared.lock().unwrap_or_else(PoisonError::into_inner).push(text);
        }
        if message[0] == b'B' {
            seen.done.fetch_add(1, Ordering::Relaxed);
        }
        to_server.write_all(&message).await.ok()?;
    }
}

/// The next message, whole: its type, where there is room for one, and what its length counts.
async fn message(from: &mut OwnedReadHalf, mut message: Vec<u8>) -> Option<Vec<u8>> {
    from.read_exact(&mut message).await.ok()?;
    let length = from.read_u32().await.ok()?;
    message.extend(length.to_be_bytes());
    let begun = message.len();
    message.resize(begun + usize::try_from(length).ok()? - 4, 0);
    from.read_exact(&mut message[begun..]).await.ok()?;
    Some(message)
}
