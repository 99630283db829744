//! Writes of one user: each a change, its event and, where it has one, its receipt, in one transaction.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use roster_domain::ports::UserRepositoryError;
use roster_domain::{
    Change, Commit, NewUser, Precondition, Receipt, Timestamp, User, UserChanges, UserId, Written,
};

use crate::change::ChangeAsRead;
use crate::columns::UserColumns;
use crate::create::create;
use crate::error::Error;
use crate::receipts::{self, Claim};
use crate::rows::user;
use crate::schema::users;
use crate::transaction::Unit;

/// What is to become of a user.
pub(crate) enum Write {
    Create(NewUser),
    Edit(Edit),
}

/// What is to become of a user that is there.
pub(crate) struct Edit {
    pub(crate) id: UserId,
    pub(crate) precondition: Precondition,
    pub(crate) to: Edited,
}

pub(crate) enum Edited {
    Changed(UserChanges),
    Deleted,
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
            Self::Edit(edit) => edit.run(conn, commit).await,
        }
    }
}

impl Edit {
    async fn run(&self, conn: &mut AsyncPgConnection, commit: &Commit) -> Result<User, Error> {
        let before = self.of(locked(conn, self.id).await?)?;
        let Some(change) = self.change(&before, commit.at) else {
            return Ok(before);
        };
        let changed = ChangeAsRead(before.version, change, commit.clone()).run(conn).await?;
        changed.ok_or_else(|| Error::Internal("a locked user was changed by somebody else".into()))
    }

    /// The user that was found, if it is there, and may be changed as it is.
    pub(crate) fn of(&self, found: Option<User>) -> Result<User, UserRepositoryError> {
        self.precondition.judge(self.id, found)
    }

    /// What this changes in a user, if anything.
    pub(crate) fn change(&self, before: &User, at: Timestamp) -> Option<Change> {
        match &self.to {
            Edited::Changed(changes) => before.changed(changes, at).map(Change::UserUpdated),
            Edited::Deleted => Some(Change::UserDeleted(before.clone())),
        }
    }
}

/// The user as it is once nobody else changes it.
async fn locked(conn: &mut AsyncPgConnection, id: UserId) -> Result<Option<User>, Error> {
    let with_id = users::table.find(id.get()).select(UserColumns).for_update();
    user(with_id.get_result(conn).await)
}

pub(crate) fn user_id(id: i64) -> Result<UserId, Error> {
    UserId::new(id).ok_or_else(|| Error::Internal(format!("the database gave the id {id}").into()))
}
