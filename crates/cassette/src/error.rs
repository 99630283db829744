mod unanswered;

pub use unanswered::{Closest, Difference, Unanswered};

use crate::Finding;
use std::fmt::Write as _;
use std::path::PathBuf;

/// What can go wrong with a cassette.
///
/// Inside a request it arrives as [`reqwest_middleware::Error::Middleware`]; [`VcrError::of`] gets it out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VcrError {
    /// There is no cassette, and the mode does not record one.
    #[error("{0}")]
    NotFound(Box<Unanswered>),
    /// The request is recorded, but every recording of it has been played.
    #[error("{0}")]
    AlreadyPlayed(Box<Unanswered>),
    /// Recorded requests are like this one, but none agrees in all.
    #[error("{0}")]
    NoMatch(Box<Unanswered>),
    /// No recorded request agrees with this one in anything.
    #[error("{0}")]
    NothingSimilar(Box<Unanswered>),
    /// The file exists and is not a cassette. It is never overwritten.
    #[error("{}", unreadable(path, *line, reason))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The line of the mistake, from 1; 0 where it is not known.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// The cassette was not written, as something in it looks like a secret.
    #[error("{}", leak(path, findings))]
    LeakRefused {
        /// The file that was not written.
        path: PathBuf,
        /// What was found, and where.
        findings: Vec<Finding>,
    },
    /// A file or body is larger than allowed.
    #[error("{what}")]
    Limit {
        /// What is too large, by which limit, and what raises it.
        what: String,
    },
    /// Recorded interactions were not played, and
    /// [`require_all_played`](crate::VcrBuilder::require_all_played) is set.
    #[error("{}", unplayed(path, requests))]
    Unplayed {
        /// The cassette.
        path: PathBuf,
        /// `METHOD uri` of each.
        requests: Vec<String>,
    },
    /// The variable `VCR_RECORD_MODE` names no mode.
    #[error("the environment variable VCR_RECORD_MODE: {0}")]
    Mode(#[from] crate::UnknownMode),
    /// A JSON cassette holds text only.
    #[error("{}: {what} is binary, and JSON holds text only; name the cassette `.yaml`", path.display())]
    NotText {
        /// The file that was not written.
        path: PathBuf,
        /// Which part is binary.
        what: String,
    },
    /// A request came after the cassette was finished.
    #[error("{request} came after the cassette {} was finished; call `finish` last", path.display())]
    Finished {
        /// The cassette.
        path: PathBuf,
        /// `METHOD uri`.
        request: String,
    },
    /// A `before_record_request` hook or a filter left a request that cannot be recorded.
    #[error("after the filters and `before_record_request`, {0}")]
    Filtered(String),
    /// A redirect was not followed.
    #[error("{url} redirects to {location}: {reason}")]
    Redirect {
        /// What answered with the redirect.
        url: String,
        /// Where it leads.
        location: String,
        /// Why it was not followed.
        reason: String,
    },
    /// The file could not be read, locked or written.
    #[error("{}: {doing}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
}

impl VcrError {
    /// This crate's error inside one of a client with middleware, if it is one.
    pub fn of(error: &reqwest_middleware::Error) -> Option<&Self> {
        match error {
            reqwest_middleware::Error::Middleware(error) => error.downcast_ref(),
            reqwest_middleware::Error::Reqwest(_) => None,
        }
    }

    /// The request that had no recorded answer, with what came closest, where that is what went wrong.
    pub fn unanswered(&self) -> Option<&Unanswered> {
        match self {
            Self::NotFound(it) | Self::AlreadyPlayed(it) | Self::NoMatch(it) | Self::NothingSimilar(it) => {
                Some(it)
            }
            _ => None,
        }
    }
}

impl From<VcrError> for reqwest_middleware::Error {
    fn from(error: VcrError) -> Self {
        Self::middleware(error)
    }
}

fn unreadable(path: &std::path::Path, line: usize, reason: &str) -> String {
    let at = if line > 0 { format!(", line {line}") } else { String::new() };
    format!(
        "the cassette {}{at} cannot be read: {reason}\n\nHow to fix:\n  * Mend the file, or take it from version \
         control again.\n  * To record it anew, delete it first: a file that cannot be read is never overwritten.",
        path.display()
    )
}

fn leak(path: &std::path::Path, findings: &[Finding]) -> String {
    const SHOWN: usize = 5;
    let mut text = format!("the cassette {} was not written: it seems to hold secrets\n", path.display());
    for finding in findings.iter().take(SHOWN) {
        // Writing to a string does not fail.
        let _ = write!(text, "\n  {finding}");
    }
    if findings.len() > SHOWN {
        let _ = write!(text, "\n  … and {} more", findings.len() - SHOWN);
    }
    text.push_str(
        "\n\nHow to fix:\n  * Take it out: `filter_headers`, `filter_query_parameters`, `filter_post_data_parameters`, or \
         `before_record_response`.\n  * Keep it playable but out of the file: `filter_sensitive_data([(\"<TOKEN>\", \
         value)])`.\n  * If it is no secret: `allow_in_cassette([\"part of it\"])`.",
    );
    text
}

fn unplayed(path: &std::path::Path, requests: &[String]) -> String {
    const SHOWN: usize = 10;
    let mut text =
        format!("{} recorded in {} and never played:", count(requests.len(), "interaction"), path.display());
    for request in requests.iter().take(SHOWN) {
        let _ = write!(text, "\n  {request}");
    }
    if requests.len() > SHOWN {
        let _ = write!(text, "\n  … and {} more", requests.len() - SHOWN);
    }
    text.push_str(
        "\n\nHow to fix:\n  * If the code no longer sends them: run once with `drop_unused_requests(true)`.\n  * If it should \
         have sent them, the code under test is wrong, or ended too early.",
    );
    text
}

/// `1 thing`, `2 things`.
fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}
