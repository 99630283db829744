//! Group commit: what costs a write most is that it is made durable, and what waits together can be
//! made durable together. Each has its own outcome, which is told after the commit.
//!
//! A write that is alone waits for nobody. Where a shared transaction fails as a whole, each write is done again in a
//! transaction of its own, so that no write fails for another's fault; but where another process keeps it from
//! beginning, all have waited long enough.

use std::sync::Arc;

use diesel::SqliteConnection;
use diesel::connection::Connection;
use diesel::result::Error as DieselError;
use tokio::sync::oneshot;

use crate::error::{Error, Fault};
use crate::transaction::immediate;
use crate::writer::Kept;

/// How many writes share a commit at the most: some milliseconds of work.
pub(crate) const MOST: usize = 32;

/// A write that may share its transaction, with whoever waits for its outcome.
pub(crate) trait Share: Send {
    /// Whether somebody still waits for its outcome.
    fn is_awaited(&self) -> bool;

    /// Does it, and keeps the outcome. Fails where the transaction is in doubt, which others share.
    fn attempt(&mut self, conn: &mut SqliteConnection) -> Result<(), InDoubt>;

    /// Tells the outcome, now that it is durable.
    fn tell(self: Box<Self>);

    /// Does it in a transaction of its own, and tells the outcome; also whether the connection is as good as
    /// before.
    fn alone(self: Box<Self>, conn: Result<&mut SqliteConnection, Error>) -> bool;
}

/// A transaction was rolled back; for this reason, where the database gave one.
#[derive(Debug)]
pub(crate) struct InDoubt(Option<DieselError>);

impl From<DieselError> for InDoubt {
    fn from(error: DieselError) -> Self {
        Self(Some(error))
    }
}

/// A write that was asked for.
pub(crate) struct Asked<Work, T> {
    work: Work,
    outcome: Option<Result<T, Error>>,
    answer: oneshot::Sender<Result<T, Error>>,
}

impl<Work, T> Asked<Work, T> {
    /// With where its outcome will be told.
    pub(crate) fn new(work: Work) -> (Self, oneshot::Receiver<Result<T, Error>>) {
        let (answer, outcome) = oneshot::channel();
        (Self { work, outcome: None, answer }, outcome)
    }
}

impl<Work, T> Share for Asked<Work, T>
where
    Work: Fn(&mut SqliteConnection) -> Result<T, Error> + Send,
    T: Send,
{
    fn is_awaited(&self) -> bool {
        !self.answer.is_closed()
    }

    fn attempt(&mut self, conn: &mut SqliteConnection) -> Result<(), InDoubt> {
        // A transaction within the shared one is a savepoint: a write that fails takes back its own steps alone.
        let outcome = conn.transaction(&self.work);
        if outcome.as_ref().is_err_and(|error| !error.spares_connection()) {
            return Err(InDoubt(None));
        }
        self.outcome = Some(outcome);
        Ok(())
    }

    fn tell(self: Box<Self>) {
        if let Some(outcome) = self.outcome {
            // Whoever asked may be gone; what was done stays.
            let _ = self.answer.send(outcome);
        }
    }

    fn alone(self: Box<Self>, conn: Result<&mut SqliteConnection, Error>) -> bool {
        let outcome = conn.and_then(|conn| immediate(conn, &self.work));
        let sound = outcome.as_ref().map_or_else(Error::spares_connection, |_| true);
        let _ = self.answer.send(outcome);
        sound
    }
}

/// Does writes in one transaction, or each in its own where there is but one, or where that fails.
pub(crate) fn commit(kept: &mut Kept<'_>, mut batch: Vec<Box<dyn Share>>) {
    // Whoever gave up may have said so: what was not begun is not done.
    batch.retain(|one| one.is_awaited());
    if batch.len() > 1 {
        let mut outcome = Outcome::InDoubt;
        kept.run(|conn| {
            outcome = conn.map_or(Outcome::InDoubt, |conn| commit_all(conn, &mut batch));
            matches!(outcome, Outcome::Committed)
        });
        match outcome {
            Outcome::Committed => return batch.into_iter().for_each(Share::tell),
            Outcome::NotBegun(error) => {
                let refused = || Error::Unavailable(Box::new(Arc::clone(&error)));
                return batch.into_iter().for_each(|one| _ = one.alone(Err(refused())));
            }
            Outcome::InDoubt => {}
        }
    }
    for one in batch {
        // Each may wait for another process, and those behind it have given up meanwhile.
        if one.is_awaited() {
            kept.run(|conn| one.alone(conn));
        }
    }
}

/// What became of a shared transaction.
enum Outcome {
    Committed,
    /// Another process writes, and did so for as long as we wait.
    NotBegun(Arc<DieselError>),
    InDoubt,
}

