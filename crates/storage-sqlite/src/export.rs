//! All users, from one snapshot, in batches.

use std::time::{Duration, Instant};

use diesel::prelude::*;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use roster_domain::User;
use roster_domain::ports::UserRepositoryError;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::SendTimeoutError;

use crate::SetupError;
use crate::connector::Connector;
use crate::error::Error;
use crate::limited::Limited;
use crate::readers::Readers;
use crate::rows::UserRow;
use crate::schema::users;
use crate::turns::Turns;

/// How many users a batch has.
const BATCH: i64 = 1_000;

/// How long a batch waits for its receiver.
const PATIENCE: Duration = Duration::from_secs(600);

/// How large the write-ahead log may become before an export ends that has lasted for longer than this: while its
/// snapshot is open the log only grows.
const MOST_LOG_BYTES: u64 = 1024 * 1024 * 1024;
const LASTING: Duration = Duration::from_secs(60);

/// How often that is looked at while a batch waits.
const LOOK: Duration = Duration::from_secs(5);

type Batch = Result<Vec<User>, UserRepositoryError>;

/// Exports hold a connection each for as long as their receivers take: so they have connections of their own, and no
/// request waits for them.
#[derive(Clone)]
pub(crate) struct Exports {
    connector: Connector,
    readers: Readers,
    turns: Turns,
}

impl Exports {
    /// Half as many at once as there are readers for requests. `wait` is for the end of another export.
    pub(crate) fn new(connector: &Connector, readers: usize, wait: Duration) -> Result<Self, SetupError> {
        let most = (readers / 2).max(1);
        Ok(Self {
            connector: connector.clone(),
            readers: Readers::new(connector.clone(), most, wait)?,
            turns: Turns::new(most, wait, "exports"),
        })
    }

    /// Begins with the first batch that is asked for. A thread of its own reads, one batch ahead, and ends
    /// when nobody asks any more.
    pub(crate) fn stream(&self) -> BoxStream<'static, Batch> {
        let exports = self.clone();
        stream::once(async move {
            let (batches, receiver) = mpsc::channel(1);
            let reading = tokio::spawn(async move {
                if let Err(error) = exports.run(batches.clone()).await {
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

    async fn run(&self, batches: mpsc::Sender<Batch>) -> Result<(), Error> {
        let _turn = self.turns.take().await?;
        let (runtime, connector) = (Handle::current(), self.connector.clone());
        let send = move |conn: &mut SqliteConnection| {
            conn.transaction(|conn| send_all(conn, &connector, &runtime, &batches))
        };
        self.readers.read(send).await
    }
}

/// Sends all batches, in a transaction that the first of them begins.
fn send_all(
    conn: &mut SqliteConnection,
    connector: &Connector,
    runtime: &Handle,
    batches: &mpsc::Sender<Batch>,
) -> Result<(), Error> {
    let (began, mut last) = (Instant::now(), 0);
    loop {
        let later = users::table.filter(users::id.gt(last)).order(users::id);
        let rows: Vec<UserRow> = Limited(later.select(UserRow::as_select()), BATCH).load(conn)?;
        let Some(newest) = rows.last() else { return Ok(()) };
        last = newest.id();
        let users = rows.into_iter().map(User::try_from).collect::<Result<_, _>>()?;
        let (waiting, mut batch) = (Instant::now(), Ok(users));
        loop {
            if began.elapsed() > LASTING && connector.log_bytes() > MOST_LOG_BYTES {
                return Err(Error::Unavailable(
                    "the receiver is too slow: what is written meanwhile takes too much room".into(),
                ));
            }
            match runtime.block_on(batches.send_timeout(batch, LOOK)) {
                Ok(()) => break,
                Err(SendTimeoutError::Closed(_)) => return Ok(()),
                Err(SendTimeoutError::Timeout(unsent)) if waiting.elapsed() < PATIENCE => batch = unsent,
                Err(SendTimeoutError::Timeout(_)) => {
                    return Err(Error::Unavailable("the receiver is too slow".into()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use roster_domain::ports::{EventLog, HealthCheck, Outbox, UserRepository};
    use roster_domain::{Commit, Email, Name, NewUser, Position, Timestamp};

    use crate::{Sqlite, SqliteConfig};

    /// Seen to fail where an export took one of the readers: here the only one.
    #[tokio::test]
    async fn nobody_waits_for_an_export_that_is_read_slowly() {
        let folder = tempfile::tempdir().unwrap();
        let config = SqliteConfig { readers: 1, ..SqliteConfig::new(folder.path().join("a.db")) };
        let store = Sqlite::open(config).unwrap();
        store.migrate().await.unwrap();
        let at = Timestamp::from_micros(1).unwrap();
        let new = |nth| NewUser {
            email: Email::parse(&format!("user{nth}@example.org")).unwrap(),
            name: Name::parse("Ada").unwrap(),
        };
        let users = (0..5_000).map(|nth| (new(nth), Commit::at(at))).collect();
        store.users().create_many(users).await.unwrap();

        let mut export = store.users().export();
        assert!(futures_util::StreamExt::next(&mut export).await.unwrap().is_ok());

        store.check().await.unwrap();
        assert_eq!(store.events().read(Position::START, 10).await.unwrap().len(), 10);
        assert!(store.outbox().unpublished(10).await.unwrap().is_some());
    }
}
