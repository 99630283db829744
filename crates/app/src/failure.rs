//! How the program ends when it cannot do what it was asked.

use std::io::stderr;
use std::process::ExitCode;

use thiserror::Error;

use crate::tell::tell;

/// Why the program ends.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// A setting is wrong; the program ends with 2.
    #[error("{setting}: {source:#}")]
    Setting {
        /// The flag, with its variable.
        setting: &'static str,
        /// What is wrong with it.
        source: anyhow::Error,
    },
    /// The settings may well be right, and still something failed; the program ends with 1.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

impl Failure {
    /// `error` is about `setting`.
    pub(crate) fn setting(setting: &'static str, error: impl Into<anyhow::Error>) -> Self {
        Self::Setting { setting, source: error.into() }
    }

    /// Says in one line, on standard error, why the program ends, and with which status.
    pub(crate) fn report(&self) -> ExitCode {
        report(self);
        match self {
            Self::Setting { .. } => ExitCode::from(2),
            Self::Other(_) => ExitCode::FAILURE,
        }
    }
}

/// Says in one line, on standard error, why the program ends.
pub(crate) fn report(why: &impl ToString) {
    let words = why.to_string();
    tell(stderr(), &format!("roster: {}", words.split_whitespace().collect::<Vec<_>>().join(" ")));
}
