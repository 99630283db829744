//! The one connection that writes, on a thread of its own.
//!
//! A unit of work is one closure, so that no future ever holds a transaction half done. Work waits its turn
//! in a queue that is bounded, and is done whole even where nobody waits for it any more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::{io, thread};

use diesel::SqliteConnection;
use tokio::sync::oneshot;

use crate::connection::Connector;
use crate::error::Error;

/// How many units of work wait at the most. What comes beyond them is refused at once.
const QUEUE: usize = 1_024;

/// A unit of work, with its answer; tells whether the connection is as good as before.
type Job = Box<dyn FnOnce(Result<&mut SqliteConnection, Error>) -> bool + Send>;

#[derive(Clone)]
pub(crate) struct Writer(SyncSender<Job>);

impl Writer {
    /// Starts the thread; it ends with the last handle.
    pub(crate) fn start(connector: Connector, first: SqliteConnection) -> io::Result<Self> {
        let (jobs, queue) = sync_channel(QUEUE);
        thread::Builder::new().name("sqlite-writer".to_owned()).spawn(move || {
            serve(&queue, &connector, first);
        })?;
        Ok(Self(jobs))
    }

    /// Runs `work` in a transaction that takes effect wholly or, where it fails, not at all.
    pub(crate) async fn transaction<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, outcome) = oneshot::channel();
        let job: Job = Box::new(move |conn| {
            let outcome = conn.and_then(|conn| conn.immediate_transaction(work));
            let sound = outcome.as_ref().map_or_else(Error::spares_connection, |_| true);
            // Whoever asked may be gone; what was done stays.
            let _ = answer.send(outcome);
            sound
        });
        self.0.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(_) => Error::Unavailable("too many writes are waiting".into()),
            TrySendError::Disconnected(_) => Error::Internal("the writer has ended".into()),
        })?;
        outcome.await.unwrap_or_else(|_| Err(Error::Internal("a write panicked".into())))
    }
}

/// Does one job after another. After one that panicked, or left the connection in doubt, the connection is
/// closed, which rolls back, and the next has a new one.
fn serve(queue: &Receiver<Job>, connector: &Connector, first: SqliteConnection) {
    let mut kept = Some(first);
    for job in queue {
        kept = match kept.take().map_or_else(|| connector.writer(), Ok) {
            Ok(mut conn) => {
                let done = catch_unwind(AssertUnwindSafe(|| job(Ok(&mut conn))));
                done.is_ok_and(|sound| sound).then_some(conn)
            }
            Err(error) => {
                job(Err(error));
                None
            }
        };
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
        let path = std::env::temp_dir().join(format!("roster-writer-{}.db", std::process::id()));
        let (connector, first) = Connector::make(&SqliteConfig::new(&path)).unwrap();
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
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
        }
    }
}
