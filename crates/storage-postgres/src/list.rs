//! Lists, a page at a time.

use diesel::dsl::{IntoBoxed, Select, sql};
use diesel::expression::SqlLiteral;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_core::future::BoxFuture;
use futures_util::future::try_join_all;
use futures_util::{FutureExt, TryFutureExt};
use roster_domain::{Order, Page, PageLimit, User, UserFilter, UserId, UserQuery};

use crate::batched::Answers;
use crate::columns::UserColumns;
use crate::each::Each;
use crate::error::Error;
use crate::event_rows::position;
use crate::events;
use crate::limited::Limited;
use crate::prepared::Prepared;
use crate::rows::UserRow;
use crate::schema::users;
use crate::search;

/// Whether a page of the list is one walk along a key, and so no more work than the page is long.
pub(crate) fn is_short(query: &UserQuery) -> bool {
    !query.with_total && query.filter.name.is_none()
}

/// Whether it is a page as most ask for it: of all users, by ascending ids.
pub(crate) fn is_usual(query: &UserQuery) -> bool {
    let mut usual = UserQuery::default();
    (usual.after, usual.limit) = (query.after, query.limit);
    *query == usual
}

/// Along what users are looked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Along {
    /// Their ids, past those that are not asked for.
    Id,
    /// Their names, to be sorted by their ids. The server would rather walk, as it believes those who have a name to
    /// be everywhere: where they are all among the newest, that is past everybody else.
    Name,
}

/// A page, and how many users there are on all pages, where that is asked.
pub(crate) async fn list(conn: &mut AsyncPgConnection, query: &UserQuery) -> Result<Page<User>, Error> {
    let mut page = match &query.filter {
        UserFilter { email: None, name: Some(prefix), .. } => search::page(conn, query, prefix).await?,
        _ => page(conn, query).await?,
    };
    if query.with_total {
        let count: i64 = matching(&query.filter).count().get_result(conn).await?;
        page.total = Some(count.unsigned_abs());
    }
    Ok(page)
}

/// A page alone, along the ids.
pub(crate) fn page<'conn>(
    conn: &'conn AsyncPgConnection,
    query: &UserQuery,
) -> BoxFuture<'conn, Result<Page<User>, Error>> {
    page_along(Along::Id, conn, query)
}

/// A page alone, along what leads to it.
pub(crate) fn page_along<'conn>(
    along: Along,
    mut conn: &'conn AsyncPgConnection,
    query: &UserQuery,
) -> BoxFuture<'conn, Result<Page<User>, Error>> {
    let query = query.clone();
    let first = rows(&query, along);
    async move {
        let found: Vec<(UserRow, i64)> = first.load(&mut conn).await?;
        if let [(_, newest), ..] = found[..] {
            return cut(found, query.limit, newest);
        }
        // Nobody tells the position with them. It is read by itself, and before them.
        let newest = events::newest(conn, ()).await?;
        let found = rows(&query, along).load(&mut conn).await?;
        cut(found, query.limit, newest)
    }
    .boxed()
}

/// A page of what was found, which is one more where there is a next page.
pub(crate) fn cut(found: Vec<(UserRow, i64)>, limit: PageLimit, newest: i64) -> Result<Page<User>, Error> {
    let users = found.into_iter().map(|(row, _)| User::try_from(row)).collect::<Result<_, _>>()?;
    Ok(Page::cut(users, limit, None, position(newest, "event_counter", "last", 1)?))
}

/// How one of several usual pages is read. The limit that the server can see is beyond that of any page: one that it
/// cannot see it takes for a tenth of the table.
const USUAL: &str = "SELECT * FROM ( \
         SELECT * FROM users WHERE id > asked.after ORDER BY id LIMIT 101 \
     ) AS page LIMIT asked.most";
const _: () = assert!(PageLimit::MAX < 101, "a page would end before its limit");

/// Usual pages, all of one snapshot.
pub(crate) fn usual_pages(conn: &AsyncPgConnection, queries: Vec<UserQuery>) -> Answers<'_, Page<User>> {
    if let [query] = &queries[..] {
        return page(conn, query).map_ok(|page| vec![Ok(page)]).boxed();
    }
    let after = queries.iter().map(|query| query.after.map_or(i64::MIN, UserId::get)).collect();
    let most = queries.iter().map(|query| i64::from(query.limit.get()) + 1).collect();
    let pages =
        Each { asked: [("after", after), ("most", most)], columns: (UserColumns, newest()), users: USUAL };
    async move {
        let each: Vec<Vec<(UserRow, i64)>> = pages.load(conn).await?;
        let Some((_, newest)) = each.iter().flatten().next() else {
            // Nobody is on any of them, and so nothing tells the position.
            return try_join_all(queries.iter().map(|query| page(conn, query).map_ok(Ok))).await;
        };
        let newest = *newest;
        let page = |(query, mut rows): (UserQuery, Vec<(UserRow, i64)>)| {
            rows.sort_unstable_by_key(|(row, _)| row.id());
            cut(rows, query.limit, newest)
        };
        Ok(queries.into_iter().zip(each).map(page).collect())
    }
    .boxed()
}

/// The newest position of the feed.
pub(crate) fn newest() -> SqlLiteral<BigInt> {
    sql("(SELECT last FROM event_counter)")
}

/// Users with the newest position of the feed, in one statement and so of one snapshot.
type Rows =
    Prepared<Limited<IntoBoxed<'static, Select<users::table, (UserColumns, SqlLiteral<BigInt>)>, Pg>>>;

/// One more than the page has, so that it is seen whether there is a next one.
fn rows(query: &UserQuery, along: Along) -> Rows {
    let users = matching(&query.filter).select((UserColumns, newest()));
    let users = match (query.order, query.after) {
        (_, None) => users,
        (Order::Ascending, Some(id)) => users.filter(users::id.gt(id.get())),
        (Order::Descending, Some(id)) => users.filter(users::id.lt(id.get())),
    };
    // A sum is no key that could be walked along.
    let users = match (along, query.order) {
        (Along::Id, Order::Ascending) => users.order(users::id.asc()),
        (Along::Id, Order::Descending) => users.order(users::id.desc()),
        (Along::Name, Order::Ascending) => users.order((users::id + 0).asc()),
        (Along::Name, Order::Descending) => users.order((users::id + 0).desc()),
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
        let sql = debug_query::<Pg, _>(&rows(&query, Along::Id)).to_string();
        let (_, conditions) = sql.split_once(" WHERE ").unwrap();
        assert_eq!(
            conditions,
            "((((\"users\".\"email\" = $1) AND (\"users\".\"name_key\" >= $2)) AND \
             (\"users\".\"name_key\" < $3)) AND (\"users\".\"id\" > $4)) ORDER BY \"users\".\"id\" ASC \
             LIMIT 21 -- binds: [\"a@b.c\", \"a%\", \"a&\", 7]"
        );
    }
}
