//! A stand-in for a remote service, which answers as a test tells it to, or not at all.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// What a request is answered with.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// These bytes, and the connection ends.
    Bytes(Vec<u8>),
    /// These bytes, one at a time.
    Dripped(Vec<u8>),
    /// These bytes a second later, and the connection ends.
    Late(Vec<u8>),
    /// Nothing, for as long as the client waits.
    Nothing,
    /// The connection is reset.
    Reset,
}

impl Reply {
    /// An answer of JSON.
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::with(status, "content-type: application/json\r\n", body)
    }

    /// An answer with these header lines.
    pub(crate) fn with(status: u16, headers: &str, body: &str) -> Self {
        let head = format!(
            "HTTP/1.1 {status} Said\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        Self::Bytes((head + body).into_bytes())
    }

    /// The same, slowly.
    pub(crate) fn dripped(self) -> Self {
        match self {
            Self::Bytes(bytes) => Self::Dripped(bytes),
            other => other,
        }
    }

    /// The same, late.
    pub(crate) fn late(self) -> Self {
        match self {
            Self::Bytes(bytes) => Self::Late(bytes),
            other => other,
        }
    }
}

/// A server on a port of its own.
pub(crate) struct StandIn {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    listener: JoinHandle<()>,
}

/// What to answer a request with, by its head.
type Answering = Box<dyn FnMut(&str) -> Reply + Send>;

struct State {
    answering: Answering,
    requests: Vec<String>,
}

impl StandIn {
    /// Answers the first request with the first of `replies`, and so on; the last answers all that come after.
    pub(crate) async fn answering(replies: impl IntoIterator<Item = Reply>) -> Self {
        let mut replies: VecDeque<_> = replies.into_iter().collect();
        Self::by(move |_| {
            if replies.len() > 1 { replies.pop_front() } else { replies.front().cloned() }
                .unwrap_or(Reply::Reset)
        })
        .await
    }

    /// Answers each request as its head says.
    pub(crate) async fn by(answering: impl FnMut(&str) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("a bound listener has an address");
        let answering: Answering = Box::new(answering);
        let state = Arc::new(Mutex::new(State { answering, requests: Vec::new() }));
        let shared = state.clone();
        let listener = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, shared.clone()));
            }
        });
        Self { address, state, listener }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The heads of the requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    /// Answers everything so from here on.
    pub(crate) fn answer(&self, reply: Reply) {
        self.state().answering = Box::new(move |_| reply.clone());
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let reply = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let head = String::from_utf8_lossy(&head).into_owned();
        let reply = (state.answering)(&head);
        state.requests.push(head);
        reply
    };
    if let Reply::Late(_) = reply {
        sleep(Duration::from_secs(1)).await;
    }
    // A client that is gone in the meantime has no use for the rest.
    match reply {
        Reply::Bytes(bytes) | Reply::Late(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Reply::Dripped(bytes) => {
            for byte in bytes {
                if stream.write_all(&[byte]).await.is_err() {
                    return;
                }
                sleep(Duration::from_millis(50)).await;
            }
        }
        Reply::Nothing => {
            let _ = stream.read_u8().await;
        }
        Reply::Reset => {
            let _ = stream.set_zero_linger();
        }
    }
}
