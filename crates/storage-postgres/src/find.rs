//! Users by their id: one, or those that are asked for together.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_core::future::BoxFuture;
use futures_util::{FutureExt, TryFutureExt};
use roster_domain::{User, UserId};

use crate::batched::Answers;
use crate::columns::UserColumns;
use crate::each::Each;
use crate::error::Error;
use crate::rows::{UserRow, user};
use crate::schema::users;

pub(crate) fn find(mut conn: &AsyncPgConnection, id: UserId) -> BoxFuture<'_, Result<Option<User>, Error>> {
    let with_id = users::table.find(id.get()).select(UserColumns);
    async move { user(with_id.get_result(&mut conn).await) }.boxed()
}

pub(crate) fn find_each(conn: &AsyncPgConnection, ids: Vec<UserId>) -> Answers<'_, Option<User>> {
    if let [id] = ids[..] {
        return find(conn, id).map_ok(|found| vec![Ok(found)]).boxed();
    }
    let ids = ids.into_iter().map(UserId::get).collect();
    let users = "SELECT * FROM users WHERE id = asked.key LIMIT 1";
    let with_ids = Each { asked: [("key", ids)], columns: UserColumns, users };
    let found = |mut rows: Vec<UserRow>| rows.pop().map(User::try_from).transpose();
    async move { Ok(with_ids.load(conn).await?.into_iter().map(found).collect()) }.boxed()
}
