//! What several ask for of users, in one statement.

use std::iter::repeat_with;

use diesel::deserialize::FromSqlRow;
use diesel::expression::QueryMetadata;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment};
use diesel::sql_types::{Array, BigInt};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use roster_domain::BoxError;

use crate::error::Error;
use crate::prepared::Prepared;

/// Rows of users for each of those who ask, as a statement of its own would find them.
pub(crate) struct Each<const N: usize, Columns> {
    /// What is asked, by name: a value for each of those who ask, in one order.
    pub(crate) asked: [(&'static str, Vec<i64>); N],
    /// What is told of a user.
    pub(crate) columns: Columns,
    /// Finds the users of one of those who ask, whose values are in `asked`. By its limit it stays a search for each:
    /// as one for all, planned for few users, it would read the whole table.
    pub(crate) users: &'static str,
}

impl<const N: usize, Columns> Each<N, Columns>
where
    Self: Query<SqlType = (BigInt, Columns::SqlType)> + QueryFragment<Pg> + Send + 'static,
    Columns: Expression,
    Pg: QueryMetadata<(BigInt, Columns::SqlType)>,
{
    /// The rows of each, in no order.
    pub(crate) async fn load<Row>(self, mut conn: &AsyncPgConnection) -> Result<Vec<Vec<Row>>, Error>
    where
        (i64, Row): FromSqlRow<<Self as Query>::SqlType, Pg> + Send + 'static,
    {
        let count = self.asked.as_slice().first().map_or(0, |(_, values)| values.len());
        let rows: Vec<(i64, Row)> = Prepared(self).load(&mut conn).await?;
        let mut each: Vec<_> = repeat_with(Vec::new).take(count).collect();
        for (nth, row) in rows {
            let nth = usize::try_from(nth - 1).ok();
            let of = nth.and_then(|nth| each.get_mut(nth)).ok_or_else(nobody_asked)?;
            of.push(row);
        }
        Ok(each)
    }
}

fn nobody_asked() -> Error {
    Error::Internal(BoxError::from("nobody asked for a row that was told"))
}

impl<const N: usize, Columns: Expression> Query for Each<N, Columns> {
    type SqlType = (BigInt, Columns::SqlType);
}

impl<const N: usize, Columns: QueryFragment<Pg>> QueryFragment<Pg> for Each<N, Columns> {
    /// What is asked is given by a `SELECT` of its own: so the server cannot see how many ask, and keeps its plan,
    /// which it would make anew where they are fewer than it expects.
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT asked.nth, ");
        self.columns.walk_ast(out.reborrow())?;
        out.push_sql(" FROM unnest(");
        for (nth, (_, values)) in self.asked.iter().enumerate() {
            out.push_sql(if nth > 0 { ", (SELECT " } else { "(SELECT " });
            out.push_bind_param::<Array<BigInt>, _>(values)?;
            out.push_sql(")");
        }
        out.push_sql(") WITH ORDINALITY AS asked (");
        for (name, _) in &self.asked {
            out.push_sql(name);
            out.push_sql(", ");
        }
        out.push_sql("nth) CROSS JOIN LATERAL (");
        out.push_sql(self.users);
        out.push_sql(") AS users");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use diesel::debug_query;
    use diesel::dsl::sql;

    use super::*;

    #[test]
    fn all_that_ask_are_told_by_one_statement() {
        let each = Each {
            asked: [("key", vec![7, 9]), ("most", vec![1, 2])],
            columns: sql::<BigInt>("users.id"),
            users: "SELECT * FROM users LIMIT asked.most",
        };
        assert_eq!(
            debug_query::<Pg, _>(&each).to_string(),
            "SELECT asked.nth, users.id FROM unnest((SELECT $1), (SELECT $2)) \
             WITH ORDINALITY AS asked (key, most, nth) \
             CROSS JOIN LATERAL (SELECT * FROM users LIMIT asked.most) AS users -- binds: [[7, 9], [1, 2]]"
        );
    }
}
