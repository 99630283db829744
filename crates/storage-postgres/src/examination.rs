//! A look at the server, the database and its schema, which changes nothing.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Double, Text};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use roster_domain::ports::{Examination, Finding};
use tokio::time::timeout;

use crate::{Postgres, PostgresConfig, SetupError};

/// What a person is told of.
const DATABASE: &str = "database";
const SCHEMA: &str = "schema";
const CLOCK: &str = "clock";

/// How long the server may take to answer.
const ANSWER: Duration = Duration::from_secs(3);

/// How far apart two clocks may be, in seconds, before somebody should know: events say when they happened.
const APART: f64 = 1.0;

/// What the server says of itself.
#[derive(QueryableByName)]
struct Server {
    #[diesel(sql_type = Text)]
    version: String,
    #[diesel(sql_type = Bool)]
    takes_writes: bool,
    #[diesel(sql_type = Bool)]
    may_write: bool,
    #[diesel(sql_type = Bool)]
    loses_commits: bool,
    #[diesel(sql_type = Double)]
    now: f64,
}

const ASKED: &str = "SELECT current_setting('server_version') AS version, \
     NOT current_setting('transaction_read_only')::bool AS takes_writes, \
     coalesce(has_table_privilege(to_regclass('events'), 'SELECT, INSERT, UPDATE, DELETE'), \
              has_schema_privilege(current_schema(), 'CREATE'), false) AS may_write, \
     current_setting('synchronous_commit') = 'off' AS loses_commits, \
     extract(epoch FROM clock_timestamp())::float8 AS now";

/// A database that is not asked before somebody wants to know.
#[derive(Clone)]
pub struct PostgresExamination {
    store: Postgres,
    migrates: bool,
}

impl PostgresExamination {
    /// The database that `config` names, for a program that does or does not bring the schema up to date as it starts.
    ///
    /// # Errors
    ///
    /// Where a setting has no meaning.
    pub fn of(config: PostgresConfig, migrates: bool) -> Result<Self, SetupError> {
        Ok(Self { store: Postgres::new(config)?, migrates })
    }
}

#[async_trait]
impl Examination for PostgresExamination {
    async fn examine(&self) -> Vec<Finding> {
        let connector = &self.store.connector;
        let servers = &connector.servers;
        let mut conn = match connector.connect().await {
            Ok(conn) => conn,
            Err(error) => return vec![Finding::failed(DATABASE, format!("{servers}: {error}"))],
        };
        match timeout(ANSWER, ask(&mut conn)).await {
            Ok(Ok((server, took))) => {
                let (database, clock) = (server.database(servers, took), server.clock(took));
                match self.store.check_schema().await {
                    Err(unfit @ (SetupError::Encoding { .. } | SetupError::Version { .. })) => {
                        vec![Finding::failed(DATABASE, format!("{servers}: {unfit}")), clock]
                    }
                    checked => vec![database, schema(checked, self.migrates), clock],
                }
            }
            Ok(Err(error)) => vec![Finding::failed(DATABASE, format!("{servers}: {error}"))],
            Err(_) => {
                vec![Finding::failed(DATABASE, format!("{servers} does not answer within {ANSWER:?}"))]
            }
        }
    }
}

/// What the server says, and how long it took, without what it does for a first question alone.
async fn ask(conn: &mut AsyncPgConnection) -> QueryResult<(Server, Duration)> {
    // In one transaction: a proxy may lend the connection for no longer.
    let asked = conn.transaction(async |conn| {
        diesel::sql_query(ASKED).execute(conn).await?;
        let began = Instant::now();
        let server = diesel::sql_query(ASKED).get_result(conn).await?;
        Ok((server, began.elapsed()))
    });
    asked.await
}

impl Server {
    fn database(&self, servers: &str, took: Duration) -> Finding {
        let told = format!("{servers} answers in {took:.1?} (PostgreSQL {})", self.version);
        if !self.takes_writes {
            Finding::failed(DATABASE, format!("{told}, and takes no writes: it is a replica, or read-only"))
        } else if !self.may_write {
            Finding::failed(DATABASE, format!("{told}, and this user may not write there"))
        } else if self.loses_commits {
            let why = "synchronous_commit is off, so that a crash loses what was acknowledged";
            Finding::warning(DATABASE, format!("{told}; {why}"))
        } else {
            Finding::ok(DATABASE, told)
        }
    }

    fn clock(&self, took: Duration) -> Finding {
        let here = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let apart = here - self.now;
        if apart.abs() > APART + took.as_secs_f64() {
            let how = if apart > 0.0 { "ahead of" } else { "behind" };
            Finding::warning(CLOCK, format!("is {:.1} s {how} the database's", apart.abs()))
        } else {
            Finding::ok(CLOCK, "is the database's, to the second")
        }
    }
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
