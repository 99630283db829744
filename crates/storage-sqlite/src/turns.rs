//! What may hold a reader for long, so that only some of them are its.

use std::sync::Arc;
use std::time::Duration;

use diesel::SqliteConnection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::error::Error;
use crate::readers::Readers;

/// The longest that one waits for somebody else's end: an export that was given up ends within it, and whoever asks is
/// told before a request may take no longer.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub(crate) struct Turns {
    left: Arc<Semaphore>,
    wait: Duration,
    /// What they are for, of which there may be too many.
    of: &'static str,
}

impl Turns {
    /// At most so many have one at a time. `wait` is for somebody else's end.
    pub(crate) fn new(most: usize, wait: Duration, of: &'static str) -> Self {
        Self { left: Arc::new(Semaphore::new(most.max(1))), wait: wait.min(LONGEST_WAIT), of }
    }

    /// Waits for one. It ends with what is returned.
    pub(crate) async fn take(&self) -> Result<OwnedSemaphorePermit, Error> {
        let turn = timeout(self.wait, self.left.clone().acquire_owned()).await;
        let turn =
            turn.map_err(|_| Error::Unavailable(format!("too many {} are under way", self.of).into()))?;
        turn.map_err(|closed| Error::Unavailable(closed.into()))
    }

    /// Waits for one, and reads with it: for as long as that takes, also where nobody waits for it any more.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        readers: &Readers,
        read: impl FnOnce(&mut SqliteConnection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let turn = self.take().await?;
        let read = move |conn: &mut SqliteConnection| {
            let _turn = turn;
            read(conn)
        };
        readers.read(read).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use roster_domain::ports::UserRepository;
    use roster_domain::{NamePrefix, UserQuery, chain};
    use tokio::sync::oneshot;

    use crate::{Sqlite, SqliteConfig};

    /// Seen to fail where a search that was given up had no turn any more, and a reader still.
    #[tokio::test]
    async fn searches_leave_readers_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = SqliteConfig::new(folder.path().join("a.db"));
        config.readers = 2;
        let store = Sqlite::open(config).unwrap();
        store.migrate().await.unwrap();
        let (users, mut query) = (store.users(), UserQuery::default());
        query.filter.name = NamePrefix::parse("Ada").ok();
        let (begun, has_begun) = oneshot::channel();
        let (end, ended) = mpsc::channel::<()>();
        let search = users.searches.read(&users.readers, move |_| {
            begun.send(()).unwrap();
            // Until the other end is dropped.
            let _ = ended.recv();
            Ok(())
        });
        // It is given up as soon as it has begun.
        tokio::select! {
            outcome = search => panic!("{outcome:?}"),
            begun = has_begun => begun.unwrap(),
        }

        let refused = chain(&users.list(&query).await.unwrap_err());
        assert!(refused.contains("too many searches"), "{refused}");
        users.readers.read(|_| Ok(())).await.unwrap();

        drop(end);
        assert_eq!(users.list(&query).await.unwrap().items, []);
    }
}
