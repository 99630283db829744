//! What a use case can end in, and the rules that a value can break.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use thiserror::Error;

use crate::{Position, Version};

/// An error of another crate, kept for the log.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// An error with all that caused it, in one line, for the log: `a statement failed: connection closed`.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// What a use case can end in, other than well.
///
/// The messages of the first seven are meant for whoever asked; what the others have to say is for
/// the log, in their `source`.
///
/// It is exhaustive on purpose: whoever answers for an error says how each is answered, in one `match` without a
/// `_`, and is told by the compiler of a new one. That makes a new variant a breaking release.
#[derive(Debug, Error)]
pub enum DomainError {
    /// A value breaks rules; all of them are listed.
    #[error(transparent)]
    Validation(#[from] Violations),
    /// The values are well-formed, and still may not be.
    #[error(transparent)]
    BusinessRule(#[from] BusinessRule),
    /// There is no such entity.
    #[error("{entity} {id} not found")]
    NotFound {
        /// What was asked for, as a person would say it: `User`.
        entity: &'static str,
        /// Under which id.
        id: i64,
    },
    /// The entity has another version than the one that the caller knows.
    #[error("User is at version {current}, which does not fit the request")]
    PreconditionFailed {
        /// The version that it has.
        current: Version,
    },
    /// Events that were asked for are no longer kept.
    #[error("Events up to position {pruned} are no longer kept: start again from the full list of users")]
    Gone {
        /// The last of those.
        pruned: Position,
    },
    /// The receipt was given before, for something else.
    #[error("Idempotency-Key was used for another request")]
    ReceiptReused,
    /// The receipt was given to a write that is still under way.
    #[error("A request with this Idempotency-Key is still in progress")]
    ReceiptInProgress,
    /// Something that is needed does not answer, or is not asked for the moment.
    #[error("unavailable")]
    Unavailable {
        /// When it may be worth another try.
        retry_after: Duration,
        /// What does not answer, and why.
        source: BoxError,
    },
    /// Another service that was asked failed.
    #[error("another service failed")]
    UpstreamFailed(#[source] BoxError),
    /// Another service that was asked took too long.
    #[error("another service took too long")]
    UpstreamTimedOut(#[source] BoxError),
    /// Something broke that nobody who asks can mend.
    #[error("internal error")]
    Internal(#[source] BoxError),
}

impl DomainError {
    /// "User 7 not found"; `id` is what was asked for, whether or not a user could have it.
    pub const fn user_not_found(id: i64) -> Self {
        Self::NotFound { entity: "User", id }
    }

    /// "Person 7 not found"; `id` is what was asked for, whether or not a person could have it.
    pub const fn person_not_found(id: i64) -> Self {
        Self::NotFound { entity: "Person", id }
    }

    /// Something that is needed does not answer; it may within a second.
    pub fn unavailable(source: impl Into<BoxError>) -> Self {
        Self::Unavailable { retry_after: Duration::from_secs(1), source: source.into() }
    }
}

/// A rule that no value breaks by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BusinessRule {
    /// Another user has this e-mail.
    #[error("Email already exists")]
    EmailTaken,
}

/// One broken rule: where, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The field or parameter, as the caller named it.
    pub field: Cow<'static, str>,
    /// A sentence for a person, which begins with the field's name.
    pub message: Cow<'static, str>,
}

impl Violation {
    /// `message` about `field`.
    pub fn new(field: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self { field: field.into(), message: message.into() }
    }

    /// "Email is required".
    pub fn required(field: &'static str) -> Self {
        Self::new(field, format!("{} is required", capitalised(field)))
    }

    /// "Name must be at most 200 characters".
    pub fn too_long(field: &'static str, max_chars: usize) -> Self {
        Self::new(field, format!("{} must be at most {max_chars} characters", capitalised(field)))
    }

    /// "Name must not contain control characters".
    pub(crate) fn control_characters(field: &'static str) -> Self {
        Self::new(field, format!("{} must not contain control characters", capitalised(field)))
    }

    /// "Email must be a string".
    pub fn wrong_type(field: &'static str, expected: &str) -> Self {
        Self::new(field, format!("{} must be {expected}", capitalised(field)))
    }
}

/// A field's name as the beginning of a sentence: `directory_id` is "Directory id".
fn capitalised(field: &str) -> String {
    let field = field.replace('_', " ");
    let mut chars = field.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Every rule that something breaks, in the order of its fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// Adds `violation()` unless the rule is `kept`.
    pub fn check(&mut self, kept: bool, violation: impl FnOnce() -> Violation) {
        if !kept {
            self.0.push(violation());
        }
    }

    /// The value, or `None` with its violations added to these.
    pub fn take<T>(&mut self, parsed: Result<T, Violations>) -> Option<T> {
        parsed.map_err(|broken| self.0.extend(broken.0)).ok()
    }

    /// `value` where no rule is broken, else these violations.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        self.or_else(|| value)
    }

    /// `value()` where no rule is broken, else these violations.
    pub fn or_else<T>(self, value: impl FnOnce() -> T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value()) } else { Err(self) }
    }

    /// The same, of something that stands within another: each field is `outer.field`.
    #[must_use]
    pub fn within(mut self, outer: &str) -> Self {
        for violation in &mut self.0 {
            violation.field = format!("{outer}.{}", violation.field).into();
        }
        self
    }

    /// The same, of one of several: each field is `[index].field`, and each message names the one as
    /// `Event 1: …`. Indices count from 0.
    #[must_use]
    pub fn of_nth(self, entity: &str, index: usize) -> Self {
        let mut broken = self.within(&format!("[{index}]"));
        for violation in &mut broken.0 {
            violation.message = format!("{entity} {index}: {}", violation.message).into();
        }
        broken
    }

    /// The violations, first field first.
    pub fn iter(&self) -> std::slice::Iter<'_, Violation> {
        self.0.iter()
    }
}

impl From<Violation> for Violations {
    fn from(violation: Violation) -> Self {
        Self(vec![violation])
    }
}

impl<'a> IntoIterator for &'a Violations {
    type Item = &'a Violation;
    type IntoIter = std::slice::Iter<'a, Violation>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, violation) in self.iter().enumerate() {
            let separator = if nth == 0 { "" } else { "; " };
            write!(f, "{separator}{}", violation.message)?;
        }
        Ok(())
    }
}

impl Error for Violations {}
