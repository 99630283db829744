use std::collections::BTreeMap;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt};
use redb::{AccessGuard, ReadOnlyTable, ReadTransaction, ReadableTable, StorageError};
use roster_domain::ports::{UserRepository, UserRepositoryError};
use roster_domain::{
    Commit, Email, NewUser, Order, Page, Precondition, Receipt, Timestamp, User, UserChanges, UserId,
    UserQuery, Written,
};

use crate::error::Error;
use crate::events;
use crate::tables::{EMAILS, USERS, user};
use crate::{Redb, blocking};

/// How many users an export hands over at once.
const EXPORT_BATCH: usize = 500;

type Result<T, E = UserRepositoryError> = std::result::Result<T, E>;

type Row<'a> = Result<(AccessGuard<'a, i64>, AccessGuard<'a, &'static str>), StorageError>;

fn read(row: Row<'_>) -> Result<User, Error> {
    let (id, json) = row?;
    user(id.value(), json.value())
}

/// A page of the users that a query asks for: all of them are looked at, in the same snapshot as the feed.
fn list(transaction: &ReadTransaction, query: &UserQuery) -> Result<Page<User>, Error> {
    let newest = events::newest(transaction)?;
    let all = transaction.open_table(USERS)?.iter()?.map(read).collect::<Result<Vec<_>, Error>>()?;
    let mut matching: Vec<_> = all.into_iter().filter(|user| query.filter.matches(user)).collect();
    let total = query.with_total.then_some(matching.len() as u64);
    if query.order == Order::Descending {
        matching.reverse();
    }
    let is_after = |user: &User| match (query.after, query.order) {
        (None, _) => true,
        (Some(after), Order::Ascending) => user.id > after,
        (Some(after), Order::Descending) => user.id < after,
    };
    matching.retain(is_after);
    Ok(Page::cut(matching, query.limit, total, newest))
}

/// The users after an id, of a snapshot.
fn batch(users: &ReadOnlyTable<i64, &'static str>, after: i64) -> Result<Vec<User>, Error> {
    users.range(after + 1..)?.take(EXPORT_BATCH).map(read).collect()
}

#[async_trait]
impl UserRepository for Redb {
    async fn find(&self, id: UserId) -> Result<Option<User>> {
        let found = Redb::read(self, move |transaction| {
            let row = transaction.open_table(USERS)?.get(id.get())?;
            row.map(|json| user(id.get(), json.value())).transpose()
        });
        Ok(found.await?)
    }

    async fn find_by_email(&self, email: &Email) -> Result<Option<User>> {
        let email = email.clone();
        let found = Redb::read(self, move |transaction| {
            let Some(id) = transaction.open_table(EMAILS)?.get(email.as_str())? else {
                return Ok(None);
            };
            let row = transaction.open_table(USERS)?.get(id.value())?;
            row.map(|json| user(id.value(), json.value())).transpose()
        });
        Ok(found.await?)
    }

    async fn find_by_emails(&self, emails: &[Email]) -> Result<Vec<User>> {
        let emails = emails.to_vec();
        let found = Redb::read(self, move |transaction| {
            let (ids, users) = (transaction.open_table(EMAILS)?, transaction.open_table(USERS)?);
            let mut found = BTreeMap::new();
            for email in &emails {
                let Some(id) = ids.get(email.as_str())?.map(|id| id.value()) else { continue };
                if let Some(json) = users.get(id)? {
                    found.insert(id, user(id, json.value())?);
                }
            }
            Ok(found.into_values().collect())
        });
        Ok(found.await?)
    }

    async fn list(&self, query: &UserQuery) -> Result<Page<User>> {
        let query = query.clone();
        Ok(Redb::read(self, move |transaction| list(transaction, &query)).await?)
    }

    async fn create(&self, new: NewUser, commit: Commit) -> Result<Written<User>> {
        Ok(self.write(move |tables| tables.once(&commit, |tables| tables.create(new, &commit))).await?)
    }

    async fn create_many(&self, new: Vec<(NewUser, Commit)>) -> Result<Vec<Result<Written<User>>>> {
        let written = self.write(move |tables| {
            let mut outcomes = Vec::with_capacity(new.len());
            for (new, commit) in new {
                match tables.once(&commit, |tables| tables.create(new, &commit)) {
                    Ok(written) => outcomes.push(Ok(written)),
                    // It was refused, and changed nothing.
                    Err(Error::Told(told)) => outcomes.push(Err(told)),
                    Err(failed) => return Err(failed),
                }
            }
            Ok(outcomes)
        });
        Ok(written.await?)
    }

    async fn update(
        &self,
        id: UserId,
        changes: UserChanges,
        precondition: Precondition,
        commit: Commit,
    ) -> Result<Written<User>> {
        let written = self.write(move |tables| {
            tables.once(&commit, |tables| tables.update(id, &changes, &precondition, &commit))
        });
        Ok(written.await?)
    }

    async fn delete(&self, id: UserId, precondition: Precondition, commit: Commit) -> Result<Written<User>> {
        let written = self
            .write(move |tables| tables.once(&commit, |tables| tables.delete(id, &precondition, &commit)));
        Ok(written.await?)
    }

    async fn acknowledge(&self, receipt: Receipt, at: Timestamp) -> Result<Written<()>> {
        Ok(self.write(move |tables| tables.acknowledge(&receipt, at)).await?)
    }

    fn export(&self) -> BoxStream<'static, Result<Vec<User>>> {
        let store = self.clone();
        let snapshot = async move { store.read(|transaction| Ok(transaction.open_table(USERS)?)).await };
        stream::once(snapshot)
            .flat_map(|snapshot| match snapshot {
                Ok(users) => batches(users).boxed(),
                Err(error) => stream::iter([Err(error.into())]).boxed(),
            })
            .boxed()
    }
}

/// All users of a snapshot, which holds up no writer for as long as it is kept.
fn batches(users: ReadOnlyTable<i64, &'static str>) -> impl futures_util::Stream<Item = Result<Vec<User>>> {
    stream::try_unfold((users, 0), |(users, after)| async move {
        let (users, batch) = blocking(move || {
            let batch = batch(&users, after)?;
            Ok((users, batch))
        })
        .await?;
        Ok(batch.last().map(|last| last.id.get()).map(|last| (batch, (users, last))))
    })
}
