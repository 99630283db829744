//! Real input: every row of a file of people, through an import.

use std::path::Path;

use super::{CSV, IMPORT, errors};
use crate::kit::{Roster, suite};

suite![every_row_is_answered_as_expected];

async fn every_row_is_answered_as_expected(roster: Roster) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let people = std::fs::read(data.join("people.csv")).unwrap();
    let expected = std::fs::read_to_string(data.join("people.expected.csv")).unwrap();

    let report = roster.request("POST", IMPORT).body(CSV, people).await.lines();

    // Row, status, error and fields: none of them is ever quoted.
    let expected: Vec<_> = expected.lines().skip(1).map(|row| row.split(',').collect::<Vec<_>>()).collect();
    assert_eq!((report.len(), expected.len()), (5_000, 5_000));
    let mut created = 0;
    for ((line, error), expected) in errors(&report).into_iter().zip(expected) {
        assert_eq!((line.to_string().as_str(), error), (expected[0], expected[2]));
        assert_eq!(error.is_empty(), expected[1] == "201");
        created += usize::from(error.is_empty());
    }
    assert_eq!(roster.events().await.len(), created);
}
