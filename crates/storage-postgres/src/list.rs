//! Lists, a page at a time.

use diesel::dsl::{IntoBoxed, Select, sql};
use diesel::expression::SqlLiteral;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::BoxedSqlQuery;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_core::future::BoxFuture;
use futures_util::future::try_join_all;
use futures_util::{FutureExt, TryFutureExt};
use roster_domain::{NamePrefix, Order, Page, PageLimit, User, UserFilter, UserId, UserQuery};

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

/// How far a walk along the ids is short, whoever is found on it.
const SHORT: i64 = 2_000;

/// How many have a name at the most who are sorted by their ids.
const MANY: i64 = 20_000;

/// Along what users are looked for.
#[derive(Debug, Clone, Copy)]
enum Along {
    /// Their ids, past those that are not asked for.
    Id,
    /// Their names, to be sorted by their ids. The server would rather walk, as it believes those who have a name to
    /// be everywhere: where they are all among the newest, that is past everybody else.
    Name,
}

/// A page, and how many users there are on all pages, where that is asked.
pub(crate) async fn list(conn: &mut AsyncPgConnection, query: &UserQuery) -> Result<Page<User>, Error> {
    let along = along(conn, query).await?;
    let mut page = page_along(along, conn, query).await?;
    if query.with_total {
        let count: i64 = matching(&query.filter).count().get_result(conn).await?;
        page.total = Some(count.unsigned_abs());
    }
    Ok(page)
}

/// What leads to a page of these users sooner: a walk, where it is short, or few have such a name.
async fn along(conn: &mut AsyncPgConnection, query: &UserQuery) -> Result<Along, Error> {
    let (None, Some(prefix)) = (&query.filter.email, &query.filter.name) else { return Ok(Along::Id) };
    let (is_after, order, first) = match query.order {
        Order::Ascending => (">", "ASC", i64::MIN),
        Order::Descending => ("<", "DESC", i64::MAX),
    };
    let walk = format!(
        "SELECT count(*) FROM (SELECT FROM ( \
             SELECT name_key FROM users WHERE id {is_after} $1 ORDER BY id {order} LIMIT {SHORT} \
         ) AS next"
    );
    let walk = sql_query(walk).into_boxed::<Pg>();
    let walk = walk.bind::<BigInt, _>(query.after.map_or(first, UserId::get)).sql(" WHERE name_key >= $2");
    let walk = up_to_end(walk.bind::<Text, _>(prefix.start().to_owned()), " AND name_key < $3", prefix);
    // It ends with what would be on the longest page.
    let walk = walk.sql(format!(" LIMIT {}) AS found", PageLimit::MAX + 1));
    if Prepared(walk).get_result::<Count>(conn).await?.count > i64::from(query.limit.get()) {
        return Ok(Along::Id);
    }
    let named = sql_query("SELECT count(*) FROM (SELECT FROM users WHERE name_key >= $1").into_boxed::<Pg>();
    let named = up_to_end(named.bind::<Text, _>(prefix.start().to_owned()), " AND name_key < $2", prefix);
    let named = named.sql(format!(" LIMIT {MANY}) AS named"));
    let is_few = Prepared(named).get_result::<Count>(conn).await?.count < MANY;
    Ok(if is_few { Along::Name } else { Along::Id })
}

/// The rest of a condition on names, if they have an end.
fn up_to_end<'query, Q>(
    asked: BoxedSqlQuery<'query, Pg, Q>,
    before_end: &str,
    prefix: &NamePrefix,
) -> BoxedSqlQuery<'query, Pg, Q> {
    match prefix.end() {
        Some(end) => asked.sql(before_end).bind::<Text, _>(end),
        None => asked,
    }
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// A page alone, of users whose names are not asked for.
pub(crate) fn page<'conn>(
    conn: &'conn AsyncPgConnection,
    query: &UserQuery,
) -> BoxFuture<'conn, Result<Page<User>, Error>> {
    page_along(Along::Id, conn, query)
}

fn page_along<'conn>(
    along: Along,
    mut conn: &'conn AsyncPgConnection,
    query: &UserQuery,
) -> BoxFuture<'conn, Result<Page<User>, Error>> {
    let query = query.clone();
    let first = rows(&query, along);
    async move {
        let mut found: Vec<(UserRow, i64)> = first.load(&mut conn).await?;
        let newest = if let [(_, newest), ..] = found[..] {
            newest
        } else {
            // Nobody tells the position with them. It is read by itself, and before them.
            let newest = events::newest(conn, ()).await?;
            found = rows(&query, along).load(&mut conn).await?;
            newest
        };
        let users = found.into_iter().map(|(row, _)| User::try_from(row)).collect::<Result<_, _>>()?;
        Ok(Page::cut(users, query.limit, None, position(newest, "event_counter", "last", 1)?))
    }
    .boxed()
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
        let newest = position(*newest, "event_counter", "last", 1)?;
        let page = |(query, rows): (UserQuery, Vec<(UserRow, i64)>)| {
            let users: Result<Vec<_>, _> = rows.into_iter().map(|(row, _)| User::try_from(row)).collect();
            let mut users = users?;
            users.sort_unstable_by_key(|user| user.id);
            Ok(Page::cut(users, query.limit, None, newest))
        };
        Ok(queries.into_iter().zip(each).map(page).collect())
    }
    .boxed()
}

/// The newest position of the feed.
fn newest() -> SqlLiteral<BigInt> {
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
