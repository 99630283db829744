use url::Url;

/// Where traces and measurements are sent, beside being asked for.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Telemetry")]
pub(crate) struct TelemetryConfig {
    /// The collector that traces and measurements are sent to, by OTLP over HTTP; none are without one.
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        global = true,
        hide_env_values = true,
        value_parser = collector,
        value_name = "URL",
        help = "The collector that traces and measurements are sent to, by OTLP over HTTP: http://127.0.0.1:4318. \
                OpenTelemetry's other variables count too, such as OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER and \
                OTEL_EXPORTER_OTLP_HEADERS"
    )]
    pub otlp_endpoint: Option<Url>,
}

impl TelemetryConfig {
    /// The setting that says where the collector is.
    pub(crate) const OTLP_ENDPOINT: &'static str = "--otlp-endpoint (OTEL_EXPORTER_OTLP_ENDPOINT)";
}

fn collector(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
    url.filter(Url::has_host).ok_or("must be a URL of http or https, such as http://127.0.0.1:4318")
}
