//! All users, from one snapshot, in batches.

use std::sync::Arc;
use std::time::Duration;

use diesel::prelude::*;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use roster_domain::User;
use roster_domain::ports::UserRepositoryError;
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use crate::error::Error;
use crate::limited::Limited;
use crate::readers::Readers;
use crate::rows::UserRow;
use crate::schema::users;

/// How many users a batch has.
const BATCH: i64 = 1_000;

/// How long a batch waits for its receiver. The log of writes cannot shrink while a snapshot is open.
const PATIENCE: Duration = Duration::from_secs(60);

type Batch = Result<Vec<User>, UserRepositoryError>;

/// The longest that one waits for the end of another: an export that was given up ends within it, and whoever asks is
/// told before a request may take no longer.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Exports hold a connection each for as long as their receivers take: so only some of the readers are
/// theirs.
#[derive(Clone)]
pub(crate) struct Exports {
    turns: Arc<Semaphore>,
    wait: Duration,
}

impl Exports {
    /// At most half of so many readers. `wait` is for the end of another export.
    pub(crate) fn of_readers(size: usize, wait: Duration) -> Self {
        Self { turns: Arc::new(Semaphore::new((size / 2).max(1))), wait }
    }

    /// Begins with the first batch that is asked for. A thread of its own reads, one batch ahead, and ends
    /// when nobody asks any more.
    pub(crate) fn stream(&self, readers: &Readers) -> BoxStream<'static, Batch> {
        let (exports, readers) = (self.clone(), readers.clone());
        stream::once(async move {
            let (batches, receiver) = mpsc::channel(1);
            tokio::spawn(async move {
                if let Err(error) = exports.run(&readers, batches.clone()).await {
                    // Nobody asks any more where this fails.
                    let _ = batches.send(Err(error.into())).await;
                }
            });
            stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)))
        })
        .flatten()
        .boxed()
    }

    async fn run(&self, readers: &Readers, batches: mpsc::Sender<Batch>) -> Result<(), Error> {
        let turn = timeout(self.wait.min(LONGEST_WAIT), self.turns.acquire()).await;
        let _turn = turn.map_err(|_| Error::Unavailable("too many exports are under way".into()))?;
        let runtime = Handle::current();
        readers.read(move |conn| conn.transaction(|conn| send_all(conn, &runtime, &batches))).await
    }
}

/// Sends all batches, in a transaction that the first of them begins.
fn send_all(
    conn: &mut SqliteConnection,
    runtime: &Handle,
    batches: &mpsc::Sender<Batch>,
) -> Result<(), Error> {
    let mut last = 0;
    loop {
        let later = users::table.filter(users::id.gt(last)).order(users::id);
        let rows: Vec<UserRow> = Limited(later.select(UserRow::as_select()), BATCH).load(conn)?;
        let Some(newest) = rows.last() else { return Ok(()) };
        last = newest.id();
        let users = rows.into_iter().map(User::try_from).collect::<Result<_, _>>()?;
        match runtime.block_on(batches.send_timeout(Ok(users), PATIENCE)) {
            Ok(()) => {}
            Err(SendTimeoutError::Closed(_)) => return Ok(()),
            Err(SendTimeoutError::Timeout(_)) => {
                return Err(Error::Unavailable("the receiver is too slow".into()));
            }
        }
    }
}
