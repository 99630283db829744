//! A stand-in for a collector of telemetry (OTLP as protobuf over HTTP), which keeps what it is sent.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use prost::Message;
use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Generous: it is there to end what hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A collector on a port of its own.
pub(crate) struct Collector {
    address: SocketAddr,
    received: watch::Sender<Received>,
    listener: JoinHandle<()>,
}

/// What a collector was sent so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Received {
    pub(crate) spans: Vec<Span>,
    /// The measurements, by name: the sum of the newest of all sets of labels, of a histogram their count.
    pub(crate) measured: BTreeMap<String, f64>,
    /// The heads of the requests.
    pub(crate) heads: Vec<String>,
    /// The bodies of the requests, what is text in them as it is.
    pub(crate) bodies: String,
}

/// A step of a trace.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    /// Who sent it: `service.name`.
    pub(crate) service: String,
    /// Which of those: `service.instance.id`.
    pub(crate) instance: String,
    pub(crate) name: String,
    /// 2 is a server's, 3 a client's, 4 a producer's, 5 a consumer's.
    pub(crate) kind: i32,
    pub(crate) trace: String,
    pub(crate) id: String,
    /// Empty where it begins a trace.
    pub(crate) parent: String,
    pub(crate) attributes: BTreeMap<String, Json>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("a bound listener has an address");
        let received = watch::Sender::default();
        let shared = received.clone();
        let listener = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, shared.clone()));
            }
        });
        Self { address, received, listener }
    }

    /// Where it is, as a setting names it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was sent so far.
    pub(crate) fn received(&self) -> Received {
        self.received.borrow().clone()
    }

    /// Waits for a span.
    pub(crate) async fn span(&self, what: &str, is_it: impl Fn(&Span) -> bool) -> Span {
        let mut received = self.received.subscribe();
        let find = |received: &Received| received.spans.iter().find(|span| is_it(span)).cloned();
        let found = async {
            let received = received.wait_for(|received| find(received).is_some()).await;
            find(&received.expect("the collector runs")).expect("it was there a moment ago")
        };
        let late = |_| panic!("no span {what} was sent, but {:#?}", self.received().spans);
        timeout(PATIENCE, found).await.unwrap_or_else(late)
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Takes requests on one connection until it ends.
async fn serve(stream: TcpStream, received: watch::Sender<Received>) {
    let mut stream = BufReader::new(stream);
    while let Some((head, body)) = request(&mut stream).await {
        received.send_modify(|received| received.take(head, &body));
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
}

async fn request(stream: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let lower = head.to_ascii_lowercase();
    let (_, length) = lower.split_once("content-length:").expect("the length of the body is told");
    let length = length.split("\r\n").next()?.trim().parse().expect("a length");
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((head, body))
}

impl Received {
    fn take(&mut self, head: String, body: &[u8]) {
        match head.split(' ').nth(1) {
            Some("/v1/traces") => {
                let told = ExportTraceServiceRequest::decode(body).expect("traces of OTLP");
                self.spans.extend(spans(told));
            }
            Some("/v1/metrics") => {
                let told = ExportMetricsServiceRequest::decode(body).expect("measurements of OTLP");
                let scopes = told.resource_metrics.into_iter().flat_map(|of| of.scope_metrics);
                let metrics = scopes.flat_map(|scope| scope.metrics);
                self.measured.extend(metrics.map(|metric| (metric.name, metric.data.map_or(0.0, sum))));
            }
            other => panic!("a collector is sent nothing at {other:?}"),
        }
        self.heads.push(head);
        self.bodies.push_str(&String::from_utf8_lossy(body));
        self.bodies.push('\n');
    }
}

#[expect(clippy::cast_precision_loss, reason = "a test counts no further than that")]
fn sum(measured: Data) -> f64 {
    let points = match measured {
        Data::Gauge(gauge) => gauge.data_points,
        Data::Sum(sum) => sum.data_points,
        Data::Histogram(all) => return all.data_points.iter().map(|point| point.count as f64).sum(),
        other => panic!("nothing is measured so: {other:?}"),
    };
    let number = |value| match value {
        Some(Number::AsDouble(number)) => number,
        Some(Number::AsInt(number)) => number as f64,
        None => 0.0,
    };
    points.into_iter().map(|point| number(point.value)).sum()
}

fn spans(told: ExportTraceServiceRequest) -> impl Iterator<Item = Span> {
    told.resource_spans.into_iter().flat_map(|of| {
        let resource = attributes(of.resource.map(|resource| resource.attributes).unwrap_or_default());
        let told = |name: &str| resource[name].as_str().expect("it is text").to_owned();
        let (service, instance) = (told("service.name"), told("service.instance.id"));
        let spans = of.scope_spans.into_iter().flat_map(|scope| scope.spans);
        spans.map(move |span| Span {
            service: service.clone(),
            instance: instance.clone(),
            name: span.name,
            kind: span.kind,
            trace: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            attributes: attributes(span.attributes),
        })
    })
}

fn attributes(told: Vec<KeyValue>) -> BTreeMap<String, Json> {
    let json = |value| match value {
        Some(Value::StringValue(text)) => json!(text),
        Some(Value::IntValue(number)) => json!(number),
        other => json!(format!("{other:?}")),
    };
    told.into_iter().map(|one| (one.key, json(one.value.and_then(|value| value.value)))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