fn commit_all(conn: &mut SqliteConnection, batch: &mut [Box<dyn Share>]) -> Outcome {
    let mut has_begun = false;
    let done = immediate(conn, |conn| {
        has_begun = true;
        batch.iter_mut().try_for_each(|one| one.attempt(conn))
    });
    match done {
        Ok(()) => Outcome::Committed,
        Err(InDoubt(Some(error))) if !has_begun && Fault::of(&error) == Fault::Busy => {
            Outcome::NotBegun(Arc::new(error))
        }
        Err(_) => Outcome::InDoubt,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    use diesel::connection::SimpleConnection;
    use diesel::prelude::*;
    use diesel::sql_types::BigInt;
    use futures_util::future::join_all;
    use roster_domain::ports::UserRepositoryError;
    use tempfile::TempDir;

    use super::*;
    use crate::SqliteConfig;
    use crate::connector::Connector;
    use crate::writer::Writer;

    #[derive(QueryableByName)]
    struct Number {
        #[diesel(sql_type = BigInt)]
        n: i64,
    }

    fn numbers(conn: &mut SqliteConnection) -> Vec<i64> {
        let rows: Vec<Number> = diesel::sql_query("SELECT n FROM t ORDER BY n").load(conn).unwrap();
        rows.into_iter().map(|row| row.n).collect()
    }

    fn insert(conn: &mut SqliteConnection, n: i64) -> Result<i64, Error> {
        conn.batch_execute(&format!("INSERT INTO t VALUES ({n})"))?;
        Ok(n)
    }

    /// A file with an empty table.
    async fn table() -> (TempDir, Connector, Writer) {
        let folder = tempfile::tempdir().unwrap();
        let (connector, first) = Connector::make(&SqliteConfig::new(folder.path().join("a.db"))).unwrap();
        let writer = Writer::start(connector.clone(), first).unwrap();
        let made = writer.transaction(|conn| Ok(conn.batch_execute("CREATE TABLE t (n INTEGER UNIQUE)")?));
        made.await.unwrap();
        (folder, connector, writer)
    }

    /// The outcomes of writes of 0, 1, …, which wait together, as the writer has other work when they are asked for.
    async fn together(
        writer: &Writer,
        count: i64,
        work: impl Fn(&mut SqliteConnection, i64) -> Result<i64, Error> + Clone + Send + 'static,
    ) -> Vec<Result<i64, Error>> {
        let (go, wait) = channel();
        let other = writer.transaction(move |_| wait.recv().map_err(|error| Error::Internal(error.into())));
        let asked_for = (0..count).map(|n| {
            let work = work.clone();
            writer.shared_transaction(move |conn| work(conn, n))
        });
        let go_on = async {
            tokio::task::yield_now().await;
            go.send(()).unwrap();
        };
        let (other, outcomes, ()) = tokio::join!(other, join_all(asked_for), go_on);
        other.unwrap();
        outcomes
    }

    /// Seen to fail where each had a transaction of its own.
    #[tokio::test]
    async fn writes_that_wait_together_are_committed_together() {
        let (_folder, connector, writer) = table().await;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let tell = seen.clone();

        let outcomes = together(&writer, 40, move |conn, n| {
            let committed = numbers(&mut connector.reader()?).len();
            tell.lock().unwrap().push(committed);
            insert(conn, n)
        });

        let outcomes: Vec<_> = outcomes.await.into_iter().map(Result::unwrap).collect();
        assert_eq!(outcomes, (0..40).collect::<Vec<_>>());
        let before_each = [[0; MOST].as_slice(), &[MOST; 40 - MOST]].concat();
        assert_eq!(*seen.lock().unwrap(), before_each, "what was committed before each");
    }

    /// Seen to fail without a savepoint for each.
    #[tokio::test]
    async fn a_write_that_fails_takes_back_its_own_steps_alone() {
        let (_folder, _, writer) = table().await;

        let outcomes = together(&writer, 3, |conn, n| {
            insert(conn, n)?;
            if n == 1 { Err(UserRepositoryError::EmailTaken.into()) } else { Ok(n) }
        });

        let outcomes = outcomes.await;
        assert!(matches!(outcomes[..], [Ok(0), Err(Error::Answer(_)), Ok(2)]), "{outcomes:?}");
        assert_eq!(writer.transaction(|conn| Ok(numbers(conn))).await.unwrap(), [0, 2]);
    }

    /// Seen to fail where the others were told what the transaction failed of.
    #[tokio::test]
    async fn a_write_that_spoils_the_transaction_fails_alone() {
        for panics in [false, true] {
            let (_folder, _, writer) = table().await;

            let outcomes = together(&writer, 3, move |conn, n| {
                insert(conn, n)?;
                assert!(n != 1 || !panics, "work of a test breaks");
                if n == 1 { insert(conn, n) } else { Ok(n) }
            });

            let outcomes = outcomes.await;
            assert!(matches!(outcomes[..], [Ok(0), Err(_), Ok(2)]), "{outcomes:?}");
            assert_eq!(writer.transaction(|conn| Ok(numbers(conn))).await.unwrap(), [0, 2]);
        }
    }
}
