//! Where clients come in, and how it is closed while some are on their way in.
//!
//! To the client a connection is there, and may carry its request, as soon as the system has shaken hands on it:
//! before the server has accepted it. A socket that is closed with such connections before it resets them. So the
//! system first begins no new ones, those that it has begun are accepted, and only then it refuses.

use std::io;
use std::net::{Shutdown, TcpListener};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::Socket;
use tokio::time::{Instant, sleep};
use tracing::warn;

/// How long a handshake that was begun is given to be finished: longer than a packet travels there and back.
const HANDSHAKE: Duration = Duration::from_millis(200);

/// How long the server is given to accept whoever is there, however busy it is.
const ACCEPT: Duration = Duration::from_secs(2);

/// A listening socket that the server accepts from.
pub(super) struct Door(Socket);

impl Door {
    pub(super) fn of(listener: &TcpListener) -> io::Result<Self> {
        Ok(Self(listener.try_clone()?.into()))
    }

    /// Lets those in who are before it, and refuses all others.
    pub(super) async fn close(&self, server: &ServerHandle) {
        if let Err(error) = self.begin_no_handshake() {
            warn!(%error, "clients that connect at this moment may be cut off");
        }
        sleep(HANDSHAKE).await;
        let late = Instant::now() + ACCEPT;
        while self.is_somebody_before_it() && Instant::now() < late {
            sleep(Duration::from_millis(5)).await;
        }
        // So that it does not wonder about a socket that listens no longer.
        server.pause().await;
        sleep(Duration::from_millis(20)).await;
        if let Err(error) = self.0.shutdown(Shutdown::Read) {
            warn!(%error, "clients are not refused before the end");
        }
    }

    /// Has the system leave whoever would begin a connection without an answer. They ask again after a second
    /// (RFC 6298 §2), and are refused by then; or somebody else listens here.
    #[cfg(target_os = "linux")]
    fn begin_no_handshake(&self) -> io::Result<()> {
        use socket2::SockFilter;

        /// In the 14th byte of a segment (RFC 9293 §3.1).
        const SYN: u32 = 0x02;
        const ACK: u32 = 0x10;
        // In the language of `man 7 socket`, SO_ATTACH_FILTER; the segment begins at 0.
        let load_flags = SockFilter::new(0x30, 0, 0, 13);
        let keep_both = SockFilter::new(0x54, 0, 0, SYN | ACK);
        let unless_first = SockFilter::new(0x15, 0, 1, SYN);
        let (drop, take) = (SockFilter::new(0x06, 0, 0, 0), SockFilter::new(0x06, 0, 0, u32::MAX));
        self.0.attach_filter(&[load_flags, keep_both, unless_first, drop, take])
    }

    #[cfg(not(target_os = "linux"))]
    fn begin_no_handshake(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn is_somebody_before_it(&self) -> bool {
        let mut waiting = [PollFd::new(&self.0, PollFlags::IN)];
        poll(&mut waiting, Some(&Timespec::default())).is_ok_and(|found| found > 0)
    }
}
