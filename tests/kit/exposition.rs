//! Measurements in the text format of Prometheus (version 0.0.4), read strictly.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use super::answer::Answer;
use super::http::Http;

/// What is measured under one name.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) kind: Kind,
    pub(crate) help: String,
    pub(crate) samples: Vec<Sample>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

impl Http {
    /// What is measured, by name.
    pub(crate) async fn measured(&self) -> BTreeMap<String, Family> {
        self.get("/metrics").await.measured()
    }
}

impl Answer {
    fn measured(&self) -> BTreeMap<String, Family> {
        self.any_body(200);
        assert_eq!(self.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        read(&self.text())
    }
}

impl Family {
    /// The sum of the samples with these labels, among others.
    pub(crate) fn sum(&self, labels: &[(&str, &str)]) -> f64 {
        let has = |sample: &&Sample| {
            labels.iter().all(|(name, value)| sample.labels.get(*name).is_some_and(|one| one == value))
        };
        let counts = self.samples.iter().filter(|sample| !sample.name.ends_with("_bucket"));
        let counts = counts.filter(|sample| self.kind != Kind::Histogram || sample.name.ends_with("_count"));
        counts.filter(has).map(|sample| sample.value).sum()
    }
}

/// Reads everything, or fails: each family has its help and its type, in that order and once, and then its samples,
/// none of them twice.
fn read(text: &str) -> BTreeMap<String, Family> {
    assert!(text.ends_with('\n'), "the last line is not ended");
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let (mut help, mut current): (Option<(String, String)>, Option<String>) = (None, None);
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(told) = line.strip_prefix("# HELP ") {
            let (name, words) = told.split_once(' ').unwrap_or_else(|| panic!("no help: {line}"));
            help = Some((name.to_owned(), words.to_owned()));
        } else if let Some(told) = line.strip_prefix("# TYPE ") {
            let (name, kind) = told.split_once(' ').unwrap_or_else(|| panic!("no type: {line}"));
            let (helped, help) = help.take().unwrap_or_else(|| panic!("{name} has no help"));
            assert_eq!(helped, name, "the help before the type is of something else");
            let family = Family { kind: kind_of(kind), help, samples: Vec::new() };
            assert!(families.insert(name.to_owned(), family).is_none(), "{name} comes twice");
            current = Some(name.to_owned());
        } else {
            assert!(!line.starts_with('#'), "a comment that is none: {line}");
            let name = current.as_ref().unwrap_or_else(|| panic!("it has no type: {line}"));
            let family = families.get_mut(name).expect("it was just made");
            family.samples.push(sample(line));
        }
    }
    assert!(help.is_none(), "{help:?} has no type");
    for (name, family) in &families {
        check(name, family);
    }
    families
}

fn kind_of(text: &str) -> Kind {
    match text {
        "counter" => Kind::Counter,
        "gauge" => Kind::Gauge,
        "histogram" => Kind::Histogram,
        other => panic!("{other} is no type"),
    }
}

fn sample(line: &str) -> Sample {
    let whole = Regex::new(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.+)\})? ([^ ]+)$").unwrap();
    let label = Regex::new(r#"^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)"#).unwrap();
    let parts = whole.captures(line).unwrap_or_else(|| panic!("no sample: {line}"));
    let mut labels = BTreeMap::new();
    let mut rest = parts.get(2).map_or("", |all| all.as_str());
    while !rest.is_empty() {
        let one = label.captures(rest).unwrap_or_else(|| panic!("no label at {rest}: {line}"));
        assert!(labels.insert(one[1].to_owned(), one[2].to_owned()).is_none(), "a label comes twice: {line}");
        rest = &rest[one[0].len()..];
    }
    let value = parts[3].parse().unwrap_or_else(|_| panic!("no number: {line}"));
    Sample { name: parts[1].to_owned(), labels, value }
}

fn check(name: &str, family: &Family) {
    assert!(!family.samples.is_empty(), "{name} has no samples");
    assert!(family.help.ends_with('.'), "the help of {name} is no sentence: {}", family.help);
    let series: BTreeSet<_> = family.samples.iter().map(|one| (&one.name, &one.labels)).collect();
    assert_eq!(series.len(), family.samples.len(), "a series of {name} comes twice");
    match family.kind {
        Kind::Counter => {
            assert!(name.ends_with("_total"), "the counter {name} is no total");
            assert!(family.samples.iter().all(|one| one.name == name && one.value >= 0.0), "{family:?}");
        }
        Kind::Gauge => {
            assert!(!name.ends_with("_total"), "the gauge {name} is called a total");
            assert!(family.samples.iter().all(|one| one.name == name && one.value.is_finite()), "{family:?}");
        }
        Kind::Histogram => check_histogram(name, family),
    }
}

/// For each set of labels: buckets that grow up to the count, and a sum.
fn check_histogram(name: &str, family: &Family) {
    /// Its buckets, its count, and whether it has a sum.
    type Found = (Vec<(f64, f64)>, Option<f64>, bool);
    let mut found: BTreeMap<_, Found> = BTreeMap::new();
    for one in &family.samples {
        let mut labels = one.labels.clone();
        let bound = labels.remove("le").map(|bound| bound.parse().expect("a bound is a number"));
        let of = found.entry(labels).or_default();
        match (one.name.strip_prefix(name), bound) {
            (Some("_bucket"), Some(bound)) => of.0.push((bound, one.value)),
            (Some("_count"), None) => of.1 = Some(one.value),
            (Some("_sum"), None) => of.2 = true,
            _ => panic!("not of a histogram: {one:?}"),
        }
    }
    for (labels, (buckets, count, has_sum)) in found {
        let grows = buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1);
        assert!(grows && has_sum, "{name} {labels:?}: {buckets:?}");
        let last = buckets.last().copied().unwrap_or_else(|| panic!("{name} has no buckets"));
        assert_eq!((last.0, Some(last.1)), (f64::INFINITY, count), "{name} {labels:?}");
    }
}
