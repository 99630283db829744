//! Receipts: a write claims its own first, and fills it in last, in its transaction.

use diesel::prelude::*;
use diesel::query_dsl::methods::FilterDsl as _;
use diesel::upsert::excluded;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use roster_domain::ports::UserRepositoryError;
use roster_domain::{Receipt, Timestamp, User};
use serde_json::Value;

use crate::error::{Error, waited_in_vain};
use crate::prepared::Prepared;
use crate::rows::UserSnapshot;
use crate::schema::receipts;

/// What became of a claim.
pub(crate) enum Claim {
    /// Nobody has done this write: it is to be done now.
    Fresh,
    /// It was done before; this is what it brought about, as JSON.
    Kept(Option<Value>),
}

/// Claims a receipt that nobody holds, or that has expired. Where another transaction is claiming it, waits
/// for its end.
pub(crate) async fn claim(
    conn: &mut AsyncPgConnection,
    receipt: &Receipt,
    at: Timestamp,
) -> Result<Claim, Error> {
    let claim = diesel::insert_into(receipts::table)
        .values((
            receipts::scope.eq(&receipt.scope),
            receipts::key.eq(&receipt.key),
            receipts::fingerprint.eq(&receipt.fingerprint[..]),
            receipts::recorded_at.eq(at.as_datetime()),
            receipts::expires_at.eq(receipt.expires_at.as_datetime()),
        ))
        .on_conflict((receipts::scope, receipts::key))
        .do_update()
        .set((
            receipts::fingerprint.eq(excluded(receipts::fingerprint)),
            receipts::outcome.eq(None::<Value>),
            receipts::recorded_at.eq(excluded(receipts::recorded_at)),
            receipts::expires_at.eq(excluded(receipts::expires_at)),
        ))
        .filter(receipts::expires_at.le(excluded(receipts::recorded_at)));
    let claimed = Prepared(claim).execute(conn).await.map_err(in_progress)?;
    if claimed == 1 { Ok(Claim::Fresh) } else { kept(conn, receipt).await.map(Claim::Kept) }
}

/// Keeps what the write brought about with the receipt that it claimed.
pub(crate) async fn fill(conn: &mut AsyncPgConnection, receipt: &Receipt, user: &User) -> Result<(), Error> {
    let claimed = receipts::table.find((&receipt.scope, &receipt.key));
    let filled = diesel::update(claimed).set(receipts::outcome.eq(UserSnapshot::of(user)));
    Prepared(filled).execute(conn).await?;
    Ok(())
}

/// Forgets a receipt that was claimed for nothing.
pub(crate) async fn unclaim(conn: &mut AsyncPgConnection, receipt: &Receipt) -> Result<(), Error> {
    diesel::delete(receipts::table.find((&receipt.scope, &receipt.key))).execute(conn).await?;
    Ok(())
}

/// The user that a receipt holds.
pub(crate) fn outcome(receipt: &Receipt, json: Option<Value>) -> Result<User, Error> {
    let json = json.ok_or(UserRepositoryError::AlreadyAcknowledged)?;
    UserSnapshot::read(json, "receipts", "outcome", &receipt.key)
}

/// What is kept under a receipt that could not be claimed. The claim that failed has locked the row, so it
/// is there.
pub(crate) async fn kept(conn: &mut AsyncPgConnection, receipt: &Receipt) -> Result<Option<Value>, Error> {
    let (fingerprint, outcome): (Vec<u8>, Option<Value>) = receipts::table
        .find((&receipt.scope, &receipt.key))
        .select((receipts::fingerprint, receipts::outcome))
        .get_result(conn)
        .await?;
    if fingerprint == receipt.fingerprint {
        Ok(outcome)
    } else {
        Err(UserRepositoryError::ReceiptReused.into())
    }
}

/// A claim that waited in vain waited for the holder of its receipt.
fn in_progress(error: diesel::result::Error) -> Error {
    if waited_in_vain(&error) { UserRepositoryError::ReceiptInProgress.into() } else { error.into() }
}
