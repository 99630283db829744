use roster_domain::BoxError;
use thiserror::Error;

/// Why a store could not be made ready. Each message is one line that a person can act on, and none holds a
/// password.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The URL is not one that this store understands.
    #[error("the PostgreSQL URL is wrong: {0}")]
    Url(String),
    /// The same, or that there is no connection, of the way around a proxy.
    #[error(transparent)]
    Direct(Box<SetupError>),
    /// A setting has no meaning.
    #[error("the PostgreSQL setting {name} is wrong: {reason}")]
    Setting {
        /// The field of the configuration.
        name: &'static str,
        /// What it should be.
        reason: &'static str,
    },
    /// The certificates to trust could not be read.
    #[error("cannot read the root certificates of {from}: {reason}")]
    RootCertificates {
        /// The file, or where else they were looked for.
        from: String,
        /// What is wrong there.
        reason: String,
    },
    /// The server is away, or let nobody in.
    #[error("cannot connect to PostgreSQL at {server}: {reason}")]
    Connect {
        /// `host:port`, of each host.
        server: String,
        /// What the server, or the way to it, says.
        reason: String,
    },
    /// The server is too old.
    #[error("PostgreSQL {version} is too old: it is to be {oldest} or later")]
    Version {
        /// That of the server.
        version: String,
        /// The oldest that will do.
        oldest: i32,
    },
    /// The database cannot hold every name, or counts bytes for characters.
    #[error(
        "the database is encoded in {encoding}, and not in UTF8: make one WITH ENCODING 'UTF8' TEMPLATE template0"
    )]
    Encoding {
        /// That of the database.
        encoding: String,
    },
    /// Another instance holds the lock of the migrations for too long.
    #[error("another instance has been migrating the database for more than {seconds} s; try again later")]
    Locked {
        /// How long this one waited.
        seconds: u64,
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
