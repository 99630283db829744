//! Users by the beginning of their names, a page at a time.

use diesel::expression::SqlLiteral;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment};
use diesel::sql_types::{BigInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use roster_domain::{NamePrefix, Order, Page, User, UserId, UserQuery};

use crate::columns::UserColumns;
use crate::error::Error;
use crate::limited::Limited;
use crate::list::{self, Along};
use crate::prepared::Prepared;
use crate::rows::UserRow;

/// How many of the next users by id are looked at, whoever is found.
const NEAR: i64 = 2_000;

/// Fewer users than these are sorted by their ids.
const FEW: i64 = 20_000;

/// A page by what leads to it sooner: the next users; those who have such a name, where they are few; or a walk as long
/// as it takes.
pub(crate) async fn page(
    conn: &mut AsyncPgConnection,
    query: &UserQuery,
    prefix: &NamePrefix,
) -> Result<Page<User>, Error> {
    let found: Vec<(UserRow, i64)> = nearest(query, prefix).load(conn).await?;
    if let [(_, newest), ..] = found[..]
        && found.len() > usize::from(query.limit.get())
    {
        return list::cut(found, query.limit, newest);
    }
    let named: i64 = Prepared(Few(Begins::with(prefix))).get_result(conn).await?;
    list::page_along(if named < FEW { Along::Name } else { Along::Id }, conn, query).await
}

/// A page of those of the next users by id who have such a name.
fn nearest(query: &UserQuery, prefix: &NamePrefix) -> Prepared<Limited<Nearest>> {
    let nearest = Nearest {
        columns: (UserColumns, list::newest()),
        after: query.after.map(UserId::get),
        order: query.order,
        begins: Begins::with(prefix),
    };
    Prepared(Limited(nearest, i64::from(query.limit.get()) + 1))
}

/// Those of the next users by id whose names begin so.
struct Nearest {
    columns: (UserColumns, SqlLiteral<BigInt>),
    after: Option<i64>,
    order: Order,
    begins: Begins,
}

impl Query for Nearest {
    type SqlType = <(UserColumns, SqlLiteral<BigInt>) as Expression>::SqlType;
}

impl QueryFragment<Pg> for Nearest {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let (is_after, order) = match self.order {
            Order::Ascending => (">", "ASC"),
            Order::Descending => ("<", "DESC"),
        };
        out.push_sql("SELECT ");
        self.columns.walk_ast(out.reborrow())?;
        out.push_sql(" FROM (SELECT * FROM users");
        if let Some(after) = &self.after {
            out.push_sql(" WHERE id ");
            out.push_sql(is_after);
            out.push_sql(" ");
            out.push_bind_param::<BigInt, _>(after)?;
        }
        out.push_sql(" ORDER BY id ");
        out.push_sql(order);
        out.push_sql(&format!(" LIMIT {NEAR}) AS users WHERE "));
        self.begins.walk_ast(out.reborrow())?;
        out.push_sql(" ORDER BY id ");
        out.push_sql(order);
        Ok(())
    }
}

/// How many there are whose names begin so, if they are few.
struct Few(Begins);

impl Query for Few {
    type SqlType = BigInt;
}

impl QueryFragment<Pg> for Few {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT count(*) FROM (SELECT FROM users WHERE ");
        self.0.walk_ast(out.reborrow())?;
        out.push_sql(&format!(" LIMIT {FEW}) AS few"));
        Ok(())
    }
}

/// The condition that a name begins so.
struct Begins {
    start: String,
    end: Option<String>,
}

impl Begins {
    fn with(prefix: &NamePrefix) -> Self {
        Self { start: prefix.start().to_owned(), end: prefix.end() }
    }
}

impl QueryFragment<Pg> for Begins {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("name_key >= ");
        out.push_bind_param::<Text, _>(&self.start)?;
        if let Some(end) = &self.end {
            out.push_sql(" AND name_key < ");
            out.push_bind_param::<Text, _>(end)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use diesel::debug_query;

    use super::*;

    #[test]
    fn the_next_users_are_those_after_the_page_before() {
        let mut query = UserQuery::default();
        query.order = Order::Descending;
        let prefix = NamePrefix::parse("A%").unwrap();
        let from = |query: &UserQuery| {
            let sql = debug_query::<Pg, _>(&nearest(query, &prefix)).to_string();
            let (_, from) = sql.split_once(" FROM (SELECT * ").unwrap();
            from.to_owned()
        };
        assert_eq!(
            from(&query),
            "FROM users ORDER BY id DESC LIMIT 2000) AS users WHERE name_key >= $1 AND name_key < $2 \
             ORDER BY id DESC LIMIT 21 -- binds: [\"a%\", \"a&\"]"
        );
        query.after = UserId::new(7);
        assert_eq!(
            from(&query),
            "FROM users WHERE id < $1 ORDER BY id DESC LIMIT 2000) AS users \
             WHERE name_key >= $2 AND name_key < $3 ORDER BY id DESC LIMIT 21 -- binds: [7, \"a%\", \"a&\"]"
        );
    }
}
