use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use metrics_exporter_prometheus::PrometheusRecorder;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

use crate::telemetry::metrics::DURATIONS;

/// Has everything measured twice: once to be asked for, once to be sent.
pub(crate) struct Both {
    asked: PrometheusRecorder,
    sent: Meter,
    help: Mutex<HashMap<KeyName, SharedString>>,
}

impl Both {
    pub(crate) fn new(asked: PrometheusRecorder, sent: Meter) -> Self {
        Self { asked, sent, help: Mutex::default() }
    }

    fn keep(&self, name: KeyName, help: SharedString) {
        self.help.lock().unwrap_or_else(PoisonError::into_inner).insert(name, help);
    }

    /// What it is, in words: the same for each set of labels, or it would count as another instrument.
    fn help(&self, key: &Key) -> String {
        let help = self.help.lock().unwrap_or_else(PoisonError::into_inner);
        help.get(key.name()).map(ToString::to_string).unwrap_or_default()
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
        let sent = self.sent.u64_counter(key.name().to_owned()).with_description(self.help(key)).build();
        let asked = self.asked.register_counter(key, metadata);
        Counter::from_arc(Arc::new(Twice { asked, sent, last: AtomicU64::new(0), labels: labels(key) }))
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        let sent = self.sent.f64_gauge(key.name().to_owned()).with_description(self.help(key)).build();
        let asked = self.asked.register_gauge(key, metadata);
        Gauge::from_arc(Arc::new(Twice { asked, sent, last: AtomicU64::new(0), labels: labels(key) }))
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        let sent = self.sent.f64_histogram(key.name().to_owned()).with_description(self.help(key));
        let sent = sent.with_boundaries(DURATIONS.to_vec()).build();
        let asked = self.asked.register_histogram(key, metadata);
        Histogram::from_arc(Arc::new(Twice { asked, sent, last: AtomicU64::new(0), labels: labels(key) }))
    }
}

fn labels(key: &Key) -> Vec<KeyValue> {
    key.labels().map(|label| KeyValue::new(label.key().to_owned(), label.value().to_owned())).collect()
}

/// An instrument to be asked, and the same to be sent.
struct Twice<A, S> {
    asked: A,
    sent: S,
    /// The value so far, as far as it is needed: of a counter as a number, of a gauge as a float's bits.
    last: AtomicU64,
    labels: Vec<KeyValue>,
}

impl CounterFn for Twice<Counter, opentelemetry::metrics::Counter<u64>> {
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

impl Twice<Gauge, opentelemetry::metrics::Gauge<f64>> {
    fn change(&self, by: f64) {
        let add = |bits| Some((f64::from_bits(bits) + by).to_bits());
        let before = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        self.sent.record(f64::from_bits(before.unwrap_or_default()) + by, &self.labels);
    }
}

impl GaugeFn for Twice<Gauge, opentelemetry::metrics::Gauge<f64>> {
    fn increment(&self, by: f64) {
        self.asked.increment(by);
        self.change(by);
    }

    fn decrement(&self, by: f64) {
        self.asked.decrement(by);
        self.change(-by);
    }

    fn set(&self, value: f64) {
        self.asked.set(value);
        self.last.store(value.to_bits(), Ordering::Relaxed);
        self.sent.record(value, &self.labels);
    }
}

impl HistogramFn for Twice<Histogram, opentelemetry::metrics::Histogram<f64>> {
    fn record(&self, value: f64) {
        self.asked.record(value);
        self.sent.record(value, &self.labels);
    }
}
