//! Writes of one user: each a change, its event and, where it has one, its receipt, in one transaction.

use diesel::prelude::*;
use roster_domain::ports::UserRepositoryError;
use roster_domain::{
    Change, Commit, NewUser, Precondition, Receipt, Timestamp, User, UserChanges, UserId, Written,
};

use crate::error::Error;
use crate::events;
use crate::prepared::Prepared;
use crate::receipts::{self, Claim};
use crate::rows::{ChangedUserRow, NewUserRow, UserRow};
use crate::schema::users;

/// What is to become of a user.
pub(crate) enum Write {
    Create(NewUser),
    Update(UserId, UserChanges, Precondition),
    Delete(UserId, Precondition),
}

/// A write, done once for the receipt of its commit.
pub(crate) struct Once(pub(crate) Write, pub(crate) Commit);

impl Once {
    pub(crate) fn run(&self, conn: &mut SqliteConnection) -> Result<Written<User>, Error> {
        let Self(write, commit) = self;
        let Some(receipt) = &commit.receipt else {
            return write.run(conn, commit).map(Written::Now);
        };
        if let Claim::Kept(json) = receipts::claim(conn, receipt, commit.at)? {
            return receipts::outcome(receipt, json).map(Written::Before);
        }
        let user = write.run(conn, commit)?;
        receipts::fill(conn, receipt, &user)?;
        Ok(Written::Now(user))
    }
}

/// Keeps a receipt for something that changes no user.
pub(crate) fn acknowledge(
    conn: &mut SqliteConnection,
    receipt: &Receipt,
    at: Timestamp,
) -> Result<Written<()>, Error> {
    Ok(match receipts::claim(conn, receipt, at)? {
        Claim::Fresh => Written::Now(()),
        Claim::Kept(_) => Written::Before(()),
    })
}

impl Write {
    fn run(&self, conn: &mut SqliteConnection, commit: &Commit) -> Result<User, Error> {
        match self {
            Self::Create(new) => create(conn, new, commit),
            Self::Update(id, changes, precondition) => update(conn, *id, changes, precondition, commit),
            Self::Delete(id, precondition) => delete(conn, *id, precondition, commit),
        }
    }
}

pub(crate) fn create(conn: &mut SqliteConnection, new: &NewUser, commit: &Commit) -> Result<User, Error> {
    let id = diesel::insert_into(users::table)
        .values(NewUserRow::from((new, commit.at)))
        .on_conflict(users::email)
        .do_nothing()
        .returning(users::id)
        .get_result(conn)
        .optional()?
        .ok_or(UserRepositoryError::EmailTaken)?;
    let user = User::created(user_id(id)?, new.clone(), commit.at);
    events::record(conn, &Change::UserCreated(user.clone()), commit)?;
    Ok(user)
}

fn update(
    conn: &mut SqliteConnection,
    id: UserId,
    changes: &UserChanges,
    precondition: &Precondition,
    commit: &Commit,
) -> Result<User, Error> {
    let before = current(conn, id, precondition)?;
    let Some(after) = before.changed(changes, commit.at) else {
        return Ok(before);
    };
    let as_read = users::table.find(id.get()).filter(users::version.eq(before.version.get()));
    let update = diesel::update(as_read).set(ChangedUserRow::from(&after));
    one(Prepared(update).execute(conn).map_err(email_taken)?)?;
    events::record(conn, &Change::UserUpdated(after.clone()), commit)?;
    Ok(after)
}

fn delete(
    conn: &mut SqliteConnection,
    id: UserId,
    precondition: &Precondition,
    commit: &Commit,
) -> Result<User, Error> {
    let user = current(conn, id, precondition)?;
    let rows = diesel::delete(users::table.find(id.get()).filter(users::version.eq(user.version.get())))
        .execute(conn)?;
    one(rows)?;
    events::record(conn, &Change::UserDeleted(user.clone()), commit)?;
    Ok(user)
}

/// The user as it is, where the precondition allows a change. Nobody else changes it meanwhile: this is the
/// one transaction that writes.
fn current(conn: &mut SqliteConnection, id: UserId, precondition: &Precondition) -> Result<User, Error> {
    let with_id = users::table.find(id.get()).select(UserRow::as_select());
    let found = with_id.get_result(conn).optional()?.map(User::try_from).transpose()?;
    Ok(precondition.judge(id, found)?)
}

pub(crate) fn user_id(id: i64) -> Result<UserId, Error> {
    UserId::new(id).ok_or_else(|| Error::Internal(format!("the database gave the id {id}").into()))
}

fn email_taken(error: diesel::result::Error) -> Error {
    let error = Error::from(error);
    if error.violates("users.email") { UserRepositoryError::EmailTaken.into() } else { error }
}

/// A row that was read in this transaction is there, at the version that it had.
fn one(rows: usize) -> Result<(), Error> {
    if rows == 1 { Ok(()) } else { Err(Error::Internal(format!("{rows} rows changed, not one").into())) }
}
