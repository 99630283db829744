//! Lists, a page at a time.

use diesel::dsl::{AsSelect, IntoBoxed, Select};
use diesel::prelude::*;
use diesel::sqlite::Sqlite;
use roster_domain::{Order, Page, User, UserFilter, UserQuery};

use crate::error::Error;
use crate::event_rows::position;
use crate::events;
use crate::limited::Limited;
use crate::readers::Readers;
use crate::rows::UserRow;
use crate::schema::users;
use crate::turns::Turns;

pub(crate) async fn list(
    readers: &Readers,
    searches: &Turns,
    query: &UserQuery,
) -> Result<Page<User>, Error> {
    let limit = query.limit;
    let is_brief = query.filter.name.is_none() && !query.with_total;
    let query = query.clone();
    let read = move |conn: &mut SqliteConnection| read(conn, &query);
    let Read { newest, rows, total } =
        if is_brief { readers.read_few(read).await? } else { searches.read(readers, read).await? };
    let users = rows.into_iter().map(User::try_from).collect::<Result<_, _>>()?;
    let newest = position(newest, "event_counter", "last", 1)?;
    Ok(Page::cut(users, limit, total.map(i64::unsigned_abs), newest))
}

/// What is read for a page.
struct Read {
    newest: i64,
    rows: Vec<UserRow>,
    total: Option<i64>,
}

/// The newest position of the feed is read before the rest, which may be newer.
fn read(conn: &mut SqliteConnection, query: &UserQuery) -> Result<Read, Error> {
    let newest = events::newest(conn)?;
    let rows = page(query).load(conn)?;
    let total = query.with_total.then(|| matching(&query.filter).count().get_result(conn)).transpose()?;
    Ok(Read { newest, rows, total })
}

type Rows = Limited<IntoBoxed<'static, Select<users::table, AsSelect<UserRow, Sqlite>>, Sqlite>>;

/// One more than the page has, so that it is seen whether there is a next one.
fn page(query: &UserQuery) -> Rows {
    let users = matching(&query.filter).select(UserRow::as_select());
    let users = match (query.order, query.after) {
        (Order::Ascending, None) => users.order(users::id.asc()),
        (Order::Ascending, Some(id)) => users.filter(users::id.gt(id.get())).order(users::id.asc()),
        (Order::Descending, None) => users.order(users::id.desc()),
        (Order::Descending, Some(id)) => users.filter(users::id.lt(id.get())).order(users::id.desc()),
    };
    Limited(users, i64::from(query.limit.get()) + 1)
}

fn matching(filter: &UserFilter) -> IntoBoxed<'static, users::table, Sqlite> {
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
        let sql = debug_query::<Sqlite, _>(&page(&query)).to_string();
        let (_, conditions) = sql.split_once(" WHERE ").unwrap();
        assert_eq!(
            conditions,
            "((((`users`.`email` = ?) AND (`users`.`name_key` >= ?)) AND (`users`.`name_key` < ?)) AND \
             (`users`.`id` > ?)) ORDER BY `users`.`id` ASC LIMIT (0 + ?) \
             -- binds: [\"a@b.c\", \"a%\", \"a&\", 7, 21]"
        );
    }
}
