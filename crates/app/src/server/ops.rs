//! Health and measurements at an address of their own: a small server beside the one of the API. What that one's
//! clients take of it, this one has, and it is there to the end: whoever asks hears that the program is stopping for
//! as long as that takes.
//!
//! It asks for no credentials on whatever address, as nothing of a user's can be read or changed here. Who may
//! come to that address is for whoever sets it.

use std::io;
use std::net::{SocketAddr, TcpListener};

use actix_web::HttpServer;
use actix_web::dev::ServerHandle;
use tokio::task::JoinHandle;

use super::LINGER;
use crate::config::LimitsConfig;
use crate::http::{self, Patience, Shared};

/// How many connections are served at once: some that probe, and some that read measurements.
pub(super) const CONNECTIONS: usize = 64;

/// How long answers under way may take to be sent, once all else has ended, in seconds.
const GRACE: u64 = 1;

/// The server of health and measurements.
pub(super) struct Ops {
    server: ServerHandle,
    serving: JoinHandle<io::Result<()>>,
}

impl Ops {
    /// Serves on the calling thread's runtime until it is told to stop; tells where.
    pub(super) fn serve(
        listener: TcpListener,
        shared: Shared,
        limits: &LimitsConfig,
        patience: Patience,
    ) -> io::Result<(SocketAddr, Self)> {
        let address = listener.local_addr()?;
        let server = HttpServer::new(move || http::ops(shared.clone()))
            .disable_signals()
            .client_request_timeout(limits.head_timeout)
            .client_disconnect_timeout(LINGER)
            .keep_alive(limits.keep_alive)
            .max_connections(CONNECTIONS)
            .workers(1)
            .on_connect(move |connection, data| patience.watch(connection, data))
            .shutdown_timeout(GRACE)
            .listen(listener)?
            .run();
        Ok((address, Self { server: server.handle(), serving: tokio::spawn(server) }))
    }

    /// Ends it, answers under way first.
    pub(super) async fn stop(self) {
        self.server.stop(true).await;
        // How it ended makes no difference any more.
        let _ = self.serving.await;
    }
}
