use async_trait::async_trait;
use diesel::prelude::*;
use futures_core::stream::BoxStream;
use roster_domain::ports::{UserRepository, UserRepositoryError};
use roster_domain::{
    Commit, Email, NewUser, Page, Precondition, Receipt, Timestamp, User, UserChanges, UserId, UserQuery,
    Written,
};

use crate::create_many::create_many;
use crate::export::Exports;
use crate::list;
use crate::readers::Readers;
use crate::rows::UserRow;
use crate::schema::users;
use crate::turns::Turns;
use crate::write::{self, Once, Write};
use crate::writer::Writer;

/// The users in a SQLite file.
#[derive(Clone)]
pub struct SqliteUsers {
    pub(crate) writer: Writer,
    pub(crate) readers: Readers,
    pub(crate) searches: Turns,
    pub(crate) exports: Exports,
}

/// How many e-mails one statement asks for: SQLite takes some 32,000 values.
const MOST_EMAILS: usize = 1_000;

type Result<T, E = UserRepositoryError> = std::result::Result<T, E>;

#[async_trait]
impl UserRepository for SqliteUsers {
    async fn find(&self, id: UserId) -> Result<Option<User>> {
        let row = self.readers.read_few(move |conn| {
            let row = users::table.find(id.get()).select(UserRow::as_select()).get_result(conn);
            Ok(row.optional()?)
        });
        Ok(row.await?.map(User::try_from).transpose()?)
    }

    async fn find_by_email(&self, email: &Email) -> Result<Option<User>> {
        let email = email.as_str().to_owned();
        let row = self.readers.read_few(move |conn| {
            let with_email = users::table.filter(users::email.eq(&email));
            Ok(with_email.select(UserRow::as_select()).get_result(conn).optional()?)
        });
        Ok(row.await?.map(User::try_from).transpose()?)
    }

    async fn find_by_emails(&self, emails: &[Email]) -> Result<Vec<User>> {
        let emails: Vec<_> = emails.iter().map(|email| email.as_str().to_owned()).collect();
        let rows = self.readers.read(move |conn| {
            let mut rows: Vec<UserRow> = Vec::new();
            for emails in emails.chunks(MOST_EMAILS) {
                let with_emails = users::table.filter(users::email.eq_any(emails));
                rows.extend(with_emails.select(UserRow::as_select()).load(conn)?);
            }
            rows.sort_unstable_by_key(UserRow::id);
            rows.dedup_by_key(|row| row.id());
            Ok(rows)
        });
        Ok(rows.await?.into_iter().map(User::try_from).collect::<Result<_, _>>()?)
    }

    async fn list(&self, query: &UserQuery) -> Result<Page<User>> {
        Ok(list::list(&self.readers, &self.searches, query).await?)
    }

    async fn create(&self, new: NewUser, commit: Commit) -> Result<Written<User>> {
        self.once(Write::Create(new), commit).await
    }

    async fn create_many(&self, new: Vec<(NewUser, Commit)>) -> Result<Vec<Result<Written<User>>>> {
        Ok(create_many(&self.writer, new).await?)
    }

    async fn update(
        &self,
        id: UserId,
        changes: UserChanges,
        precondition: Precondition,
        commit: Commit,
    ) -> Result<Written<User>> {
        self.once(Write::Update(id, changes, precondition), commit).await
    }

    async fn delete(&self, id: UserId, precondition: Precondition, commit: Commit) -> Result<Written<User>> {
        self.once(Write::Delete(id, precondition), commit).await
    }

    async fn acknowledge(&self, receipt: Receipt, at: Timestamp) -> Result<Written<()>> {
        let acknowledged = self.writer.shared_transaction(move |conn| write::acknowledge(conn, &receipt, at));
        Ok(acknowledged.await?)
    }

    fn export(&self) -> BoxStream<'static, Result<Vec<User>>> {
        self.exports.stream()
    }
}

impl SqliteUsers {
    async fn once(&self, write: Write, commit: Commit) -> Result<Written<User>> {
        let once = Once(write, commit);
        Ok(self.writer.shared_transaction(move |conn| once.run(conn)).await?)
    }
}
