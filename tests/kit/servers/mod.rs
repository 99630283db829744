//! The servers that tests use: where they are found, how they are started, and how they are taken down.

mod docker;
mod nats;
mod pgbouncer;
mod postgres;
mod programs;

use std::hash::{BuildHasher, RandomState};
use std::net::TcpListener;
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) use nats::{NatsServer, URL as NATS_URL, options};
pub(crate) use pgbouncer::PgBouncer;
pub(crate) use postgres::PostgresServer;
pub(super) use programs::stop_clusters;

use super::folder::Folder;

/// Removes what dead runs left outside of their folders.
pub(super) async fn sweep(dead: &[String]) {
    docker::sweep().await;
    if !dead.is_empty() {
        postgres::sweep(dead).await;
    }
}

/// Removes what an interrupted run has started, or was about to.
pub(super) async fn remove_all(folder: &Folder) {
    docker::remove_all(folder).await;
    stop_clusters(folder.path());
}

/// Tests make thousands of connections, and to prove a password by SCRAM takes a debug build longer than most
/// tests. On the loopback address the password itself is as good.
const PLAIN: &str = "password";

/// Where ports are that Linux, as it is set up mostly, gives to nobody who asks for any, and how many: what is free there
/// now is still free when its server starts.
const FIRST_PORT: u16 = 10_000;
const PORTS: u64 = 20_000;

/// A port of the loopback address that is free, and another each time. Where a run begins to look is chance, so that two
/// at one time hardly find the same.
fn free_port() -> u16 {
    static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(RandomState::new().hash_one(())));
    let from_next = (0..PORTS).map(|_| NEXT.fetch_add(1, Ordering::Relaxed) % PORTS);
    let mut ports = from_next.filter_map(|nth| Some(FIRST_PORT + u16::try_from(nth).ok()?));
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a port is free")
}

/// A program on the `PATH`.
fn on_path(program: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|program| is_file(program))
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file())
}
