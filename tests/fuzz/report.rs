//! What schemathesis reports of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// What a run did.
pub(super) struct Report {
    /// How many requests were made up.
    pub(super) cases: u64,
    /// How many of them were answered in a way that they should not have been.
    pub(super) failed: u64,
    /// For each operation of the document, the statuses that it was answered with, and those that it says it has.
    operations: BTreeMap<String, (BTreeSet<u64>, BTreeSet<u64>)>,
}

impl Report {
    /// Reads the files that a run left in this folder, on this document.
    pub(super) fn read(folder: &Path, document: &Value) -> Self {
        let summary = fs::read(folder.join("report.json")).expect("a run writes a summary");
        let summary: Value = serde_json::from_slice(&summary).expect("the summary is JSON");
        let of = |name: &str| summary["test_cases"][name].as_u64().expect("the summary counts cases");
        let mut operations = documented(document);
        let events = fs::read_to_string(folder.join("report.ndjson")).expect("a run writes what it did");
        for event in events.lines() {
            let event: Value = serde_json::from_str(event).expect("each line is JSON");
            for (operation, status) in answered(&event["ScenarioFinished"]["recorder"]) {
                if let Some((seen, _)) = operations.get_mut(&operation) {
                    seen.insert(status);
                }
            }
        }
        Self { cases: of("generated"), failed: of("with_failures"), operations }
    }

    /// The operations that no request had done.
    pub(super) fn never_done(&self) -> Vec<&str> {
        let never =
            self.operations.iter().filter(|(_, (seen, _))| !seen.iter().any(|status| status / 100 == 2));
        never.map(|(operation, _)| operation.as_str()).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cases, failed, operations } = self;
        let done = operations.len() - self.never_done().len();
        write!(f, "{cases} cases, {failed} failed; {done} of {} operations done", operations.len())?;
        // What comes of a fault has tests of its own.
        let rest = operations.iter().map(|(operation, (seen, said))| {
            (operation, said.difference(seen).filter(|it| **it < 500).map(u64::to_string).collect::<Vec<_>>())
        });
        for (operation, statuses) in rest.filter(|(_, statuses)| !statuses.is_empty()) {
            write!(f, "\n    {operation} was not answered with {}", statuses.join(", "))?;
        }
        Ok(())
    }
}

/// The operations of a document, with their statuses, none of which was seen yet.
fn documented(document: &Value) -> BTreeMap<String, (BTreeSet<u64>, BTreeSet<u64>)> {
    let mut operations = BTreeMap::new();
    // The document itself is what schemathesis reads to begin with; it makes up no requests for it.
    let paths =
        document["paths"].as_object().into_iter().flatten().filter(|(path, _)| *path != "/openapi.json");
    for (path, item) in paths {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let statuses = operation["responses"].as_object().into_iter().flatten();
            let statuses = statuses.filter_map(|(status, _)| status.parse().ok()).collect();
            operations.insert(format!("{} {path}", method.to_uppercase()), (BTreeSet::new(), statuses));
        }
    }
    operations
}

/// Which operations were answered with which statuses, as one recorder of the run has it.
fn answered(recorder: &Value) -> Vec<(String, u64)> {
    let exchanges = recorder["interactions"].as_object().into_iter().flatten();
    let of = |(id, exchange): (&String, &Value)| {
        let case = &recorder["cases"][id]["value"];
        let operation = format!("{} {}", case["method"].as_str()?, case["path"].as_str()?);
        Some((operation, exchange["response"]["status_code"].as_u64()?))
    };
    exchanges.filter_map(of).collect()
}
