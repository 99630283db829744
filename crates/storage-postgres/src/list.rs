//! Lists, a page at a time.

use diesel::dsl::{IntoBoxed, Select, sql};
use diesel::expression::SqlLiteral;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_core::future::BoxFuture;
use futures_util::FutureExt;
use roster_domain::{Order, Page, User, UserFilter, UserQuery};

use crate::columns::UserColumns;
use crate::error::Error;
use crate::events;
use crate::limited::Limited;
use crate::prepared::Prepared;
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
    let query = query.clone();
    let first = rows(&query);
    async move {
        let mut found: Vec<(UserRow, i64)> = first.load(&mut conn).await?;
        let newest = if let [(_, newest), ..] = found[..] {
            newest
        } else {
            // Nobody tells the position with them. It is read by itself, and before them.
            let newest = events::newest(conn, ()).await?;
            found = rows(&query).load(&mut conn).await?;
            newest
        };
        let users = found.into_iter().map(|(row, _)| User::try_from(row)).collect::<Result<_, _>>()?;
        Ok(Page::cut(users, query.limit, None, events::position(newest, "event_counter", "last", 1)?))
    }
    .boxed()
}

/// Users with the newest position of the feed, in one statement and so of one snapshot.
type Rows =
    Prepared<Limited<IntoBoxed<'static, Select<users::table, (UserColumns, SqlLiteral<BigInt>)>, Pg>>>;

/// One more than the page has, so that it is seen whether there is a next one.
fn rows(query: &UserQuery) -> Rows {
    let newest = sql("(SELECT last FROM event_counter)");
    let users = matching(&query.filter).select((UserColumns, newest));
    let users = match (query.order, query.after) {
        (Order::Ascending, None) => users.order(users::id.asc()),
        (Order::Ascending, Some(id)) => users.filter(users::id.gt(id.get())).order(users::id.asc()),
        (Order::Descending, None) => users.order(users::id.desc()),
        (Order::Descending, Some(id)) => users.filter(users::id.lt(id.get())).order(users::id.desc()),
    };
    Prepared(Limited(users, i64::from(query.limit.get()) + 1))
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
        let mut query = UserQuery::default();
        (query.filter.name, query.filter.email) = (NamePrefix::parse("A%").ok(), Email::parse("a@b.c").ok());
        query.after = UserId::new(7);
        let sql = debug_query::<Pg, _>(&rows(&query)).to_string();
        let (_, conditions) = sql.split_once(" WHERE ").unwrap();
        assert_eq!(
            conditions,
            "((((\"users\".\"email\" = $1) AND (\"users\".\"name_key\" >= $2)) AND \
             (\"users\".\"name_key\" < $3)) AND (\"users\".\"id\" > $4)) ORDER BY \"users\".\"id\" ASC \
             LIMIT 21 -- binds: [\"a@b.c\", \"a%\", \"a&\", 7]"
        );
    }
}
