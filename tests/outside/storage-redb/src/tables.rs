//! The tables of a write transaction, and what a write does with them.

use redb::{ReadableTable, Table, TableDefinition, WriteTransaction};
use roster_domain::ports::UserRepositoryError;
use roster_domain::{
    Change, Commit, Email, Event, EventId, NewUser, Position, Precondition, Receipt, Timestamp, User,
    UserChanges, UserId, Written,
};
use uuid::Uuid;

use crate::error::Error;
use crate::rows::{self, EventRow, ReceiptRow, UserRow};

pub(crate) const USERS: TableDefinition<i64, &str> = TableDefinition::new("users");
pub(crate) const EMAILS: TableDefinition<&str, i64> = TableDefinition::new("emails");
pub(crate) const EVENTS: TableDefinition<i64, &str> = TableDefinition::new("events");
const RECEIPTS: TableDefinition<(&str, &str), &str> = TableDefinition::new("receipts");
/// The last id that a user was given: ids are never reused.
const LAST_IDS: TableDefinition<&str, i64> = TableDefinition::new("last_ids");

pub(crate) struct Tables<'t> {
    users: Table<'t, i64, &'static str>,
    emails: Table<'t, &'static str, i64>,
    events: Table<'t, i64, &'static str>,
    receipts: Table<'t, (&'static str, &'static str), &'static str>,
    last_ids: Table<'t, &'static str, i64>,
}

/// What a receipt is kept for: the user that a write brought about, or nothing.
struct Kept(Option<User>);

pub(crate) fn user(id: i64, json: &str) -> Result<User, Error> {
    rows::read::<UserRow, _>("user", &id, json, User::try_from)
}

impl<'t> Tables<'t> {
    pub(crate) fn open(transaction: &'t WriteTransaction) -> Result<Self, Error> {
        Ok(Self {
            users: transaction.open_table(USERS)?,
            emails: transaction.open_table(EMAILS)?,
            events: transaction.open_table(EVENTS)?,
            receipts: transaction.open_table(RECEIPTS)?,
            last_ids: transaction.open_table(LAST_IDS)?,
        })
    }

    /// Does `write` once for the receipt of `commit`, if it has one. Whatever it refuses, it refuses before it
    /// changes anything, so that one transaction can go on with another write.
    pub(crate) fn once(
        &mut self,
        commit: &Commit,
        write: impl FnOnce(&mut Self) -> Result<User, Error>,
    ) -> Result<Written<User>, Error> {
        let Some(receipt) = &commit.receipt else {
            return write(self).map(Written::Now);
        };
        match self.kept(receipt, commit.at)? {
            Some(Kept(Some(user))) => Ok(Written::Before(user)),
            Some(Kept(None)) => Err(UserRepositoryError::AlreadyAcknowledged.into()),
            None => {
                let user = write(self)?;
                self.keep(receipt, Some(&user))?;
                Ok(Written::Now(user))
            }
        }
    }

    pub(crate) fn acknowledge(&mut self, receipt: &Receipt, at: Timestamp) -> Result<Written<()>, Error> {
        if self.kept(receipt, at)?.is_some() {
            return Ok(Written::Before(()));
        }
        self.keep(receipt, None)?;
        Ok(Written::Now(()))
    }

    pub(crate) fn create(&mut self, new: NewUser, commit: &Commit) -> Result<User, Error> {
        self.check_free(&new.email)?;
        let last = self.last_ids.get("users")?.map_or(0, |last| last.value());
        let id = UserId::new(last + 1).ok_or_else(|| UserRepositoryError::Internal("out of ids".into()))?;
        self.last_ids.insert("users", id.get())?;
        let user = User::created(id, new, commit.at);
        self.put(&user)?;
        self.record(commit, Change::UserCreated(user.clone()))?;
        Ok(user)
    }

    pub(crate) fn update(
        &mut self,
        id: UserId,
        changes: &UserChanges,
        precondition: &Precondition,
        commit: &Commit,
    ) -> Result<User, Error> {
        let before = self.checked(id, precondition)?;
        let Some(after) = before.changed(changes, commit.at) else {
            return Ok(before);
        };
        if after.email != before.email {
            self.check_free(&after.email)?;
            self.emails.remove(before.email.as_str())?;
        }
        self.put(&after)?;
        self.record(commit, Change::UserUpdated(after.clone()))?;
        Ok(after)
    }

    pub(crate) fn delete(
        &mut self,
        id: UserId,
        precondition: &Precondition,
        commit: &Commit,
    ) -> Result<User, Error> {
        let user = self.checked(id, precondition)?;
        self.users.remove(id.get())?;
        self.emails.remove(user.email.as_str())?;
        self.record(commit, Change::UserDeleted(user.clone()))?;
        Ok(user)
    }

    /// What was brought about with a receipt, where it is kept and has not expired.
    fn kept(&self, receipt: &Receipt, at: Timestamp) -> Result<Option<Kept>, Error> {
        let Some(json) = self.receipts.get((receipt.scope.as_str(), receipt.key.as_str()))? else {
            return Ok(None);
        };
        let row: ReceiptRow = rows::read("receipt", &receipt.key, json.value(), Ok)?;
        if row.expires_at <= at.as_micros() {
            return Ok(None);
        }
        if row.fingerprint != receipt.fingerprint {
            return Err(UserRepositoryError::ReceiptReused.into());
        }
        let outcome = row.outcome.map(User::try_from).transpose();
        Ok(Some(Kept(outcome.map_err(UserRepositoryError::Internal)?)))
    }

    fn keep(&mut self, receipt: &Receipt, outcome: Option<&User>) -> Result<(), Error> {
        let row = rows::write(&ReceiptRow::new(receipt, outcome))?;
        self.receipts.insert((receipt.scope.as_str(), receipt.key.as_str()), row.as_str())?;
        Ok(())
    }

    fn checked(&self, id: UserId, precondition: &Precondition) -> Result<User, Error> {
        let found = self.users.get(id.get())?.ok_or(UserRepositoryError::NotFound(id))?;
        let user = user(id.get(), found.value())?;
        let current = user.version;
        if precondition.allows(current) {
            Ok(user)
        } else {
            Err(UserRepositoryError::PreconditionFailed { current }.into())
        }
    }

    fn check_free(&self, email: &Email) -> Result<(), Error> {
        match self.emails.get(email.as_str())? {
            Some(_) => Err(UserRepositoryError::EmailTaken.into()),
            None => Ok(()),
        }
    }

    fn put(&mut self, user: &User) -> Result<(), Error> {
        self.users.insert(user.id.get(), rows::write(&UserRow::from(user))?.as_str())?;
        self.emails.insert(user.email.as_str(), user.id.get())?;
        Ok(())
    }

    fn record(&mut self, commit: &Commit, change: Change) -> Result<(), Error> {
        let position = self.events.last()?.map_or(0, |(last, _)| last.value()) + 1;
        let event = Event {
            id: EventId::from(Uuid::now_v7()),
            position: Position::new(position).unwrap_or_default(),
            time: commit.at,
            change,
            trace: commit.trace.clone(),
        };
        self.events.insert(position, rows::write(&EventRow::from(&event))?.as_str())?;
        Ok(())
    }
}
