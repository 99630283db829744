//! A connection on which the test itself writes the bytes.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Interest};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::answer::Answer;
use super::http::Http;

const PATIENCE: Duration = Duration::from_secs(60);

/// A connection to a service, kept alive.
pub(crate) struct Raw(BufReader<TcpStream>);

impl Raw {
    /// Connects.
    pub(crate) async fn to(http: &Http) -> Self {
        Self::attempt(http).await.expect("the service accepts a connection")
    }

    /// Connects; or tells why there is nobody.
    pub(crate) async fn attempt(http: &Http) -> std::io::Result<Self> {
        let stream = TcpStream::connect(http.address()).await?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Connects as a client that has little room for what it leaves unread.
    pub(crate) async fn reading_little(http: &Http) -> Self {
        let socket = TcpSocket::new_v4().expect("there are sockets");
        socket.set_recv_buffer_size(4_096).expect("the option can be set");
        let address = http.address().parse().expect("an address");
        Self(BufReader::new(socket.connect(address).await.expect("the service accepts a connection")))
    }

    /// Reads on until the connection ends, in whatever way, and tells how many bytes that were.
    pub(crate) async fn ends_within(&mut self, patience: Duration) -> usize {
        self.rest_within(patience).await.len()
    }

    /// What still comes until the connection ends.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        self.rest_within(PATIENCE).await
    }

    /// What still comes until the connection ends; or how it is broken off.
    pub(crate) async fn whole(&mut self) -> std::io::Result<Vec<u8>> {
        let mut whole = Vec::new();
        timeout(PATIENCE, self.0.read_to_end(&mut whole)).await.expect("the connection ends")?;
        Ok(whole)
    }

    async fn rest_within(&mut self, patience: Duration) -> Vec<u8> {
        let mut rest = Vec::new();
        // A connection that was reset ends with an error, and what came before it counts.
        let _ = timeout(patience, self.0.read_to_end(&mut rest)).await.expect("the connection ends");
        rest
    }

    /// Whether the connection has ended, as far as can be told without reading.
    pub(crate) async fn has_ended(&self) -> bool {
        let ended = self.0.get_ref().ready(Interest::READABLE | Interest::ERROR);
        let ready = timeout(Duration::ZERO, ended).await;
        ready.is_ok_and(|ready| ready.is_ok_and(|ready| ready.is_read_closed() || ready.is_error()))
    }

    /// Reads on until the connection ends, and passes over what still comes.
    pub(crate) async fn ends(&mut self) {
        self.ends_within(PATIENCE).await;
    }

    /// Writes these bytes.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.expect("the service reads");
    }

    /// Writes these bytes; or tells why nobody reads them.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.0.write_all(bytes.as_ref()).await
    }

    /// Writes a request without a body.
    pub(crate) async fn ask(&mut self, method: &str, target: &str) -> std::io::Result<()> {
        let head = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        self.0.write_all(head.as_bytes()).await
    }

    /// Reads one answer; `None` where the connection was closed instead.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        timeout(PATIENCE, self.read()).await.expect("the service answers")
    }

    /// The status with which the connection is ended, where the server refuses what it read before that was a
    /// request: there is no body then. `None` where it is ended without a word.
    pub(crate) async fn refusal(&mut self) -> Option<u16> {
        let refusal = async {
            let status = self.line().await?.split(' ').nth(1)?.parse().ok();
            while let Some(line) = self.line().await {
                assert!(line.is_empty() || line.contains(": "), "a refusal has a body: {line}");
            }
            status
        };
        timeout(PATIENCE, refusal).await.expect("the connection ends")
    }

    /// Drops the connection so that the service sees a reset, as from a client that crashed.
    pub(crate) fn reset(self) {
        let stream = self.0.into_inner();
        stream.set_zero_linger().expect("the option can be set");
    }

    async fn read(&mut self) -> Option<Answer> {
        let status = self.line().await?.split(' ').nth(1)?.parse().ok()?;
        let mut headers = HeaderMap::new();
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.append(name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value.trim()).ok()?);
        }
        let length = headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
        let mut body = vec![0; length.unwrap_or_default()];
        self.0.read_exact(&mut body).await.ok()?;
        Some(Answer::new("a request by hand".to_owned(), status, headers, body))
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.0.read_line(&mut line).await.ok()?;
        (read > 0).then(|| line.trim_end().to_owned())
    }
}
