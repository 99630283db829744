//! A look at the file and its schema, which changes nothing and makes no file.

use std::time::{Instant, SystemTime};

use async_trait::async_trait;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;
use roster_domain::chain;
use roster_domain::ports::{Examination, Finding};
use tokio::task::spawn_blocking;

use crate::connector::{Connector, TRY_TO_WRITE};
use crate::error::Error;
use crate::{SetupError, SqliteConfig, migrations};

/// What a person is told of.
const DATABASE: &str = "database";
const SCHEMA: &str = "schema";
const CLOCK: &str = "clock";

/// A file that is not opened before somebody asks.
#[derive(Debug, Clone)]
pub struct SqliteExamination {
    config: SqliteConfig,
    migrates: bool,
}

impl SqliteExamination {
    /// The file that `config` names, for a program that does or does not bring the schema up to date as it starts.
    pub fn of(config: SqliteConfig, migrates: bool) -> Self {
        Self { config, migrates }
    }

    fn look(&self) -> Vec<Finding> {
        let path = &self.config.path;
        let connector = match Connector::of(&self.config) {
            Ok(connector) => connector,
            Err(refused) => return vec![Finding::failed(DATABASE, refused.to_string())],
        };
        if !path.exists() {
            let told = format!("{} is not there yet: the first start that migrates makes it", path.display());
            let finding = if self.migrates { Finding::warning } else { Finding::failed };
            return vec![finding(DATABASE, told)];
        }
        let began = Instant::now();
        let opened = connector.there().and_then(|mut conn| Ok((version(&mut conn)?, conn)));
        let (version, mut conn) = match opened {
            Ok(opened) => opened,
            Err(error) => return vec![Finding::failed(DATABASE, self.why(&error))],
        };
        let written = conn.batch_execute(TRY_TO_WRITE).map_err(Error::from);
        let database = written.map_or_else(
            |error| Finding::failed(DATABASE, self.why(&error)),
            |()| {
                let told = format!("{} can be written, in {:.1?}", path.display(), began.elapsed());
                Finding::ok(DATABASE, format!("{told} (SQLite {version})"))
            },
        );
        vec![database, schema(migrations::check(&mut conn), self.migrates), self.clock()]
    }

    fn why(&self, error: &Error) -> String {
        format!("{}: {}", self.config.path.display(), chain(error))
    }

    /// The file was written by this machine's clock, or by one of a machine that it was on before.
    fn clock(&self) -> Finding {
        let written = std::fs::metadata(&self.config.path).and_then(|file| file.modified());
        match written.map(|written| written.duration_since(SystemTime::now())) {
            Ok(Ok(ahead)) if ahead.as_secs() > 0 => {
                let told = format!("the file was last written {ahead:.0?} from now: this clock is slow");
                Finding::warning(CLOCK, told)
            }
            Ok(_) => Finding::ok(CLOCK, "is not behind the last write"),
            Err(error) => Finding::warning(CLOCK, format!("cannot tell when the file was written: {error}")),
        }
    }
}

#[async_trait]
impl Examination for SqliteExamination {
    async fn examine(&self) -> Vec<Finding> {
        let this = self.clone();
        let looked = spawn_blocking(move || this.look()).await;
        looked.unwrap_or_else(|stopped| vec![Finding::failed(DATABASE, stopped.to_string())])
    }
}

fn version(conn: &mut SqliteConnection) -> Result<String, Error> {
    #[derive(QueryableByName)]
    struct Version {
        #[diesel(sql_type = Text)]
        version: String,
    }
    // It reads the file, too.
    let asked = "SELECT sqlite_version() AS version, (SELECT count(*) FROM sqlite_schema)";
    let found: Version = diesel::sql_query(asked).get_result(conn)?;
    Ok(found.version)
}

/// What is missing a start brings, if it migrates; what is newer it serves with, if it does not.
fn schema(checked: Result<Vec<String>, SetupError>, migrates: bool) -> Finding {
    match checked.map(|mut newer| newer.pop()) {
        Ok(None) => Finding::ok(SCHEMA, "is up to date"),
        Ok(Some(version)) if migrates => Finding::failed(SCHEMA, SetupError::Newer { version }.to_string()),
        Ok(Some(version)) => Finding::warning(SCHEMA, SetupError::Newer { version }.to_string()),
        Err(behind @ SetupError::Missing { .. }) if migrates => Finding::warning(SCHEMA, behind.to_string()),
        Err(error) => Finding::failed(SCHEMA, error.to_string()),
    }
}
