//! The one connection that writes, on a thread of its own.
//!
//! A unit of work is one closure, so that no future ever holds a transaction half done. Work waits its turn
//! in a queue that is bounded, and is done whole once it was begun, though nobody wait for it any more. Of what
//! waits, short writes [share a commit](crate::group_commit).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Instant;
use std::{io, thread};

use diesel::SqliteConnection;
use tokio::sync::oneshot;

use crate::connector::Connector;
use crate::error::Error;
use crate::group_commit::{self, Asked, Share};
use crate::measured::{self, Line};
use crate::transaction::immediate;

/// How many units of work wait at the most. What comes beyond them is refused at once.
const QUEUE: usize = 1_024;

/// What the connection is called where it is measured.
const POOL: &str = "write";

/// What is done with the connection, or with why there is none; tells whether it is as good as before.
type Work = dyn FnOnce(Result<&mut SqliteConnection, Error>) -> bool + Send;

/// A unit of work, with its answer.
enum Job {
    /// Has a transaction of its own.
    Alone(Box<Work>),
    /// May share its transaction with those that wait beside it.
    Shared(Box<dyn Share>),
}

/// A unit of work that waits.
struct Waiting {
    job: Job,
    since: Instant,
}

#[derive(Clone)]
pub(crate) struct Writer {
    jobs: SyncSender<Waiting>,
    line: Arc<Line>,
}

impl Writer {
    /// Starts the thread; it ends with the last handle.
    pub(crate) fn start(connector: Connector, first: SqliteConnection) -> io::Result<Self> {
        let (jobs, queue) = sync_channel(QUEUE);
        let line = Arc::new(Line::new(POOL));
        let queue = Queue { jobs: queue, line: line.clone() };
        thread::Builder::new().name("sqlite-writer".to_owned()).spawn(move || {
            serve(&queue, &connector, first);
        })?;
        Ok(Self { jobs, line })
    }

    /// Runs `work` in a transaction that takes effect wholly or, where it fails, not at all.
    pub(crate) async fn transaction<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, outcome) = oneshot::channel();
        let job = Job::Alone(Box::new(move |conn| {
            if answer.is_closed() {
                // Whoever asked has given up, and may have said so: what was not begun is not done.
                return true;
            }
            let outcome = conn.and_then(|conn| immediate(conn, work));
            let sound = outcome.as_ref().map_or_else(Error::spares_connection, |_| true);
            // Whoever asked may be gone; what was done stays.
            let _ = answer.send(outcome);
            sound
        }));
        self.ask(job, outcome).await
    }

    /// The same, in a transaction that others may share. `work` is short, and may be run more than once: each
    /// time as if it had not been before.
    pub(crate) async fn shared_transaction<T: Send + 'static>(
        &self,
        work: impl Fn(&mut SqliteConnection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (asked, outcome) = Asked::new(work);
        self.ask(Job::Shared(Box::new(asked)), outcome).await
    }

    /// Measures how it is.
    pub(crate) fn measure(&self) {
        measured::measure(POOL, &self.line.state());
    }

    async fn ask<T>(&self, job: Job, outcome: oneshot::Receiver<Result<T, Error>>) -> Result<T, Error> {
        self.line.joined();
        self.jobs.try_send(Waiting { job, since: Instant::now() }).map_err(|refused| {
            self.line.refused();
            match refused {
                TrySendError::Full(_) => Error::Unavailable("too many writes are waiting".into()),
                TrySendError::Disconnected(_) => Error::Internal("the writer has ended".into()),
            }
        })?;
        outcome.await.unwrap_or_else(|_| Err(Error::Internal("a write panicked".into())))
    }
}

/// What waits, seen by whoever does it.
struct Queue {
    jobs: Receiver<Waiting>,
    line: Arc<Line>,
}

impl Queue {
    /// The next job, for which it waits; none once nobody can ask any more.
    fn next(&self) -> Option<Job> {
        self.line.idle();
        self.jobs.recv().ok().map(|waiting| self.take(waiting))
    }

    /// A job that waits already.
    fn another(&self) -> Option<Job> {
        self.jobs.try_recv().ok().map(|waiting| self.take(waiting))
    }

    fn take(&self, Waiting { job, since }: Waiting) -> Job {
        self.line.served(since.elapsed());
        job
    }
}

/// Does one job after another, or several that may share a commit.
fn serve(queue: &Queue, connector: &Connector, first: SqliteConnection) {
    let mut conn = Kept { connector, conn: Some(first) };
    let mut next = None;
    while let Some(job) = next.take().or_else(|| queue.next()) {
        match job {
            Job::Alone(work) => conn.run(work),
            Job::Shared(first) => {
                let mut batch = vec![first];
                while batch.len() < group_commit::MOST
                    && let Some(job) = queue.another()
                {
                    match job {
                        Job::Shared(another) => batch.push(another),
                        alone @ Job::Alone(_) => {
                            next = Some(alone);
                            break;
                        }
                    }
                }
                group_commit::commit(&mut conn, batch);
            }
        }
    }
}

/// The connection that writes. After work that panicked, or left it in doubt, it is closed, which rolls back,
/// and the next has a new one.
pub(crate) struct Kept<'a> {
    connector: &'a Connector,
    conn: Option<SqliteConnection>,
}

impl Kept<'_> {
    /// Lends the connection, or why there is none, to work that tells whether it is as good as before. Where the file
    /// is no longer what its name leads to, nobody would find what is written to it.
    pub(crate) fn run(&mut self, work: impl FnOnce(Result<&mut SqliteConnection, Error>) -> bool) {
        let conn = self
            .connector
            .check_place()
            .and_then(|()| self.conn.take().map_or_else(|| self.connector.writer(), Ok));
        match conn {
            Ok(mut conn) => {
                let done = catch_unwind(AssertUnwindSafe(|| work(Ok(&mut conn))));
                self.conn = done.is_ok_and(|sound| sound).then_some(conn);
            }
            Err(error) => drop(work(Err(error))),
        }
    }
}

#[cfg(test)]
mod tests {
    use diesel::connection::SimpleConnection;
    use diesel::prelude::*;
    use diesel::sql_types::BigInt;

    use super::*;
    use crate::SqliteConfig;

    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }

    #[tokio::test]
    async fn work_that_panics_is_rolled_back_and_does_not_end_the_writer() {
        let folder = tempfile::tempdir().unwrap();
        let (connector, first) = Connector::make(&SqliteConfig::new(folder.path().join("a.db"))).unwrap();
        let writer = Writer::start(connector, first).unwrap();
        let made = writer.transaction(|conn| Ok(conn.batch_execute("CREATE TABLE t (n INTEGER)")?)).await;
        made.unwrap();

        let broken = writer.transaction::<()>(|conn| {
            conn.batch_execute("INSERT INTO t VALUES (1)")?;
            panic!("work of a test breaks");
        });

        let broken = broken.await.unwrap_err();
        assert!(matches!(broken, Error::Internal(_)), "{broken:?}");
        let count = writer.transaction(|conn| {
            conn.batch_execute("INSERT INTO t VALUES (2)")?;
            let count: Count = diesel::sql_query("SELECT count(*) AS count FROM t").get_result(conn)?;
            Ok(count.count)
        });
        assert_eq!(count.await.unwrap(), 1);
    }
}
