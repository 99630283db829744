//! Transactions that tell why they failed.

use diesel::SqliteConnection;
use diesel::result::Error as DieselError;

/// Does `work` in a transaction that is to write. Where the disk is full, SQLite rolls back by itself, and the driver,
/// which cannot do that again, would tell of that alone.
pub(crate) fn immediate<T, E: From<DieselError>>(
    conn: &mut SqliteConnection,
    work: impl FnOnce(&mut SqliteConnection) -> Result<T, E>,
) -> Result<T, E> {
    let mut failed = None;
    let done = conn.immediate_transaction(|conn| {
        work(conn).map_err(|error| {
            failed = Some(error);
            E::from(DieselError::RollbackTransaction)
        })
    });
    done.map_err(|error| failed.unwrap_or(error))
}

#[cfg(test)]
mod tests {
    use diesel::connection::{Connection, SimpleConnection};

    use super::*;
    use crate::error::Error;

    /// Seen to fail with the driver's own transaction: "cannot rollback - no transaction is active".
    #[test]
    fn what_failed_first_is_told_though_the_transaction_is_over() {
        let mut conn = SqliteConnection::establish(":memory:").unwrap();
        let failed = immediate(&mut conn, |conn| {
            conn.batch_execute("ROLLBACK")?;
            Err::<(), _>(Error::Unavailable("the disk is full".into()))
        });
        assert!(matches!(failed, Err(Error::Unavailable(_))), "{failed:?}");
    }
}
