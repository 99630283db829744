//! How the program is told to stop: SIGTERM and SIGINT.

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::telemetry::logging;

/// What comes of both from when this was made, though nobody asked for it yet.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let taken = |kind| signal(kind).context("cannot take signals");
        Ok(Self { terminate: taken(SignalKind::terminate())?, interrupt: taken(SignalKind::interrupt())? })
    }

    pub(crate) async fn next(&mut self) -> SignalKind {
        tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.interrupt.recv() => SignalKind::interrupt(),
        }
    }

    /// Ends the program with the next one, after `clean_up`, and with the status that a shell gives to what a signal
    /// ended. The first process of a container is ended by no signal that it does not take. A task of its own waits
    /// for it, as the work may be held up by a reader.
    pub(crate) fn end_with_next(mut self, clean_up: impl FnOnce() + Send + 'static) {
        tokio::spawn(async move {
            let signal = self.next().await;
            clean_up();
            logging::finish();
            std::process::exit(128 + signal.as_raw_value());
        });
    }
}
