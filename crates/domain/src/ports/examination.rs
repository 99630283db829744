use async_trait::async_trait;

/// Looks closely at something that the program stands on, for a person who sets it up or wonders what is wrong.
///
/// # When this port changes
///
/// Findings are for a person: an adapter may find more, and say it otherwise, in any release.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait Examination: Send + Sync {
    /// What was found, in the order in which a person would look. It changes nothing, and takes some seconds at
    /// the most, also where nobody answers.
    async fn examine(&self) -> Vec<Finding>;
}

/// What was found of one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, in a word or two: `schema`.
    pub about: &'static str,
    /// Whether it will do.
    pub verdict: Verdict,
    /// What was found, in one line that holds no secret.
    pub told: String,
}

/// Whether something will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it should be.
    Ok,
    /// The program works with it; somebody should know of it.
    Warning,
    /// The program does not work with it, or not wholly.
    Failed,
}

impl Finding {
    /// It is as it should be.
    pub fn ok(about: &'static str, told: impl Into<String>) -> Self {
        Self { about, verdict: Verdict::Ok, told: told.into() }
    }

    /// The program works with it; somebody should know of it.
    pub fn warning(about: &'static str, told: impl Into<String>) -> Self {
        Self { about, verdict: Verdict::Warning, told: told.into() }
    }

    /// The program does not work with it, or not wholly.
    pub fn failed(about: &'static str, told: impl Into<String>) -> Self {
        Self { about, verdict: Verdict::Failed, told: told.into() }
    }
}
