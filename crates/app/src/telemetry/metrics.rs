//! Where the crates' measurements come together.

use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tokio::time::interval;

/// The upper bounds of histograms of durations, in seconds.
const DURATIONS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0];

/// All measurements of this program.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Collects what is measured from here on, by whatever crate.
    pub(crate) fn collect() -> Result<Self, BuildError> {
        Ok(Self(builder()?.install_recorder()?))
    }

    /// The measurements, in the text format of Prometheus.
    pub(crate) fn render(&self) -> String {
        self.0.render()
    }

    /// Keeps what was measured from growing between two readings, until it is dropped.
    pub(crate) async fn tidy(self) {
        let mut every = interval(Duration::from_secs(5));
        loop {
            every.tick().await;
            self.0.run_upkeep();
        }
    }
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new().set_buckets(&DURATIONS)
}

#[cfg(test)]
impl Default for Metrics {
    /// Collects nothing.
    fn default() -> Self {
        Self(PrometheusBuilder::new().build_recorder().handle())
    }
}
