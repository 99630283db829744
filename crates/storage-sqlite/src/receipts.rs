//! Receipts: a write claims its own first, and fills it in last, in its transaction.

use diesel::prelude::*;
use diesel::query_dsl::methods::FilterDsl as _;
use diesel::upsert::excluded;
use roster_domain::ports::UserRepositoryError;
use roster_domain::{Receipt, Timestamp, User};

use crate::error::Error;
use crate::prepared::Prepared;
use crate::rows::UserSnapshot;
use crate::schema::receipts;

/// What became of a claim.
pub(crate) enum Claim {
    /// Nobody has done this write: it is to be done now.
    Fresh,
    /// It was done before; this is what it brought about, as JSON.
    Kept(Option<String>),
}

/// Claims a receipt that nobody holds, or that has expired.
pub(crate) fn claim(conn: &mut SqliteConnection, receipt: &Receipt, at: Timestamp) -> Result<Claim, Error> {
    let claim = diesel::insert_into(receipts::table)
        .values((
            receipts::scope.eq(&receipt.scope),
            receipts::key.eq(&receipt.key),
            receipts::fingerprint.eq(&receipt.fingerprint[..]),
            receipts::recorded_at.eq(at.as_micros()),
            receipts::expires_at.eq(receipt.expires_at.as_micros()),
        ))
        .on_conflict((receipts::scope, receipts::key))
        .do_update()
        .set((
            receipts::fingerprint.eq(excluded(receipts::fingerprint)),
            receipts::outcome.eq(None::<String>),
            receipts::recorded_at.eq(excluded(receipts::recorded_at)),
            receipts::expires_at.eq(excluded(receipts::expires_at)),
        ))
        .filter(receipts::expires_at.le(excluded(receipts::recorded_at)));
    if Prepared(claim).execute(conn)? == 1 { Ok(Claim::Fresh) } else { kept(conn, receipt) }
}

/// Keeps what the write brought about with the receipt that it claimed.
pub(crate) fn fill(conn: &mut SqliteConnection, receipt: &Receipt, user: &User) -> Result<(), Error> {
    let claimed = receipts::table.find((&receipt.scope, &receipt.key));
    Prepared(diesel::update(claimed).set(receipts::outcome.eq(UserSnapshot::of(user)?))).execute(conn)?;
    Ok(())
}

/// The user that a receipt holds.
pub(crate) fn outcome(receipt: &Receipt, json: Option<String>) -> Result<User, Error> {
    let json = json.ok_or(UserRepositoryError::AlreadyAcknowledged)?;
    UserSnapshot::read(&json, "receipts", "outcome", &receipt.key)
}

/// What is kept under a receipt that could not be claimed.
fn kept(conn: &mut SqliteConnection, receipt: &Receipt) -> Result<Claim, Error> {
    let (fingerprint, outcome): (Vec<u8>, Option<String>) = receipts::table
        .find((&receipt.scope, &receipt.key))
        .select((receipts::fingerprint, receipts::outcome))
        .get_result(conn)?;
    if fingerprint == receipt.fingerprint {
        Ok(Claim::Kept(outcome))
    } else {
        Err(UserRepositoryError::ReceiptReused.into())
    }
}
