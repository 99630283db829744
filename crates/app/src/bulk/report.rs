use std::borrow::Cow;

use roster_domain::chain;
use roster_domain::services::{Imported, Outcome};
use serde::Serialize;
use tracing::error;

use super::importing::Outcomes;
use crate::http::ApiError;

/// Tells what becomes of lines, as NDJSON, and counts them.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// How many lines there were.
    pub(crate) lines: u64,
    /// How many made a user.
    pub(crate) created: u64,
    /// Of how many the user was there already.
    pub(crate) there: u64,
    /// How many failed.
    pub(crate) failed: u64,
    /// Whether the store failed: then so does every line from there on.
    pub(crate) is_broken: bool,
    /// Whether lines that did not fail are left out.
    pub(crate) only_errors: bool,
}

/// What became of a line, as it is told.
#[derive(Serialize)]
struct LineResponse {
    line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    error: Option<ErrorResponse>,
}

/// Why a line failed, in the words of any other error.
#[derive(Serialize)]
struct ErrorResponse {
    error: &'static str,
    message: Cow<'static, str>,
}

#[derive(Serialize)]
struct SummaryResponse {
    lines: u64,
    created: u64,
    failed: u64,
}

impl Report {
    /// A report that leaves out the lines that did not fail.
    pub(crate) fn of_errors() -> Self {
        Self { only_errors: true, ..Self::default() }
    }

    /// What is told of these lines.
    pub(crate) fn tell(&mut self, outcomes: &Outcomes) -> Vec<u8> {
        let mut told = Vec::new();
        for outcome in outcomes {
            self.count(outcome);
            if outcome.result.is_err() || !self.only_errors {
                write(&mut told, &LineResponse::from(outcome));
            }
        }
        told
    }

    /// How many lines there were, and what became of them.
    pub(crate) fn summary(&self) -> Vec<u8> {
        let mut told = Vec::new();
        let &Self { lines, created, failed, .. } = self;
        write(&mut told, &SummaryResponse { lines, created, failed });
        told
    }

    /// What is told last.
    pub(crate) fn end(&self) -> Vec<u8> {
        if self.only_errors { self.summary() } else { Vec::new() }
    }

    /// Tells what broke, once, where something of ours did.
    fn log(&mut self, error: &ApiError) {
        if error.is_of_server() && !std::mem::replace(&mut self.is_broken, true) {
            error!(cause = chain(error), "lines could not be imported");
        }
    }

    fn count(&mut self, outcome: &Outcome<ApiError>) {
        self.lines += 1;
        match &outcome.result {
            Ok(Imported::Created(_)) => self.created += 1,
            Ok(Imported::There(_)) => self.there += 1,
            Ok(Imported::Valid) => {}
            Err(error) => {
                self.failed += 1;
                self.log(error);
            }
        }
    }
}

impl From<&Outcome<ApiError>> for LineResponse {
    fn from(outcome: &Outcome<ApiError>) -> Self {
        let (id, error) = match &outcome.result {
            Ok(Imported::Created(id) | Imported::There(id)) => (Some(id.get()), None),
            Ok(Imported::Valid) => (None, None),
            Err(error) => {
                let (error, message) = error.told();
                (None, Some(ErrorResponse { error, message }))
            }
        };
        Self { line: outcome.line, id, error }
    }
}

/// What is written has no maps with odd keys, so that it cannot fail.
fn write(told: &mut Vec<u8>, line: &impl Serialize) {
    let _ = serde_json::to_writer(&mut *told, line);
    told.push(b'\n');
}

#[cfg(test)]
mod tests {
    use roster_domain::{BusinessRule, DomainError, UserId};

    use super::*;

    fn outcomes() -> Outcomes {
        let id = UserId::new(7).unwrap();
        let taken = DomainError::from(BusinessRule::EmailTaken).into();
        let results = [Ok(Imported::Created(id)), Err(taken), Ok(Imported::There(id)), Ok(Imported::Valid)];
        (1..).zip(results).map(|(line, result)| Outcome { line, result }).collect()
    }

    const FAILED: &str = "{\"line\":2,\"error\":\"business_rule\",\"message\":\"Email already exists\"}\n";

    #[test]
    fn each_line_is_told_with_its_outcome() {
        let mut report = Report::default();
        let told = String::from_utf8(report.tell(&outcomes())).unwrap();
        assert_eq!(
            told,
            format!("{{\"line\":1,\"id\":7}}\n{FAILED}{{\"line\":3,\"id\":7}}\n{{\"line\":4}}\n")
        );
        assert_eq!(report.end(), b"");
    }

    #[test]
    fn a_report_of_errors_ends_with_a_summary() {
        let mut report = Report::of_errors();
        assert_eq!(String::from_utf8(report.tell(&outcomes())).unwrap(), FAILED);
        assert_eq!(report.end(), b"{\"lines\":4,\"created\":1,\"failed\":1}\n");
        assert_eq!(report.there, 1);
    }
}
