//! What a use case can end in.

use std::error::Error;
use std::time::Duration;

use thiserror::Error;

use crate::{Position, Version, Violations};

/// An error of another crate, kept for the log.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// An error with all that caused it, in one line, for the log: `a statement failed: connection closed`. A cause that
/// the line ends with already is not told again.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    for cause in std::iter::successors(error.source(), |error| (*error).source()) {
        let cause = cause.to_string();
        if !line.ends_with(&cause) {
            line.extend([": ", &cause]);
        }
    }
    line
}

/// What a use case can end in, other than well.
///
/// Each message is meant for whoever asked; what one with a `source` has to say is for the log.
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
