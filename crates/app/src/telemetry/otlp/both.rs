use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use metrics_exporter_prometheus::PrometheusRecorder;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

use crate::telemetry::metrics::bounds;

/// Has everything measured twice: once to be asked for, once to be sent.
pub(crate) struct Both {
    asked: PrometheusRecorder,
    sent: Meter,
    help: Mutex<HashMap<KeyName, SharedString>>,
    /// Whoever asks for one of these again goes on from its value.
    counters: Mutex<HashMap<Key, Arc<Counted>>>,
    gauges: Mutex<HashMap<Key, Arc<Gauged>>>,
}

impl Both {
    pub(crate) fn new(asked: PrometheusRecorder, sent: Meter) -> Self {
        let (help, counters, gauges) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { asked, sent, help, counters, gauges }
    }

    fn keep(&self, name: KeyName, help: SharedString) {
        locked(&self.help).insert(name, help);
    }

    /// What it is, in words: the same for each set of labels, or it would count as another instrument.
    fn help(&self, key: &Key) -> String {
        locked(&self.help).get(key.name()).map(ToString::to_string).unwrap_or_default()
    }
}

fn locked<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The unit that a name ends with, as OpenTelemetry writes it.
fn unit(key: &Key) -> &'static str {
    let name = key.name().trim_end_matches("_total");
    match name.rsplit('_').next() {
        Some("seconds") => "s",
        Some("bytes") => "By",
        _ => "",
    }
}

impl Recorder for Both {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.keep(name.clone(), help.clone());
        self.asked.describe_counter(name, unit, help);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.keep(name.clone(), help.clone());
        self.asked.describe_gauge(name, unit, help);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.keep(name.clone(), help.clone());
        self.asked.describe_histogram(name, unit, help);
    }

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        let counted = || {
            let sent = self.sent.u64_counter(key.name().to_owned()).with_description(self.help(key));
            let (asked, sent) =
                (self.asked.register_counter(key, metadata), sent.with_unit(unit(key)).build());
            Arc::new(Counted { asked, sent, last: AtomicU64::new(0), labels: labels(key) })
        };
        Counter::from_arc(locked(&self.counters).entry(key.clone()).or_insert_with(counted).clone())
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        let gauged = || {
            let sent = self.sent.f64_gauge(key.name().to_owned()).with_description(self.help(key));
            let (asked, sent) = (self.asked.register_gauge(key, metadata), sent.with_unit(unit(key)).build());
            Arc::new(Gauged { asked, sent, last: Mutex::new(0.0), labels: labels(key) })
        };
        Gauge::from_arc(locked(&self.gauges).entry(key.clone()).or_insert_with(gauged).clone())
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        let sent = self.sent.f64_histogram(key.name().to_owned()).with_description(self.help(key));
        let sent = sent.with_unit(unit(key)).with_boundaries(bounds(key.name()).to_vec()).build();
        let asked = self.asked.register_histogram(key, metadata);
        Histogram::from_arc(Arc::new(Distributed { asked, sent, labels: labels(key) }))
    }
}

fn labels(key: &Key) -> Vec<KeyValue> {
    key.labels().map(|label| KeyValue::new(label.key().to_owned(), label.value().to_owned())).collect()
}

struct Counted {
    asked: Counter,
    sent: opentelemetry::metrics::Counter<u64>,
    last: AtomicU64,
    labels: Vec<KeyValue>,
}

impl CounterFn for Counted {
    fn increment(&self, by: u64) {
        self.asked.increment(by);
        self.last.fetch_add(by, Ordering::Relaxed);
        self.sent.add(by, &self.labels);
    }

    fn absolute(&self, value: u64) {
        self.asked.absolute(value);
        let before = self.last.fetch_max(value, Ordering::Relaxed);
        self.sent.add(value.saturating_sub(before), &self.labels);
    }
}

struct Gauged {
    asked: Gauge,
    sent: opentelemetry::metrics::Gauge<f64>,
    last: Mutex<f64>,
    labels: Vec<KeyValue>,
}

impl Gauged {
    fn change(&self, change: impl FnOnce(f64) -> f64) {
        let mut last = locked(&self.last);
        *last = change(*last);
        self.sent.record(*last, &self.labels);
    }
}

impl GaugeFn for Gauged {
    fn increment(&self, by: f64) {
        self.asked.increment(by);
        self.change(|last| last + by);
    }

    fn decrement(&self, by: f64) {
        self.asked.decrement(by);
        self.change(|last| last - by);
    }

    fn set(&self, value: f64) {
        self.asked.set(value);
        self.change(|_| value);
    }
}

struct Distributed {
    asked: Histogram,
    sent: opentelemetry::metrics::Histogram<f64>,
    labels: Vec<KeyValue>,
}

impl HistogramFn for Distributed {
    fn record(&self, value: f64) {
        self.asked.record(value);
        self.sent.record(value, &self.labels);
    }
}
