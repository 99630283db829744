use std::sync::Arc;

use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use futures_util::FutureExt;
use roster_domain::ports::{UserRepository, UserRepositoryError};
use roster_domain::{
    Commit, Email, NewUser, Page, Precondition, Receipt, Timestamp, User, UserChanges, UserId, UserQuery,
    Written,
};

use crate::batched::Batched;
use crate::change::ChangeAsRead;
use crate::columns::UserColumns;
use crate::create_many::create_many;
use crate::error::Error;
use crate::export::Exports;
use crate::find::find;
use crate::group_commit::GroupCommit;
use crate::list;
use crate::pipelines::Pipelines;
use crate::pool::Pool;
use crate::rows::user;
use crate::schema::users;
use crate::turns::Turns;
use crate::write::{Acknowledge, Edit, Edited, Once, Write};

/// The users on PostgreSQL.
#[derive(Clone)]
pub struct PgUsers {
    pub(crate) pool: Pool,
    pub(crate) pipelines: Arc<Pipelines>,
    pub(crate) finds: Batched<UserId, Option<User>>,
    pub(crate) pages: Batched<UserQuery, Page<User>>,
    pub(crate) creates: GroupCommit,
    /// For lists that may be no short walk.
    pub(crate) searches: Turns,
    pub(crate) exports: Exports,
}

type Result<T, E = UserRepositoryError> = std::result::Result<T, E>;

#[async_trait]
impl UserRepository for PgUsers {
    async fn find(&self, id: UserId) -> Result<Option<User>> {
        Ok(match self.finds.read(id).await {
            Some(found) => found?,
            None => self.pipelines.read_on_pool(find, id).await?,
        })
    }

    async fn find_by_email(&self, email: &Email) -> Result<Option<User>> {
        Ok(self.pipelines.read(find_by_email, email).await?)
    }

    async fn find_by_emails(&self, emails: &[Email]) -> Result<Vec<User>> {
        Ok(self.pool.read(find_by_emails, emails).await?)
    }

    async fn list(&self, query: &UserQuery) -> Result<Page<User>> {
        if !list::is_short(query) {
            let _turn = self.searches.take().await?;
            return Ok(self.pool.read(list::list, query).await?);
        }
        if !list::is_usual(query) {
            return Ok(self.pipelines.read(list::page, query).await?);
        }
        Ok(match self.pages.read(query.clone()).await {
            Some(page) => page?,
            None => self.pipelines.read_on_pool(list::page, query).await?,
        })
    }

    async fn create(&self, new: NewUser, commit: Commit) -> Result<Written<User>> {
        if commit.receipt.is_some() {
            return self.once(Write::Create(new), commit).await;
        }
        self.creates.create(new, commit).await
    }

    async fn create_many(&self, new: Vec<(NewUser, Commit)>) -> Result<Vec<Result<Written<User>>>> {
        Ok(create_many(&self.pool, new).await?)
    }

    async fn update(
        &self,
        id: UserId,
        changes: UserChanges,
        precondition: Precondition,
        commit: Commit,
    ) -> Result<Written<User>> {
        self.edit(Edit { id, precondition, to: Edited::Changed(changes) }, commit).await
    }

    async fn delete(&self, id: UserId, precondition: Precondition, commit: Commit) -> Result<Written<User>> {
        self.edit(Edit { id, precondition, to: Edited::Deleted }, commit).await
    }

    async fn acknowledge(&self, receipt: Receipt, at: Timestamp) -> Result<Written<()>> {
        Ok(self.pool.commit(Acknowledge(receipt, at)).await?)
    }

    fn export(&self) -> BoxStream<'static, Result<Vec<User>>> {
        self.exports.stream(&self.pool)
    }
}

impl PgUsers {
    /// Changes a user as it is read, in one statement. That somebody else was faster, that nothing is to be done, or
    /// that it may not be, is for a transaction to find out, which sees what is so now, and asks a server that takes
    /// writes; as is what has a receipt, or would take a transaction for each step.
    ///
    /// Where nobody knows what became of the statement, as its connection was lost, it is not done again.
    async fn edit(&self, edit: Edit, commit: Commit) -> Result<Written<User>> {
        if let Some(change) = self.as_read(&edit, &commit).await?
            && let Some(changed) = self.pool.commit(change).await?
        {
            return Ok(Written::Now(changed));
        }
        self.once(Write::Edit(edit), commit).await
    }

    /// What is to be done to a user as it is read, where one statement can do it.
    async fn as_read(&self, edit: &Edit, commit: &Commit) -> Result<Option<ChangeAsRead>> {
        if commit.receipt.is_some() || self.pool.by_transaction {
            return Ok(None);
        }
        let Ok(before) = edit.of(self.find(edit.id).await?) else { return Ok(None) };
        let change = edit.change(&before, commit.at);
        Ok(change.map(|change| ChangeAsRead(before.version, change, commit.clone())))
    }

    async fn once(&self, write: Write, commit: Commit) -> Result<Written<User>> {
        Ok(self.pool.commit(Once(write, commit)).await?)
    }
}

fn find_by_email<'conn>(
    mut conn: &'conn AsyncPgConnection,
    email: &Email,
) -> BoxFuture<'conn, Result<Option<User>, Error>> {
    let with_email = users::table.filter(users::email.eq(email.as_str().to_owned())).select(UserColumns);
    async move { user(with_email.get_result(&mut conn).await) }.boxed()
}

async fn find_by_emails(conn: &mut AsyncPgConnection, emails: &[Email]) -> Result<Vec<User>, Error> {
    let emails: Vec<_> = emails.iter().map(Email::as_str).collect();
    let with_emails = users::table.filter(users::email.eq_any(emails)).order(users::id);
    let rows = with_emails.select(UserColumns).load(conn).await?;
    rows.into_iter().map(User::try_from).collect()
}
