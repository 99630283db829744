//! What goes wrong here, and what a port calls it.

use diesel::result::DatabaseErrorKind as Kind;
use diesel::result::Error as DieselError;
use roster_domain::BoxError;
use roster_domain::ports::{EventLogError, UserRepositoryError};
use thiserror::Error;
use tokio::task::JoinError;

/// Why something was not done.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// The answer is one that the port knows.
    #[error(transparent)]
    Answer(#[from] UserRepositoryError),
    /// There is no connection to be had, or the writer has more to do than it can hold.
    #[error("there is no connection")]
    Unavailable(#[source] BoxError),
    /// A statement failed.
    #[error("a statement failed")]
    Database(#[from] DieselError),
    /// What is stored breaks today's rules.
    #[error(transparent)]
    BrokenRow(#[from] BrokenRow),
    /// Something of Roster's own broke.
    #[error("a query broke")]
    Internal(#[source] BoxError),
}

/// A stored row that today's rules do not allow.
#[derive(Debug, Error)]
#[error("{table}.{column} of row {id} breaks a rule: {rule}")]
pub(crate) struct BrokenRow {
    pub(crate) table: &'static str,
    pub(crate) column: &'static str,
    pub(crate) id: String,
    pub(crate) rule: String,
}

/// What an error of the database means for whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Another process writes, or the disk has no room or is away: later it may be well.
    Busy,
    /// Anything else.
    Other,
}

impl Fault {
    /// Told by the message, as Diesel hands on no result code; SQLite has but one language.
    pub(crate) fn of(error: &DieselError) -> Self {
        const BUSY: [&str; 7] = [
            "database is locked",
            "database table is locked",
            "database or disk is full",
            "attempt to write a readonly database",
            "disk I/O error",
            "unable to open database file",
            "locking protocol",
        ];
        match error {
            DieselError::DatabaseError(Kind::Unknown, info) if BUSY.contains(&info.message()) => Self::Busy,
            _ => Self::Other,
        }
    }
}

impl From<JoinError> for Error {
    /// Of a task that panicked, or that was stopped as its runtime ended.
    fn from(stopped: JoinError) -> Self {
        let error = if stopped.is_panic() { Self::Internal } else { Self::Unavailable };
        error(stopped.into())
    }
}

impl Error {
    fn fault(&self) -> Fault {
        match self {
            Self::Database(error) => Fault::of(error),
            Self::Answer(_) | Self::Unavailable(_) | Self::BrokenRow(_) | Self::Internal(_) => Fault::Other,
        }
    }

    /// Whether the connection is as good as before: an error of the database may have left it in a
    /// transaction.
    pub(crate) fn spares_connection(&self) -> bool {
        !matches!(self, Self::Database(_))
    }

    /// Whether a unique constraint on this column, `table.column`, was violated. SQLite tells columns, not
    /// names of constraints.
    pub(crate) fn violates(&self, column: &str) -> bool {
        let Self::Database(DieselError::DatabaseError(Kind::UniqueViolation, info)) = self else {
            return false;
        };
        info.message().strip_prefix("UNIQUE constraint failed: ") == Some(column)
    }
}

impl From<Error> for UserRepositoryError {
    fn from(error: Error) -> Self {
        match error {
            Error::Answer(answer) => answer,
            Error::Unavailable(source) => Self::Unavailable(source),
            error if error.fault() == Fault::Busy => Self::Unavailable(error.into()),
            error => Self::Internal(error.into()),
        }
    }
}

impl From<Error> for EventLogError {
    fn from(error: Error) -> Self {
        match error {
            Error::Unavailable(source) => Self::Unavailable(source),
            error if error.fault() == Fault::Busy => Self::Unavailable(error.into()),
            error => Self::Internal(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(kind: Kind, message: &str) -> Error {
        DieselError::DatabaseError(kind, Box::new(message.to_owned())).into()
    }

    #[test]
    fn what_may_be_well_later_is_unavailable() {
        for error in [
            database(Kind::Unknown, "database is locked"),
            database(Kind::Unknown, "database or disk is full"),
            database(Kind::Unknown, "attempt to write a readonly database"),
            database(Kind::Unknown, "disk I/O error"),
            Error::Unavailable("the queue is full".into()),
        ] {
            let mapped = UserRepositoryError::from(error);
            assert!(matches!(mapped, UserRepositoryError::Unavailable(_)), "{mapped:?}");
        }
    }

    #[test]
    fn what_nobody_who_asks_can_mend_is_internal() {
        for error in [
            database(Kind::Unknown, "no such table: users"),
            database(Kind::Unknown, "database disk image is malformed"),
            database(Kind::CheckViolation, "CHECK constraint failed"),
            DieselError::NotFound.into(),
            Error::Internal("panicked".into()),
        ] {
            let mapped = UserRepositoryError::from(error);
            assert!(matches!(mapped, UserRepositoryError::Internal(_)), "{mapped:?}");
        }
    }

    #[test]
    fn a_violated_constraint_is_told_by_its_column() {
        let error = database(Kind::UniqueViolation, "UNIQUE constraint failed: users.email");
        assert!(error.violates("users.email"));
        assert!(!error.violates("users.id"));
    }
}
