//! Who publishes: whoever holds an advisory lock, on a connection of its own, which the server takes back when
//! that connection ends, however it does; and when nothing is heard on it for some seconds.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use diesel::sql_types::{BigInt, Bool};
use diesel::{QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use roster_domain::ports::Lead;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::connector::Connector;
use crate::error::Error;
use crate::prepared::Prepared;

/// The lock's key: "relay" in ASCII. Keys are of one database, and this is none of the migrations'.
const KEY: i64 = 0x72_656c_6179;

/// How long the server may take to answer before the lead counts as lost.
const ANSWER: Duration = Duration::from_secs(2);

/// Has the server end a session on which whoever leads asks nothing for five seconds, as one that is frozen does, and
/// one whose machine is gone with an answer on its way. What an older server does not know is left.
const SILENT: &str = "SELECT set_config('tcp_user_timeout', '5s', false), \
     set_config('idle_session_timeout', '5s', false) \
     WHERE current_setting('server_version_num')::int >= 140000";

/// The same for a transaction in a session that belongs to a proxy.
const SILENT_TRANSACTION: &str = "SET LOCAL idle_in_transaction_session_timeout = '5s'";

/// Asks for the lock, again and again, on one connection.
#[derive(Clone)]
pub(crate) struct Candidate {
    connector: Connector,
    /// The connection of whoever stands by.
    conn: Arc<Mutex<Option<AsyncPgConnection>>>,
}

impl Candidate {
    pub(crate) fn new(connector: Connector) -> Self {
        Self { connector, conn: Arc::default() }
    }

    /// Takes the lock, if nobody has it.
    pub(crate) async fn take(&self) -> Result<Option<PgLead>, Error> {
        let mut kept = self.conn.lock().await;
        let mut conn = match kept.take() {
            Some(conn) => conn,
            None => self.connector.connect().await.map_err(|error| Error::Unavailable(error.into()))?,
        };
        let taken = timeout(ANSWER, self.try_lock(&mut conn)).await;
        if taken.map_err(|late| Error::Unavailable(late.into()))?? {
            return Ok(Some(PgLead { conn, is_lost: false }));
        }
        *kept = Some(conn);
        Ok(None)
    }

    /// Tries to lock for the session; or, behind a proxy that pools by transaction, for a transaction that is
    /// left open: the proxy would give the session to somebody else, with the lock on it.
    async fn try_lock(&self, conn: &mut AsyncPgConnection) -> Result<bool, Error> {
        if !self.connector.is_by_transaction() {
            check_takes_writes(conn).await?;
            let taken = ask(conn, "SELECT pg_try_advisory_lock($1) AS answer").await?;
            if taken {
                conn.batch_execute(SILENT).await?;
            }
            return Ok(taken);
        }
        conn.batch_execute("BEGIN").await?;
        check_takes_writes(conn).await?;
        let taken = ask(conn, "SELECT pg_try_advisory_xact_lock($1) AS answer").await?;
        conn.batch_execute(if taken { SILENT_TRANSACTION } else { "ROLLBACK" }).await?;
        Ok(taken)
    }
}

/// The lock, for as long as this is kept.
pub(crate) struct PgLead {
    conn: AsyncPgConnection,
    is_lost: bool,
}

#[async_trait]
impl Lead for PgLead {
    async fn is_held(&mut self) -> bool {
        if !self.is_lost {
            let answer = timeout(ANSWER, ask(&mut self.conn, TAKES_WRITES)).await;
            self.is_lost = !matches!(answer, Ok(Ok(true)));
        }
        !self.is_lost
    }

    /// Half a second between two questions, and the time for an answer, with some to spare.
    fn overlap(&self) -> Duration {
        ANSWER + Duration::from_secs(1)
    }
}

/// Whether the server takes writes; it is asked so that a key is bound, as wherever it is.
const TAKES_WRITES: &str = "SELECT $1 > 0 AND NOT current_setting('transaction_read_only')::bool AS answer";

/// A standby gives its locks to whoever asks: they are not those of the server that it follows.
pub(crate) async fn check_takes_writes(conn: &mut AsyncPgConnection) -> Result<(), Error> {
    if ask(conn, TAKES_WRITES).await? { Ok(()) } else { Err(Error::ReadOnly) }
}

async fn ask(conn: &mut AsyncPgConnection, question: &str) -> QueryResult<bool> {
    #[derive(QueryableByName)]
    struct Answer {
        #[diesel(sql_type = Bool)]
        answer: bool,
    }
    let asked = Prepared(diesel::sql_query(question).bind::<BigInt, _>(KEY));
    let answer: Answer = asked.get_result(conn).await?;
    Ok(answer.answer)
}
