//! Statements on tables that grow fast, planned in each call.

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};

/// A statement that is prepared for one call, and so planned for the table as it is.
///
/// After some calls PostgreSQL keeps the plan of what is prepared, until somebody analyzes the table. One that was made
/// for a few events is to read all of them, which takes ever longer as they become more.
pub(crate) struct PlannedAnew<Q>(pub(crate) Q);

impl<Q> QueryId for PlannedAnew<Q> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q: Query> Query for PlannedAnew<Q> {
    type SqlType = Q::SqlType;
}

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for PlannedAnew<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        self.0.walk_ast(out)
    }
}
