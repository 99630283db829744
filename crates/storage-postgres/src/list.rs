//! Lists, a page at a time.

use diesel::dsl::IntoBoxed;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_core::future::BoxFuture;
use futures_util::FutureExt;
use roster_domain::{Order, Page, User, UserFilter, UserQuery};

use crate::error::Error;
use crate::rows::UserRow;
use crate::schema::users;

/// Whether a page of the list is one walk along a key, and so no more work than the page is long.
pub(crate) fn is_short(query: &UserQuery) -> bool {
    !query.with_total && query.filter.name.is_none()
}

/// A page, and how many users there are on all pages, where that is asked.
pub(crate) async fn list(conn: &mut AsyncPgConnection, query: &UserQuery) -> Result<Page<User>, Error> {
    let mut page = page(conn, query).await?;
    if query.with_total {
        let count: i64 = matching(&query.filter).count().get_result(conn).await?;
        page.total = Some(count.unsigned_abs());
    }
    Ok(page)
}

/// A page alone.
pub(crate) fn page<'conn>(
    mut conn: &'conn AsyncPgConnection,
    query: &UserQuery,
) -> BoxFuture<'conn, Result<Page<User>, Error>> {
    let (rows, limit) = (rows(query).select(UserRow::as_select()), query.limit);
    async move {
        let rows: Vec<UserRow> = rows.load(&mut conn).await?;
        let users = rows.into_iter().map(User::try_from).collect::<Result<_, _>>()?;
        Ok(Page::cut(users, limit, None))
    }
    .boxed()
}

/// One more than the page has, so that it is seen whether there is a next one.
fn rows(query: &UserQuery) -> IntoBoxed<'static, users::table, Pg> {
    let one_more = i64::from(query.limit.get()) + 1;
    let users = matching(&query.filter).limit(one_more);
    match (query.order, query.after) {
        (Order::Ascending, None) => users.order(users::id.asc()),
        (Order::Ascending, Some(id)) => users.filter(users::id.gt(id.get())).order(users::id.asc()),
        (Order::Descending, None) => users.order(users::id.desc()),
        (Order::Descending, Some(id)) => users.filter(users::id.lt(id.get())).order(users::id.desc()),
    }
}

fn matching(filter: &UserFilter) -> IntoBoxed<'static, users::table, Pg> {
    let mut users = users::table.into_boxed();
    if let Some(email) = &filter.email {
        users = users.filter(users::email.eq(email.as_str().to_owned()));
    }
    if let Some(prefix) = &filter.name {
        users = users.filter(users::name_key.ge(prefix.start().to_owned()));
        if let Some(end) = prefix.end() {
            users = users.filter(users::name_key.lt(end));
        }
    }
    users
}

#[cfg(test)]
mod tests {
    use diesel::debug_query;
    use roster_domain::{Email, NamePrefix, UserId};

    use super::*;

    #[test]
    fn a_name_is_a_half_open_range_and_no_pattern() {
        let filter = UserFilter { name: NamePrefix::parse("A%").ok(), email: Email::parse("a@b.c").ok() };
        let query = UserQuery { filter, after: UserId::new(7), ..UserQuery::default() };
        let sql = debug_query::<Pg, _>(&rows(&query)).to_string();
        let (_, conditions) = sql.split_once(" WHERE ").unwrap();
        assert_eq!(
            conditions,
            "((((\"users\".\"email\" = $1) AND (\"users\".\"name_key\" >= $2)) AND \
             (\"users\".\"name_key\" < $3)) AND (\"users\".\"id\" > $4)) ORDER BY \"users\".\"id\" ASC \
             LIMIT $5 -- binds: [\"a@b.c\", \"a%\", \"a&\", 7, 21]"
        );
    }
}
