//! Writes of one user: each a change, its event and, where it has one, its receipt, in one transaction.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use roster_domain::ports::UserRepositoryError;
use roster_domain::{
    Change, Commit, NewUser, Precondition, Receipt, Timestamp, User, UserChanges, UserId, Written,
};

use crate::create::create;
use crate::error::Error;
use crate::events;
use crate::prepared::Prepared;
use crate::receipts::{self, Claim};
use crate::rows::{ChangedUserRow, UserRow};
use crate::schema::users;
use crate::transaction::Unit;

/// What is to become of a user.
pub(crate) enum Write {
    Create(NewUser),
    Update(UserId, UserChanges, Precondition),
    Delete(UserId, Precondition),
}

/// A write, done once for the receipt of its commit.
pub(crate) struct Once(pub(crate) Write, pub(crate) Commit);

impl Unit for Once {
    type Outcome = Written<User>;

    /// A create without a receipt.
    fn is_one_statement(&self) -> bool {
        matches!(self, Self(Write::Create(_), commit) if commit.receipt.is_none())
    }

    async fn run(&self, conn: &mut AsyncPgConnection) -> Result<Written<User>, Error> {
        let Self(write, commit) = self;
        let Some(receipt) = &commit.receipt else {
            return write.run(conn, commit).await.map(Written::Now);
        };
        if let Claim::Kept(json) = receipts::claim(conn, receipt, commit.at).await? {
            return receipts::outcome(receipt, json).map(Written::Before);
        }
        let user = write.run(conn, commit).await?;
        receipts::fill(conn, receipt, &user).await?;
        Ok(Written::Now(user))
    }
}

/// A receipt for something that changes no user.
pub(crate) struct Acknowledge(pub(crate) Receipt, pub(crate) Timestamp);

impl Unit for Acknowledge {
    type Outcome = Written<()>;

    async fn run(&self, conn: &mut AsyncPgConnection) -> Result<Written<()>, Error> {
        let Self(receipt, at) = self;
        Ok(match receipts::claim(conn, receipt, *at).await? {
            Claim::Fresh => Written::Now(()),
            Claim::Kept(_) => Written::Before(()),
        })
    }
}

impl Write {
    async fn run(&self, conn: &mut AsyncPgConnection, commit: &Commit) -> Result<User, Error> {
        match self {
            Self::Create(new) => create(conn, new, commit).await,
            Self::Update(id, changes, precondition) => update(conn, *id, changes, precondition, commit).await,
            Self::Delete(id, precondition) => delete(conn, *id, precondition, commit).await,
        }
    }
}

async fn update(
    conn: &mut AsyncPgConnection,
    id: UserId,
    changes: &UserChanges,
    precondition: &Precondition,
    commit: &Commit,
) -> Result<User, Error> {
    let before = locked(conn, id, precondition).await?;
    let Some(after) = before.changed(changes, commit.at) else {
        return Ok(before);
    };
    let as_read = users::table.find(id.get()).filter(users::version.eq(before.version.get()));
    let update = diesel::update(as_read).set(ChangedUserRow::from(&after));
    one(Prepared(update).execute(conn).await.map_err(email_taken)?)?;
    events::record(conn, &Change::UserUpdated(after.clone()), commit).await?;
    Ok(after)
}

async fn delete(
    conn: &mut AsyncPgConnection,
    id: UserId,
    precondition: &Precondition,
    commit: &Commit,
) -> Result<User, Error> {
    let user = locked(conn, id, precondition).await?;
    let rows = diesel::delete(users::table.find(id.get()).filter(users::version.eq(user.version.get())))
        .execute(conn)
        .await?;
    one(rows)?;
    events::record(conn, &Change::UserDeleted(user.clone()), commit).await?;
    Ok(user)
}

/// The user as it is once nobody else changes it, where the precondition allows that.
async fn locked(
    conn: &mut AsyncPgConnection,
    id: UserId,
    precondition: &Precondition,
) -> Result<User, Error> {
    let row: UserRow = users::table
        .find(id.get())
        .select(UserRow::as_select())
        .for_update()
        .get_result(conn)
        .await
        .optional()?
        .ok_or(UserRepositoryError::NotFound(id))?;
    let user = User::try_from(row)?;
    let current = user.version;
    if precondition.allows(current) {
        Ok(user)
    } else {
        Err(UserRepositoryError::PreconditionFailed { current }.into())
    }
}

pub(crate) fn user_id(id: i64) -> Result<UserId, Error> {
    UserId::new(id).ok_or_else(|| Error::Internal(format!("the database gave the id {id}").into()))
}

fn email_taken(error: diesel::result::Error) -> Error {
    let error = Error::from(error);
    if error.violates("users_email_key") { UserRepositoryError::EmailTaken.into() } else { error }
}

/// A row that is locked is there, at the version that was read.
fn one(rows: usize) -> Result<(), Error> {
    if rows == 1 { Ok(()) } else { Err(Error::Internal(format!("{rows} rows changed, not one").into())) }
}
