use std::path::PathBuf;

use roster_domain::BoxError;
use thiserror::Error;

/// Why a store could not be made ready. Each message is one line that a person can act on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SetupError {
    /// A setting has no meaning.
    #[error("the SQLite setting {name} is wrong: {reason}")]
    Setting {
        /// The field of the configuration.
        name: &'static str,
        /// What it should be.
        reason: &'static str,
    },
    /// The file is not there and cannot be made, or nobody may write to it.
    #[error("cannot open the SQLite database {}: {reason}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file holds something else.
    #[error("{} is not a SQLite database; it is left as it is", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// Migrations have not been run.
    #[error("the database lacks migrations: {}; run `roster migrate`", missing.join(", "))]
    Missing {
        /// Their names, in order.
        missing: Vec<String>,
    },
    /// A newer program made the schema.
    #[error("the database is of a newer version of Roster: it has the migration {version}, unknown here")]
    Newer {
        /// The newest migration that is unknown.
        version: String,
    },
    /// A migration could not be run; those before it were.
    #[error("cannot migrate the database: {reason}")]
    Migration {
        /// What the database says.
        reason: String,
        /// The whole of it.
        #[source]
        source: BoxError,
    },
}
