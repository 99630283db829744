//! The columns of users, spelled once. Diesel spells them in each call, and allocates for each of their names: some
//! third of the work that it has to ask for a user.

use std::sync::LazyLock;

use diesel::dsl::AsSelect;
use diesel::expression::ValidGrouping;
use diesel::pg::{Pg, PgQueryBuilder};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryBuilder, QueryFragment, QueryId};
use diesel::result::Error;

use crate::rows::UserRow;
use crate::schema::users;

/// What makes a [`UserRow`], to be selected from users.
#[derive(Debug, Clone, Copy, QueryId, ValidGrouping)]
pub(crate) struct UserColumns;

impl Expression for UserColumns {
    type SqlType = <AsSelect<UserRow, Pg> as Expression>::SqlType;
}

impl SelectableExpression<users::table> for UserColumns {}

impl AppearsOnTable<users::table> for UserColumns {}

impl QueryFragment<Pg> for UserColumns {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        static SPELLED: LazyLock<Result<String, String>> =
            LazyLock::new(|| spell().map_err(|error| error.to_string()));
        let spelled = SPELLED.as_ref().map_err(|error| Error::QueryBuilderError(error.as_str().into()))?;
        out.push_sql(spelled);
        Ok(())
    }
}

fn spell() -> QueryResult<String> {
    let mut text = PgQueryBuilder::default();
    UserRow::as_select().to_sql(&mut text, &Pg)?;
    Ok(text.finish())
}

#[cfg(test)]
mod tests {
    use diesel::debug_query;

    use super::*;

    #[test]
    fn they_are_spelled_as_diesel_spells_them() {
        let spelled = debug_query::<Pg, _>(&users::table.select(UserColumns)).to_string();
        assert_eq!(spelled, debug_query::<Pg, _>(&users::table.select(UserRow::as_select())).to_string());
    }
}
