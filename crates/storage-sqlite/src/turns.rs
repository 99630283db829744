//! What may hold a reader for long, so that only some of them are its.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::error::Error;

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
        Self { left: Arc::new(Semaphore::new(most.max(1))), wait, of }
    }

    /// Waits for one. It ends with what is returned.
    pub(crate) async fn take(&self) -> Result<OwnedSemaphorePermit, Error> {
        let turn = timeout(self.wait, self.left.clone().acquire_owned()).await;
        let turn =
            turn.map_err(|_| Error::Unavailable(format!("too many {} are under way", self.of).into()))?;
        turn.map_err(|closed| Error::Unavailable(closed.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use roster_domain::ports::{EventLog, UserRepository, UserRepositoryError};
    use roster_domain::{NamePrefix, Position, UserQuery};

    use crate::{Sqlite, SqliteConfig};

    #[tokio::test]
    async fn searches_leave_readers_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = SqliteConfig::new(folder.path().join("a.db"));
        (config.readers, config.pool_wait) = (2, Duration::from_millis(60));
        config.busy_timeout = Duration::from_millis(50);
        let store = Sqlite::open(config).unwrap();
        store.migrate().await.unwrap();
        let users = store.users();
        let mut search = UserQuery::default();
        search.filter.name = NamePrefix::parse("Ada").ok();

        let under_way = users.searches.take().await.unwrap();
        let refused = users.list(&search).await.unwrap_err();
        assert!(matches!(refused, UserRepositoryError::Unavailable(_)), "{refused:?}");
        assert_eq!(users.list(&UserQuery::default()).await.unwrap().items, []);
        assert_eq!(store.events().read(Position::START, 10).await.unwrap(), []);

        drop(under_way);
        assert_eq!(users.list(&search).await.unwrap().items, []);
    }
}
