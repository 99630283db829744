//! A request that is answered while it is sent.

use std::time::Duration;

use bytes::BytesMut;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use super::http::Http;

const PATIENCE: Duration = Duration::from_secs(100);

/// What is sent: whatever the test likes, when it likes.
pub(crate) struct Upload(OwnedWriteHalf);

/// What is answered, line by line.
pub(crate) struct Download {
    stream: BufReader<OwnedReadHalf>,
    head: Vec<String>,
    plain: BytesMut,
    /// Held open, where nothing more is to be sent.
    _asked: Option<OwnedWriteHalf>,
}

/// What comes next of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Next {
    Line(Value),
    /// The answer is whole.
    End,
    /// The connection ended before the answer did.
    Broken,
}

impl Upload {
    /// Begins a request with these header lines, whose length is not known beforehand.
    pub(crate) async fn begin(http: &Http, target: &str, headers: &str) -> (Self, Download) {
        let stream = TcpStream::connect(http.address()).await.expect("the service accepts a connection");
        stream.set_nodelay(true).expect("the option can be set");
        let (read, mut write) = stream.into_split();
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        write.write_all(head.as_bytes()).await.expect("the service reads");
        let stream = BufReader::new(read);
        (Self(write), Download { stream, head: Vec::new(), plain: BytesMut::new(), _asked: None })
    }

    /// Sends a part.
    pub(crate) async fn send(&mut self, part: impl AsRef<[u8]>) -> std::io::Result<()> {
        let part = part.as_ref();
        let chunk = [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat();
        self.0.write_all(&chunk).await
    }

    /// Says that this was all.
    pub(crate) async fn finish(&mut self) {
        self.0.write_all(b"0\r\n\r\n").await.expect("the service reads");
    }

    /// Drops the connection so that the service sees a reset.
    pub(crate) fn reset(self, download: Download) {
        let read = download.stream.into_inner();
        let stream = read.reunite(self.0).expect("both are of one connection");
        stream.set_zero_linger().expect("the option can be set");
    }
}

impl Download {
    /// Asks for something with these header lines.
    pub(crate) async fn get(http: &Http, target: &str, headers: &str) -> Self {
        let stream = TcpStream::connect(http.address()).await.expect("the service accepts a connection");
        let (read, mut write) = stream.into_split();
        let head = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n");
        write.write_all(head.as_bytes()).await.expect("the service reads");
        Self { stream: BufReader::new(read), head: Vec::new(), plain: BytesMut::new(), _asked: Some(write) }
    }

    /// What comes next.
    pub(crate) async fn next(&mut self) -> Next {
        timeout(PATIENCE, self.read()).await.expect("the service goes on, or ends")
    }

    /// Whether nothing comes for so long.
    pub(crate) async fn is_silent(&self, time: Duration) -> bool {
        timeout(time, self.stream.get_ref().readable()).await.is_err()
    }

    /// All lines that are still to come of an answer that is to be whole.
    pub(crate) async fn rest(&mut self) -> Vec<Value> {
        let mut lines = Vec::new();
        loop {
            match self.next().await {
                Next::Line(line) => lines.push(line),
                Next::End => return lines,
                Next::Broken => panic!("the answer is broken off after {} lines", lines.len()),
            }
        }
    }

    async fn read(&mut self) -> Next {
        self.read_head().await;
        loop {
            if let Some(end) = self.plain.iter().position(|byte| *byte == b'\n') {
                let line = self.plain.split_to(end + 1);
                return Next::Line(serde_json::from_slice(&line).expect("a line is JSON"));
            }
            match self.chunk().await {
                Ok(chunk) if chunk.is_empty() => return Next::End,
                Ok(chunk) => self.plain.extend(chunk),
                Err(_) => return Next::Broken,
            }
        }
    }

    async fn read_head(&mut self) {
        while self.head.last().is_none_or(|line| !line.is_empty()) {
            let mut line = String::new();
            self.stream.read_line(&mut line).await.expect("there is an answer");
            self.head.push(line.trim_end().to_owned());
        }
        assert!(self.head[0].starts_with("HTTP/1.1 200 "), "{:?}", self.head);
        let chunked = |line: &String| line.eq_ignore_ascii_case("transfer-encoding: chunked");
        assert!(self.head.iter().any(chunked), "{:?}", self.head);
    }

    async fn chunk(&mut self) -> std::io::Result<Vec<u8>> {
        let mut length = String::new();
        self.stream.read_line(&mut length).await?;
        let length = usize::from_str_radix(length.trim(), 16).map_err(std::io::Error::other)?;
        let mut chunk = vec![0; length + 2];
        self.stream.read_exact(&mut chunk).await?;
        chunk.truncate(length);
        Ok(chunk)
    }
}
