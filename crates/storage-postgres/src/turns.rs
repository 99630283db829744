//! What may hold a connection of the pool for long, so that only some of them are its.

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
