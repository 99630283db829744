//! Lists with an end, prepared once.

use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::BigInt;
use diesel::sqlite::Sqlite;

/// At most so many rows of a query that has no limit yet.
///
/// Where a limit is a parameter and no more, SQLite looks at its value as it prepares the statement, and so prepares
/// it anew whenever it is given one. What it would have to work out it does not look at.
pub(crate) struct Limited<Q>(pub(crate) Q, pub(crate) i64);

impl<Q> QueryId for Limited<Q> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q: Query> Query for Limited<Q> {
    type SqlType = Q::SqlType;
}

impl<Q> RunQueryDsl<SqliteConnection> for Limited<Q> {}

impl<Q: QueryFragment<Sqlite>> QueryFragment<Sqlite> for Limited<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let Self(query, limit) = self;
        query.walk_ast(out.reborrow())?;
        out.push_sql(" LIMIT (0 + ");
        out.push_bind_param::<BigInt, _>(limit)?;
        out.push_sql(")");
        Ok(())
    }
}
