//! A server of a few lines that answers what it is told to and remembers what it was asked.

use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Listens on the loopback until dropped with its runtime.
pub(crate) struct Upstream {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Upstream {
    /// Answers the request (its whole text, and its number from 0) with the whole text that `answer` gives.
    pub(crate) async fn start(answer: impl Fn(&str, usize) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (answer, requests) = (Arc::new(answer), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&answer), Arc::clone(&requests)));
            }
        });
        Self { url, seen }
    }

    /// Answers each request with 200 and its number.
    pub(crate) async fn counting() -> Self {
        Self::start(|_, number| ok(&number.to_string())).await
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

pub(crate) fn ok(body: &str) -> Vec<u8> {
    with("200 OK", "", body.as_bytes())
}

/// A response with more header lines, each ended by CRLF.
pub(crate) fn with(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

async fn serve(
    mut stream: TcpStream,
    answer: Arc<impl Fn(&str, usize) -> Vec<u8>>,
    seen: Arc<Mutex<Vec<String>>>,
) -> std::io::Result<()> {
    let mut text = Vec::new();
    while !is_whole(&text) {
        if stream.read_buf(&mut text).await? == 0 {
            return Ok(());
        }
    }
    let text = String::from_utf8_lossy(&text).into_owned();
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(text.clone());
        seen.len() - 1
    };
    let response = answer(&text, number);
    stream.write_all(&response).await?;
    stream.shutdown().await
}

fn is_whole(request: &[u8]) -> bool {
    let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let chunked = head.contains("transfer-encoding: chunked");
    let body = &request[end + 4..];
    if chunked { body.ends_with(b"0\r\n\r\n") } else { body.len() >= length.unwrap_or(0) }
}
