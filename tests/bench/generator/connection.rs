//! Requests as bytes, and what of their answers a client looks at.

use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::outcomes::Outcome;

/// A request, and which answer to it is right.
pub(crate) struct Asked {
    bytes: Vec<u8>,
    is_right: Box<dyn Fn(&Response<'_>) -> bool + Send + Sync>,
}

/// An answer.
pub(crate) struct Response<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a str,
    /// How long it took, from when the request was due.
    pub(crate) took: Duration,
}

/// A connection that is kept.
pub(super) struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Asked {
    /// A request with these lines in its head, each with its end, and with a JSON body, where it is not empty.
    pub(crate) fn new(
        method: &str,
        target: &str,
        lines: &str,
        body: &str,
        is_right: impl Fn(&Response<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        let about = if body.is_empty() {
            String::new()
        } else {
            format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len())
        };
        let head = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{about}{lines}\r\n");
        Self { bytes: [head, body.to_owned()].concat().into_bytes(), is_right: Box::new(is_right) }
    }
}

impl Connection {
    pub(super) async fn to(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, answer: Vec::with_capacity(8 * 1024) })
    }

    /// Sends a request that was due then, and reads the answer to its end.
    pub(super) async fn exchange(&mut self, asked: &Asked, due: Instant) -> io::Result<Outcome> {
        self.stream.write_all(&asked.bytes).await?;
        self.answer.clear();
        loop {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some((status, body)) = whole(&self.answer)? {
                let response = Response { status, body, took: due.elapsed() };
                return Ok(Outcome::of(&response, (asked.is_right)(&response)));
            }
        }
    }
}

/// The status and the body of an answer, once it is there to its end.
fn whole(answer: &[u8]) -> io::Result<Option<(u16, &str)>> {
    // What was read may end amid a character.
    let Ok(text) = str::from_utf8(answer) else { return Ok(None) };
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return Ok(None) };
    let status = head.get(9..12).and_then(|status| status.parse().ok());
    let status = status.ok_or(io::ErrorKind::InvalidData)?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or_default();
    Ok((body.len() >= length).then_some((status, body)))
}
