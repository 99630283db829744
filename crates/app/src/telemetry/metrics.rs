//! Where the crates' measurements come together.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;
use opentelemetry::metrics::Meter;
use tokio::time::interval;

use super::described;
use super::otlp::Both;

/// The upper bounds of histograms of durations, in seconds.
const DURATIONS: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Those of what may wait for hours.
const LAGS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0];
const LAG: &str = "roster_inbound_event_lag_seconds";

/// The upper bounds of the histogram of this name.
pub(super) fn bounds(name: &str) -> &'static [f64] {
    if name == LAG { LAGS } else { DURATIONS }
}

/// Measures something that has a state, whenever the measurements are read.
pub(crate) type Gauge = Arc<dyn Fn() + Send + Sync>;

/// All measurements of this program.
#[derive(Clone)]
pub(crate) struct Metrics {
    scraped: PrometheusHandle,
    process: Collector,
    gauges: Arc<[Gauge]>,
}

impl Metrics {
    /// Collects what is measured from here on, by whatever crate; and has `sent` collect it too.
    pub(crate) fn collect(sent: Option<Meter>) -> anyhow::Result<Self> {
        let recorder = builder()?.build_recorder();
        let scraped = recorder.handle();
        let installed = match sent {
            None => metrics::set_global_recorder(recorder).map_err(|_| ()),
            Some(meter) => metrics::set_global_recorder(Both::new(recorder, meter)).map_err(|_| ()),
        };
        installed.map_err(|()| anyhow!("something else collects measurements already"))?;
        let process = Collector::default();
        process.describe();
        described::describe();
        Ok(Self { scraped, process, gauges: Arc::new([]) })
    }

    /// The same, with these gauges too.
    pub(crate) fn with(self, gauges: Vec<Gauge>) -> Self {
        Self { gauges: gauges.into(), ..self }
    }

    /// The measurements, in the text format of Prometheus.
    pub(crate) fn render(&self) -> String {
        self.read_gauges();
        self.scraped.render()
    }

    /// Keeps what was measured from growing between two readings, and gauges from standing still where they are
    /// sent and nobody asks for them, until it is dropped.
    pub(crate) async fn tidy(self) {
        let mut every = interval(Duration::from_secs(5));
        loop {
            every.tick().await;
            self.read_gauges();
            self.scraped.run_upkeep();
        }
    }

    fn read_gauges(&self) {
        self.process.collect();
        self.gauges.iter().for_each(|gauge| gauge());
    }
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new()
        .set_buckets(DURATIONS)?
        .set_buckets_for_metric(Matcher::Full(LAG.to_owned()), bounds(LAG))
}

#[cfg(test)]
impl Default for Metrics {
    /// Collects nothing.
    fn default() -> Self {
        let scraped = PrometheusBuilder::new().build_recorder().handle();
        Self { scraped, process: Collector::default(), gauges: Arc::new([]) }
    }
}
