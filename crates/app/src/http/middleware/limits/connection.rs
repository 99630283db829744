//! What a client may do with a connection: ask for something now and then, and read what it is answered. The
//! server itself watches the head of a connection's first request, and nothing after it.

use std::any::Any;
use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Extensions, ServiceResponse};
use actix_web::rt::{self, task::JoinHandle};
use actix_web::web::Bytes;
use rustix::net::sockopt::set_socket_linger;
use rustix::net::{Shutdown, shutdown};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use crate::http::middleware::framing::Framing;

/// How long clients may leave a connection as it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// From an answer, or the start, until the whole head of the next request is there.
    pub ask: Duration,
    /// With something that was sent to them and that they do not read.
    pub read: Duration,
}

impl Patience {
    /// Watches a connection from here on; it takes its first bytes after this.
    pub(crate) fn watch(self, connection: &dyn Any, data: &mut Extensions) {
        let Some(stream) = connection.downcast_ref::<TcpStream>() else { return };
        if let Err(error) = cut_off_when_unread(stream, self.read) {
            warn!(%error, "a client that reads nothing will not be cut off");
        }
        match Watched::begin(stream, self.ask) {
            Ok(watched) => drop(data.insert(watched)),
            Err(error) => warn!(%error, "a client that asks for nothing will not be cut off"),
        }
    }
}

/// Has the system end a connection whose client leaves what it is sent unread, for as long as that. A server
/// sees nothing of such a client: it waits for room to send more, and would wait for ever.
fn cut_off_when_unread(stream: &TcpStream, patience: Duration) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        let millis = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX);
        rustix::net::sockopt::set_tcp_user_timeout(stream, millis)?;
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (stream, patience);
    Ok(())
}

/// A connection, and whoever looks after it for as long as it is there.
struct Watched {
    connection: Rc<Connection>,
    watcher: JoinHandle<()>,
}

struct Connection {
    /// The server's socket, by another name.
    socket: OwnedFd,
    busy: Cell<usize>,
    idle_since: Cell<Instant>,
}

impl Watched {
    fn begin(stream: &TcpStream, patience: Duration) -> io::Result<Self> {
        let socket = stream.as_fd().try_clone_to_owned()?;
        let connection =
            Rc::new(Connection { socket, busy: Cell::new(0), idle_since: Cell::new(Instant::now()) });
        let watcher = rt::spawn(watch(Rc::downgrade(&connection), patience));
        Ok(Self { connection, watcher })
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

/// Ends a connection that is idle for too long.
async fn watch(connection: Weak<Connection>, patience: Duration) {
    loop {
        let idle_since = match connection.upgrade() {
            None => return,
            Some(connection) if connection.busy.get() > 0 => Instant::now(),
            Some(connection) => connection.idle_since.get(),
        };
        if idle_since + patience <= Instant::now() {
            break;
        }
        sleep_until(idle_since + patience).await;
    }
    if let Some(connection) = connection.upgrade() {
        connection.hear_no_more();
    }
}

impl Connection {
    /// For the server, the client has said its last word: it sends what is left to send, and closes.
    fn hear_no_more(&self) {
        if let Err(error) = shutdown(&self.socket, Shutdown::Read) {
            warn!(%error, "a client that sends nothing is not cut off");
        }
    }
}

/// A request under way on a connection, until the last of its answer was handed to the server.
pub(in crate::http) struct Busy(Rc<Connection>);

impl Busy {
    pub(in crate::http) fn on(request: &HttpRequest) -> Option<Self> {
        let connection = request.conn_data::<Watched>()?.connection.clone();
        connection.busy.set(connection.busy.get() + 1);
        Some(Self(connection))
    }

    /// Goes on for as long as the body of an answer is made while it is sent. Where nothing but the end of the
    /// connection says that it is whole, one that is broken off ends as no whole one does.
    pub(in crate::http) fn until_sent(
        busy: Option<Self>,
        framing: Framing,
        answer: ServiceResponse<BoxBody>,
    ) -> ServiceResponse<BoxBody> {
        answer.map_body(|_, body| match body.size() {
            BodySize::Stream => BoxBody::new(Sent { body, busy, is_cut: framing.is_bare(), framing }),
            BodySize::None | BodySize::Sized(_) => {
                hear_no_more_of(busy.as_ref(), &framing);
                body
            }
        })
    }

    /// Waits no longer for the rest of a request that is answered already.
    pub(in crate::http) fn hear_no_more(&self) {
        self.0.hear_no_more();
    }

    /// Has the connection reset, in place of ended, when it is closed.
    fn reset_in_the_end(&self) {
        if let Err(error) = set_socket_linger(&self.0.socket, Some(Duration::ZERO)) {
            warn!(%error, "a client takes a part of an answer for the whole");
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.set(self.0.busy.get() - 1);
        self.0.idle_since.set(Instant::now());
    }
}

/// Has the connection end with an answer that is made, if there is nothing left that its client could say.
fn hear_no_more_of(busy: Option<&Busy>, framing: &Framing) {
    if let Some(busy) = busy
        && framing.is_said()
    {
        busy.hear_no_more();
    }
}

/// A body that is made while it is sent.
struct Sent {
    body: BoxBody,
    busy: Option<Busy>,
    framing: Framing,
    /// Whether the client takes what it has for the whole, as the connection ends.
    is_cut: bool,
}

impl MessageBody for Sent {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let next = self.body.as_pin_mut().poll_next(context);
        if let Poll::Ready(None) = next {
            self.is_cut = false;
            hear_no_more_of(self.busy.as_ref(), &self.framing);
        }
        next
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        if let Some(busy) = &self.busy
            && self.is_cut
        {
            busy.reset_in_the_end();
        }
    }
}
