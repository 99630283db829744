//! Traces and measurements, sent to a collector (OTLP, as protobuf over HTTP).
//!
//! They wait in queues that are bounded, and are sent by threads of their own: a collector that is slow or away
//! costs what does not fit into the queue, and nothing else. The SDK reads OpenTelemetry's variables.

mod both;
mod client;

use std::env;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry::trace::TracerProvider;
use opentelemetry::{KeyValue, global};
use opentelemetry_otlp::{
    ExporterBuildError, MetricExporter, SpanExporter, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing::warn;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use url::Url;
use uuid::Uuid;

use super::logging::Sink;
use super::traces;
use crate::config::TelemetryConfig;
use crate::failure::Failure;
pub(super) use both::Both;
use client::Client;

/// How long what is left of traces, and then of measurements, may take to be sent at the end.
const FLUSH: Duration = Duration::from_secs(2);

/// The sending of traces and measurements.
pub(super) struct Otlp {
    tracers: SdkTracerProvider,
    meters: SdkMeterProvider,
}

impl Otlp {
    /// Whether nothing is to be sent, whatever else is set.
    pub(super) fn is_disabled() -> bool {
        env::var("OTEL_SDK_DISABLED").is_ok_and(|told| told.eq_ignore_ascii_case("true"))
    }

    /// Begins to send to the collector at `endpoint`. It need not be there.
    pub(super) fn start(endpoint: &Url, runtime: &Handle) -> Result<Self, Failure> {
        let refused = |error| Failure::setting(TelemetryConfig::OTLP_ENDPOINT, error);
        let client = Arc::new(Client::new(endpoint, runtime).map_err(refused)?);
        let resource = resource();
        let (spans, points) = exporters(endpoint, &client).map_err(|error| refused(error.into()))?;
        global::set_text_map_propagator(TraceContextPropagator::new());
        let mut tracers = SdkTracerProvider::builder().with_resource(resource.clone());
        if is_wanted("OTEL_TRACES_EXPORTER") {
            tracers = tracers.with_batch_exporter(spans);
        }
        let mut meters = SdkMeterProvider::builder().with_resource(resource);
        if is_wanted("OTEL_METRICS_EXPORTER") {
            meters = meters.with_periodic_exporter(points);
        }
        Ok(Self { tracers: tracers.build(), meters: meters.build() })
    }

    /// Where spans go.
    pub(super) fn layer(&self) -> Sink {
        let layer = tracing_opentelemetry::layer()
            .with_tracer(self.tracers.tracer("roster"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false);
        layer.with_filter(Targets::new().with_target(traces::TARGET, traces::LEVEL)).boxed()
    }

    /// Where measurements go.
    pub(super) fn meter(&self) -> Meter {
        self.meters.meter("roster")
    }

    /// Sends what is left, as far as that can be done in time.
    pub(super) fn stop(self) {
        if let Err(error) = self.tracers.shutdown_with_timeout(FLUSH) {
            warn!(%error, "not all spans could be sent");
        }
        if let Err(error) = self.meters.shutdown_with_timeout(FLUSH) {
            warn!(%error, "the last measurements could not be sent");
        }
    }
}

/// Whether a signal is sent: not where its variable names no exporter.
fn is_wanted(variable: &str) -> bool {
    env::var(variable).as_deref() != Ok("none")
}

fn exporters(
    endpoint: &Url,
    client: &Arc<Client>,
) -> Result<(SpanExporter, MetricExporter), ExporterBuildError> {
    let mut spans = SpanExporter::builder().with_http().with_shared_http_client(client.clone());
    let mut points = MetricExporter::builder().with_http().with_shared_http_client(client.clone());
    // A variable of one signal goes before the endpoint of all.
    if env::var_os("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").is_none() {
        spans = spans.with_endpoint(signal(endpoint, "traces"));
    }
    if env::var_os("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT").is_none() {
        points = points.with_endpoint(signal(endpoint, "metrics"));
    }
    Ok((spans.build()?, points.build()?))
}

/// `{endpoint}/v1/{signal}`, as the standard has it.
fn signal(endpoint: &Url, signal: &str) -> String {
    format!("{}/v1/{signal}", endpoint.as_str().trim_end_matches('/'))
}

/// Who sends: `roster` of this version, one of its own, unless a variable says otherwise.
fn resource() -> Resource {
    let told = Resource::builder().build();
    let is_told = |attribute: &KeyValue| {
        told.get(&attribute.key).is_some_and(|value| !value.as_str().starts_with("unknown_service"))
    };
    let mut ours = vec![
        KeyValue::new("service.name", "roster"),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", Uuid::new_v4().to_string()),
    ];
    ours.retain(|attribute| !is_told(attribute));
    Resource::builder().with_attributes(ours).build()
}
