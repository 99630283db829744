//! All users, from one snapshot, in batches.

use std::sync::Arc;
use std::time::Duration;

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use roster_domain::User;
use roster_domain::ports::UserRepositoryError;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::SendTimeoutError;

use crate::columns::UserColumns;
use crate::connector::Connector;
use crate::error::Error;
use crate::pool::Pool;
use crate::rows::UserRow;
use crate::schema::users;
use crate::turns::Turns;

/// How many users a batch has.
const BATCH: i64 = 1_000;

/// How long a batch waits for its receiver. What is deleted meanwhile cannot be cleaned up on the server.
const PATIENCE: Duration = Duration::from_secs(600);

/// How a snapshot begins.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// The server lets it wait longer than the receiver may take.
const IDLE: &str = "SET LOCAL idle_in_transaction_session_timeout = '11min'";

type Batch = Result<Vec<User>, UserRepositoryError>;

/// Exports hold a connection each for as long as their receivers take: so only some of the pool's are
/// theirs.
#[derive(Clone)]
pub(crate) struct Exports {
    turns: Turns,
    begin: Arc<str>,
}

impl Exports {
    /// At most a quarter of a pool of this size. `wait` is for the end of another export.
    pub(crate) fn of_pool(size: usize, wait: Duration, connector: &Connector) -> Self {
        let begin = format!("{}; {IDLE}", connector.begin(BEGIN)).into();
        Self { turns: Turns::new(size / 4, wait, "exports"), begin }
    }

    /// Begins with the first batch that is asked for. A task of its own reads, one batch ahead, and ends
    /// when nobody asks any more.
    pub(crate) fn stream(&self, pool: &Pool) -> BoxStream<'static, Batch> {
        let (exports, pool) = (self.clone(), pool.clone());
        stream::once(async move {
            let (batches, receiver) = mpsc::channel(1);
            let reading = tokio::spawn(async move {
                if let Err(error) = exports.run(&pool, &batches).await {
                    // Nobody asks any more where this fails.
                    let _ = batches.send(Err(error.into())).await;
                }
            });
            stream::unfold(Some((receiver, reading)), async |under_way| {
                let (mut receiver, reading) = under_way?;
                if let Some(batch) = receiver.recv().await {
                    return Some((batch, Some((receiver, reading))));
                }
                // All was sent, unless who reads was stopped amid it, as where its runtime ends.
                let stopped = reading.await.err()?;
                Some((Err(Error::from(stopped).into()), None))
            })
        })
        .flatten()
        .boxed()
    }

    async fn run(&self, pool: &Pool, batches: &mpsc::Sender<Batch>) -> Result<(), Error> {
        let _turn = self.turns.take().await?;
        let mut conn = pool.begin_by(&self.begin).await?;
        let outcome = send_all(&mut conn, pool, batches).await;
        conn.finish(outcome).await
    }
}

/// Sends all batches.
async fn send_all(
    conn: &mut AsyncPgConnection,
    pool: &Pool,
    batches: &mpsc::Sender<Batch>,
) -> Result<(), Error> {
    let mut last = 0;
    loop {
        let next = users::table.filter(users::id.gt(last)).order(users::id).limit(BATCH).select(UserColumns);
        let rows: Vec<UserRow> = pool.in_time(async { Ok(next.load(conn).await?) }).await?;
        let Some(newest) = rows.last() else { return Ok(()) };
        last = newest.id();
        let users = rows.into_iter().map(User::try_from).collect::<Result<_, _>>()?;
        match batches.send_timeout(Ok(users), PATIENCE).await {
            Ok(()) => {}
            Err(SendTimeoutError::Closed(_)) => return Ok(()),
            Err(SendTimeoutError::Timeout(_)) => {
                return Err(Error::Unavailable("the receiver is too slow".into()));
            }
        }
    }
}
