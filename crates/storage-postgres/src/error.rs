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
    /// There is no connection to be had.
    #[error("there is no connection")]
    Unavailable(#[source] BoxError),
    /// The server says that it takes no writes.
    #[error("the server takes no writes")]
    ReadOnly,
    /// The server says nothing.
    #[error("the server says nothing")]
    Silent,
    /// A statement failed.
    #[error("a statement failed")]
    Database(#[from] DieselError),
    /// A commit failed, and nobody says whether all of it was done.
    #[error("it is not known whether all was done")]
    Commit(#[source] DieselError),
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
    /// The connection is gone: another may serve.
    Lost,
    /// The server takes no writes, as after a failover; nothing was done. Whatever leads to it is of no use.
    ReadOnly,
    /// The server had no time or no room; the connection is as good as before.
    Busy,
    /// Two transactions stood in each other's way: done again, it succeeds.
    Conflict,
    /// Anything else.
    Other,
}

impl Fault {
    pub(crate) fn of(error: &DieselError) -> Self {
        match error {
            DieselError::DatabaseError(kind, info) => match kind {
                Kind::UnableToSendCommand | Kind::ClosedConnection => Self::Lost,
                Kind::ReadOnlyTransaction => Self::ReadOnly,
                Kind::SerializationFailure => Self::Conflict,
                Kind::Unknown => Self::told_by(info.message()),
                _ => Self::Other,
            },
            DieselError::BrokenTransactionManager
            | DieselError::RollbackErrorOnCommit { .. }
            | DieselError::RollbackTransaction => Self::Lost,
            _ => Self::Other,
        }
    }

    /// Diesel hands on neither the SQLSTATE of most errors nor their severity, only the message.
    ///
    /// What of these errors has a message that is unknown here is told by a server in trouble, or by one that
    /// speaks another language than English: its statements are Roster's own, so that a mistake in them would
    /// be seen wherever English is spoken. A connection that is gone is found out at its next use all the same.
    fn told_by(message: &str) -> Self {
        const LOST: [&str; 8] = [
            "terminating connection",
            // A proxy's words for a server that is gone amid a statement, or that took too long for one.
            "server conn crashed",
            "query timeout",
            // The schema has changed under what was prepared.
            "cached plan must not change result type",
            "the database system is",
            "sorry, too many clients",
            "too many connections",
            "remaining connection slots",
        ];
        const MISTAKE: [&str; 3] = ["syntax error", "invalid input syntax", "invalid byte sequence"];
        if LOST.iter().any(|begin| message.starts_with(begin)) {
            Self::Lost
        } else if message == "deadlock detected" {
            Self::Conflict
        } else if message.ends_with("does not exist")
            || MISTAKE.iter().any(|begin| message.starts_with(begin))
        {
            Self::Other
        } else {
            Self::Busy
        }
    }
}

/// Whether a statement waited for a lock, and somebody else held on to it; as far as the server speaks English.
pub(crate) fn waited_in_vain(error: &DieselError) -> bool {
    let DieselError::DatabaseError(Kind::Unknown, info) = error else { return false };
    info.message() == "canceling statement due to lock timeout"
}

impl From<JoinError> for Error {
    /// Of a task that panicked, or that was stopped as its runtime ended.
    fn from(stopped: JoinError) -> Self {
        let error = if stopped.is_panic() { Self::Internal } else { Self::Unavailable };
        error(stopped.into())
    }
}

impl Error {
    pub(crate) fn fault(&self) -> Fault {
        match self {
            Self::Database(error) => Fault::of(error),
            Self::ReadOnly => Fault::ReadOnly,
            Self::Silent | Self::Commit(_) => Fault::Lost,
            Self::Answer(_) | Self::Unavailable(_) | Self::BrokenRow(_) | Self::Internal(_) => Fault::Other,
        }
    }

    /// Whether a statement failed by itself: it did nothing, and the connection is as good as before.
    pub(crate) fn spares_connection(&self) -> bool {
        match self {
            Self::Database(error) => match Fault::of(error) {
                Fault::Busy | Fault::Conflict | Fault::Other => true,
                Fault::Lost | Fault::ReadOnly => false,
            },
            Self::Answer(_)
            | Self::Unavailable(_)
            | Self::ReadOnly
            | Self::Silent
            | Self::Commit(_)
            | Self::BrokenRow(_)
            | Self::Internal(_) => false,
        }
    }

    /// Whether it waited for a lock, and somebody else held on to it.
    pub(crate) fn waited_in_vain(&self) -> bool {
        matches!(self, Self::Database(error) if waited_in_vain(error))
    }

    /// What a commit that failed means: where the server only stopped, it may have been done before that.
    pub(crate) fn of_commit(error: DieselError) -> Self {
        match Fault::of(&error) {
            Fault::Busy => Self::Commit(error),
            Fault::Lost | Fault::ReadOnly | Fault::Conflict | Fault::Other => Self::Database(error),
        }
    }

    /// Whether a unique constraint of this name was violated.
    pub(crate) fn violates(&self, constraint: &str) -> bool {
        let Self::Database(DieselError::DatabaseError(Kind::UniqueViolation, info)) = self else {
            return false;
        };
        info.constraint_name() == Some(constraint)
    }
}

impl From<Error> for UserRepositoryError {
    fn from(error: Error) -> Self {
        match error {
            Error::Answer(answer) => answer,
            Error::Unavailable(source) => Self::Unavailable(source),
            error if error.fault() == Fault::Other => Self::Internal(error.into()),
            error => Self::Unavailable(error.into()),
        }
    }
}

impl From<Error> for EventLogError {
    fn from(error: Error) -> Self {
        match error {
            Error::Unavailable(source) => Self::Unavailable(source),
            error if error.fault() == Fault::Other => Self::Internal(error.into()),
            error => Self::Unavailable(error.into()),
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
    fn what_may_serve_later_is_unavailable() {
        for error in [
            database(Kind::UnableToSendCommand, "connection closed"),
            database(Kind::ReadOnlyTransaction, "cannot execute INSERT in a read-only transaction"),
            database(Kind::SerializationFailure, "could not serialize access"),
            database(Kind::Unknown, "terminating connection due to administrator command"),
            database(Kind::Unknown, "the database system is shutting down"),
            database(Kind::Unknown, "canceling statement due to statement timeout"),
            database(Kind::Unknown, "deadlock detected"),
            database(Kind::Unknown, "permission denied for table users"),
            database(Kind::Unknown, "storniere Anfrage wegen Zeitüberschreitung der Anfrage"),
            DieselError::BrokenTransactionManager.into(),
            Error::Unavailable("no connection".into()),
        ] {
            let mapped = UserRepositoryError::from(error);
            assert!(matches!(mapped, UserRepositoryError::Unavailable(_)), "{mapped:?}");
        }
    }

    #[test]
    fn what_nobody_who_asks_can_mend_is_internal() {
        for error in [
            database(Kind::Unknown, "relation \"users\" does not exist"),
            database(Kind::UniqueViolation, "duplicate key value violates unique constraint"),
            database(Kind::CheckViolation, "violates check constraint"),
            DieselError::NotFound.into(),
            Error::Internal("panicked".into()),
        ] {
            let mapped = UserRepositoryError::from(error);
            assert!(matches!(mapped, UserRepositoryError::Internal(_)), "{mapped:?}");
        }
    }

    #[test]
    fn only_a_conflict_is_worth_doing_again() {
        assert_eq!(database(Kind::Unknown, "deadlock detected").fault(), Fault::Conflict);
        assert_eq!(database(Kind::Unknown, "canceling statement due to lock timeout").fault(), Fault::Busy);
        assert_eq!(database(Kind::Unknown, "out of shared memory").fault(), Fault::Busy);
        assert_eq!(database(Kind::UnableToSendCommand, "").fault(), Fault::Lost);
        assert_eq!(database(Kind::ReadOnlyTransaction, "").fault(), Fault::ReadOnly);
        assert_eq!(Error::Answer(UserRepositoryError::EmailTaken).fault(), Fault::Other);
    }

    /// Seen to fail where a create was done again that may have been done, and so was told that its e-mail is taken.
    #[test]
    fn what_may_have_been_done_is_not_done_again() {
        for message in ["what nobody knows", "server conn crashed?", "query timeout", ""] {
            let error = DieselError::DatabaseError(Kind::Unknown, Box::new(message.to_owned()));
            let committed = Error::of_commit(error);
            assert_eq!((committed.fault(), committed.spares_connection()), (Fault::Lost, false), "{message}");
        }
        assert_eq!(database(Kind::Unknown, "server conn crashed?").fault(), Fault::Lost);
        let conflict = DieselError::DatabaseError(Kind::SerializationFailure, Box::new(String::new()));
        assert_eq!(Error::of_commit(conflict).fault(), Fault::Conflict);
    }

    #[test]
    fn a_connection_whose_statements_are_outdated_is_replaced() {
        let error = database(Kind::Unknown, "cached plan must not change result type");
        assert_eq!((error.fault(), error.spares_connection()), (Fault::Lost, false));
    }
}
