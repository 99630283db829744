use anyhow::Context;
use tokio::runtime::{Builder, Runtime};

/// The runtime of what does not belong to a worker of the server.
pub(crate) fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().context("cannot start")
}
