//! Real input: every row of a file of people, over HTTP, in order.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::kit::{Answer, Roster, USERS, suite};

suite![every_row_is_answered_as_expected];

async fn every_row_is_answered_as_expected(roster: Roster) {
    let people = read("people.csv");
    let expected = read("people.expected.csv");
    assert_eq!(people.len(), expected.len());
    assert_eq!(people.len(), 5_000);

    let mut created = 0_usize;
    for (row, (person, expected)) in people.iter().zip(&expected).enumerate() {
        let [email, name] = person.as_slice() else { panic!("row {}: {person:?}", row + 1) };
        let answer = roster.post(USERS, &json!({"email": email, "name": name})).await;
        assert_eq!(expected[0], (row + 1).to_string());
        assert_eq!(outcome(&answer), expected[1..], "row {}: {}", row + 1, answer.told());
        created += usize::from(answer.status() == 201);
    }

    assert_eq!(roster.events().await.len(), created);
}

/// Status, `error`, and the fields with broken rules, as the expected file has them.
fn outcome(answer: &Answer) -> [String; 3] {
    let status = answer.status();
    let (error, fields) = match status {
        201 => {
            answer.user(201);
            ("", String::new())
        }
        400 => {
            answer.error_saying(400, "business_rule", "Email already exists");
            ("business_rule", String::new())
        }
        _ => ("validation", fields(&answer.error(422, "validation"))),
    };
    [status.to_string(), error.to_owned(), fields]
}

fn fields(body: &Value) -> String {
    let broken = body["errors"].as_array().into_iter().flatten().filter_map(|one| one["field"].as_str());
    broken.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ")
}

/// The records of a CSV file (RFC 4180), without its header.
fn read(file: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(file);
    let text = fs::read_to_string(path).unwrap();
    let (mut records, mut record, mut field) = (Vec::new(), Vec::new(), String::new());
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => field.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            '\r' if !quoted && chars.peek() == Some(&'\n') => {}
            c => field.push(c),
        }
    }
    records.split_off(1)
}
