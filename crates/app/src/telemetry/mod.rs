//! How the program is seen from outside: its log, what is measured of it, and the traces of what it does.

mod described;
pub(crate) mod logging;
pub(crate) mod metrics;
mod otlp;
mod patient;
mod plain;
mod traced;
pub(crate) mod traces;

use std::sync::Arc;

use anyhow::Context;
use tokio::runtime::Handle;

use crate::config::Config;
use crate::failure::Failure;
use crate::wiring::Ports;
pub(crate) use metrics::Metrics;
use otlp::Otlp;
use traced::Traced;

/// The log, the measurements and the traces of a program that serves.
pub(crate) struct Telemetry {
    metrics: Metrics,
    otlp: Option<Otlp>,
    /// What the database is called in traces.
    database: &'static str,
}

impl Telemetry {
    /// Begins to log and to measure; and to send traces and measurements, where a collector is set. Those are sent
    /// on `runtime`.
    pub(crate) fn start(config: &Config, runtime: &Handle) -> Result<Self, Failure> {
        let endpoint = config.telemetry.otlp_endpoint.as_ref().filter(|_| !Otlp::is_disabled());
        let otlp = endpoint.map(|endpoint| Otlp::start(endpoint, runtime));
        let otlp = otlp.transpose()?;
        logging::start(&config.log, otlp.as_ref().map(Otlp::layer));
        let metrics = Metrics::collect(otlp.as_ref().map(Otlp::meter)).context("cannot measure")?;
        Ok(Self { metrics, otlp, database: config.database.url.system() })
    }

    /// The measurements.
    pub(crate) fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    /// The same ports; what is done by way of them is part of traces, where those are sent anywhere.
    pub(crate) fn traced(&self, ports: Ports) -> Ports {
        if self.otlp.is_none() {
            return ports;
        }
        let users = Arc::new(Traced::new(ports.users, self.database));
        Ports { users, ..ports }
    }

    /// Sends what is left, as far as that can be done in a few seconds. It waits, and so is not for a task.
    pub(crate) fn stop(self) {
        if let Some(otlp) = self.otlp {
            otlp.stop();
        }
    }
}
