use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::seconds;

/// Where users are kept.
#[derive(Clone, clap::Args)]
#[command(next_help_heading = "Database")]
pub(crate) struct DatabaseConfig {
    /// Where users are kept.
    #[arg(
        id = "database-url",
        long,
        env = "DATABASE_URL",
        global = true,
        default_value = "sqlite:roster.db",
        hide_env_values = true,
        value_name = "URL",
        help = "sqlite:FILE, or postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=...; of several servers, as in \
                HOST:PORT,HOST:PORT, it is the one that takes writes, unless target_session_attrs says otherwise; \
                opening a connection may take 3 seconds at each address of each, or connect_timeout=SECONDS"
    )]
    pub url: DatabaseUrl,
    /// The way around a proxy.
    #[arg(
        id = "database-direct-url",
        long,
        env = "ROSTER_DATABASE_DIRECT_URL",
        global = true,
        hide_env_values = true,
        value_parser = postgres,
        value_name = "URL",
        help = "The same PostgreSQL by a way around a proxy that pools by transaction, for what needs a session of \
                its own: migrations, and the lock of whoever publishes events [default: there is no proxy, or all \
                goes through it]"
    )]
    pub direct_url: Option<String>,
    /// The most connections to keep: 1 ... 1024 [default: 4 on SQLite, 16 on PostgreSQL]
    #[arg(
        id = "database-pool-size", long, env = "ROSTER_DATABASE_POOL_SIZE", global = true,
        value_parser = pool_size, value_name = "NUMBER"
    )]
    pub pool_size: Option<NonZeroUsize>,
    /// How long a request waits for a connection when all are in use, on PostgreSQL; then it is answered with 503
    #[arg(
        id = "database-pool-wait", long, env = "ROSTER_DATABASE_POOL_WAIT", global = true,
        value_parser = seconds, default_value = "0.5", value_name = "SECONDS"
    )]
    pub pool_wait: Duration,
    /// How long a statement may take, on PostgreSQL; then the server cancels it, and the request is answered with 503
    #[arg(
        id = "database-statement-timeout", long, env = "ROSTER_DATABASE_STATEMENT_TIMEOUT", global = true,
        value_parser = seconds, default_value = "2", value_name = "SECONDS"
    )]
    pub statement_timeout: Duration,
    /// Keep prepared statements, on PostgreSQL; not behind a proxy that pools by transaction
    #[arg(
        id = "database-statement-cache", long, env = "ROSTER_DATABASE_STATEMENT_CACHE", global = true,
        action = clap::ArgAction::Set, default_value_t = true, hide_possible_values = true,
        num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL"
    )]
    pub statement_cache: bool,
    /// Bring the database's schema up to date at the start; else take it as it is, newer or not, if it lacks nothing
    #[arg(
        long, env = "ROSTER_MIGRATE", global = true,
        action = clap::ArgAction::Set, default_value_t = true, hide_possible_values = true,
        num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL"
    )]
    pub migrate: bool,
}

impl DatabaseConfig {
    /// The setting that says which database it is.
    pub(crate) const URL: &'static str = "--database-url (DATABASE_URL)";

    /// The setting that says how to get to it around a proxy.
    pub(crate) const DIRECT_URL: &'static str = "--database-direct-url (ROSTER_DATABASE_DIRECT_URL)";
}

impl fmt::Debug for DatabaseConfig {
    /// Leaves out the way around a proxy, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseConfig").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Which database, chosen by the URL's scheme.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum DatabaseUrl {
    /// `sqlite:FILE`
    Sqlite(PathBuf),
    /// `postgres://…` or `postgresql://…`, whole
    Postgres(String),
}

impl DatabaseUrl {
    /// What keeps the data, as OpenTelemetry's conventions call it.
    pub(crate) fn system(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgresql",
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = &'static str;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.is_empty() {
                Err("must name a file, as in sqlite:roster.db")
            } else {
                Ok(Self::Sqlite(path.into()))
            };
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url.to_owned()));
        }
        Err("must begin with sqlite:, postgres:// or postgresql://")
    }
}

impl fmt::Display for DatabaseUrl {
    /// What a person may see of it: of a server's URL no user, password or parameter.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "{} (SQLite)", path.display()),
            Self::Postgres(url) => write!(f, "{} (PostgreSQL)", place(url).unwrap_or("a database")),
        }
    }
}

/// Servers and database of a URL. None where an `@` may be one of a password, of which the rest would be shown; a `?`
/// may be one of a password that an `@` ends.
fn place(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let (before, place) = rest.split_once('@').unwrap_or(("", rest));
    let is_amid_parameters = before.split_once('?').is_some_and(|(_, after)| after.contains('='));
    let place = place.split('?').next().filter(|_| !place.contains('@'));
    place.filter(|_| !is_amid_parameters)
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The URL of a PostgreSQL.
fn postgres(text: &str) -> Result<String, &'static str> {
    match text.parse() {
        Ok(DatabaseUrl::Postgres(url)) => Ok(url),
        _ => Err("must begin with postgres:// or postgresql://"),
    }
}

fn pool_size(text: &str) -> Result<NonZeroUsize, &'static str> {
    let size = text.parse().ok().filter(|size: &NonZeroUsize| size.get() <= 1024);
    size.ok_or("must be a whole number from 1 to 1024")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_chooses_the_database() {
        for (url, path) in
            [("sqlite:a.db", "a.db"), ("sqlite:///var/a.db", "/var/a.db"), ("sqlite:/a b.db", "/a b.db")]
        {
            assert_eq!(url.parse(), Ok(DatabaseUrl::Sqlite(path.into())));
        }
        for url in ["postgres://a@b/c", "postgresql://a@b/c?sslmode=require"] {
            assert_eq!(url.parse(), Ok(DatabaseUrl::Postgres(url.to_owned())));
        }
        for url in ["", "sqlite:", "sqlite://", "roster.db", "mysql://a@b/c", "postgres:a"] {
            assert!(url.parse::<DatabaseUrl>().is_err(), "{url}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let url = "postgres://ada:s@cr?t@db:5432/users?password=secret";
        for url in [url, "postgres://ada:secret@db:5432/users?password=secret"] {
            let shown = url.parse::<DatabaseUrl>().map(|url| format!("{url} {url:?}")).unwrap();
            assert!(!shown.contains("s@cr") && !shown.contains("secret"), "{shown}");
        }
        for (url, shown) in [
            ("postgres://ada:secret@db:5432/users", "db:5432/users (PostgreSQL)"),
            ("postgres://ada:se?cret@db:5432/users?sslmode=disable", "db:5432/users (PostgreSQL)"),
            ("postgres://db/users?user=ada", "db/users (PostgreSQL)"),
            ("postgres://ada:s@cr?t@db/users", "a database (PostgreSQL)"),
            ("postgres://ada@db/users?password=s@cret", "a database (PostgreSQL)"),
            ("postgres://db/users?user=ada&password=s@cret", "a database (PostgreSQL)"),
        ] {
            assert_eq!(url.parse::<DatabaseUrl>().unwrap().to_string(), shown);
        }
    }
}
