//! Users in bulk: `POST /users/import` and `GET /users/export`, and the same on the command line.

mod command;
mod export;
mod faults;
mod import;
mod memory;
mod people;

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::kit::new_user;

pub(crate) fn suite() -> Vec<Trial> {
    [memory::suite(), faults::suite(), people::suite(), command::suite(), import::suite(), export::suite()]
        .into_iter()
        .flatten()
        .collect()
}

pub(crate) const IMPORT: &str = "/api/v1/users/import";
pub(crate) const EXPORT: &str = "/api/v1/users/export";
pub(crate) const NDJSON: &str = "application/x-ndjson";
pub(crate) const CSV: &str = "text/csv";

/// A line that makes a user, with an e-mail made of `local`.
fn line(local: &str) -> String {
    format!("{}\n", new_user(local))
}

/// Such lines, for `local0`, `local1`, …
fn lines(local: &str, count: usize) -> String {
    (0..count).map(|nth| line(&format!("{local}{nth}"))).collect()
}

/// The line's number and its error, or nothing, of each line of a report.
fn errors(report: &[Value]) -> Vec<(u64, &str)> {
    let all = report.iter().map(|line| {
        let error = line["error"].as_str().unwrap_or_default();
        assert_eq!(line["id"].is_i64(), error.is_empty(), "{line}");
        assert_eq!(line["message"].is_string(), !error.is_empty(), "{line}");
        (line["line"].as_u64().unwrap(), error)
    });
    all.collect()
}

/// The summary of a report.
fn summary(lines: usize, created: usize, failed: usize) -> Value {
    json!({"lines": lines, "created": created, "failed": failed})
}

fn compressed(plain: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(plain).unwrap();
    gzip.finish().unwrap()
}

fn decompressed(compressed: &[u8]) -> Vec<u8> {
    use std::io::Read;
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(compressed).read_to_end(&mut plain).unwrap();
    plain
}
