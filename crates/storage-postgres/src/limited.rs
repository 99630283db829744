//! Lists with an end, planned once.

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment};
use diesel::sql_types::BigInt;

/// The limits that most lists have: that of a page where none is asked for, and the most that may be asked for; each
/// with the one row more that tells whether there is a next page.
const USUAL: [i64; 2] = [21, 101];

/// At most so many rows of a query that has no limit yet.
///
/// A usual limit is part of the text. As a parameter it would have PostgreSQL plan the statement anew in each call: it
/// compares what that saves with a plan for any limit, which it takes to be a tenth of the table.
pub(crate) struct Limited<Q>(pub(crate) Q, pub(crate) i64);

impl<Q: Query> Query for Limited<Q> {
    type SqlType = Q::SqlType;
}

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for Limited<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let Self(query, limit) = self;
        query.walk_ast(out.reborrow())?;
        out.push_sql(" LIMIT ");
        if USUAL.contains(limit) {
            out.push_sql(&limit.to_string());
            Ok(())
        } else {
            out.push_bind_param::<BigInt, _>(limit)
        }
    }
}

#[cfg(test)]
mod tests {
    use diesel::debug_query;

    use super::*;
    use crate::schema::users;

    fn sql(limit: i64) -> String {
        let ids = users::table.select(users::id).order(users::id);
        debug_query::<Pg, _>(&Limited(ids, limit)).to_string()
    }

    #[test]
    fn a_usual_limit_is_part_of_the_text() {
        let ids = "SELECT \"users\".\"id\" FROM \"users\" ORDER BY \"users\".\"id\"";
        assert_eq!(sql(21), format!("{ids} LIMIT 21 -- binds: []"));
        assert_eq!(sql(101), format!("{ids} LIMIT 101 -- binds: []"));
        assert_eq!(sql(22), format!("{ids} LIMIT $1 -- binds: [22]"));
    }
}
