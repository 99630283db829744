//! Transactions that neither a dropped future nor another transaction can leave half done.

use std::future::Future;
use std::time::Duration;

use diesel_async::AsyncPgConnection;

use crate::error::{Error, Fault};
use crate::pool::Pool;

/// How often a transaction is done again that met another one.
const RETRIES: u32 = 6;
/// How long it stands back at first; twice as long each time.
const PAUSE: Duration = Duration::from_millis(2);

/// What happens in one transaction. It may be run more than once, each time on what is stored then.
pub(crate) trait Unit: Send + Sync {
    type Outcome: Send;

    /// Whether it is one statement, which is a transaction by itself and needs no more round trips.
    fn is_one_statement(&self) -> bool {
        false
    }

    fn run(&self, conn: &mut AsyncPgConnection) -> impl Future<Output = Result<Self::Outcome, Error>> + Send;
}

impl Pool {
    /// Runs a unit as a task of its own: it ends, one way or the other, also where nobody waits for it.
    pub(crate) async fn commit<U: Unit + 'static>(&self, unit: U) -> Result<U::Outcome, Error> {
        let pool = self.clone();
        let task = tokio::spawn(async move { pool.transaction(&unit).await });
        task.await.unwrap_or_else(|stopped| {
            let error = if stopped.is_panic() { Error::Internal } else { Error::Unavailable };
            Err(error(stopped.into()))
        })
    }

    /// Runs a unit, again where it deadlocked or could not be serialized; and once more where its server took
    /// no writes, as by then connections lead to another, if there is one.
    pub(crate) async fn transaction<U: Unit>(&self, unit: &U) -> Result<U::Outcome, Error> {
        for retry in 0..RETRIES {
            match self.attempt(unit).await {
                Err(error) if error.fault() == Fault::Conflict => {
                    tokio::time::sleep(PAUSE * 2_u32.pow(retry)).await;
                }
                Err(error) if error.fault() == Fault::ReadOnly && retry == 0 => {}
                outcome => return outcome,
            }
        }
        self.attempt(unit).await
    }

    async fn attempt<U: Unit>(&self, unit: &U) -> Result<U::Outcome, Error> {
        let is_one = unit.is_one_statement() && !self.by_transaction;
        let mut conn = if is_one { self.get().await? } else { self.begin().await? };
        let outcome = unit.run(&mut conn).await;
        conn.finish(outcome).await
    }
}
