//! A new user and its event, in one statement: one transaction, and one round trip.

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz, Uuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use roster_domain::ports::UserRepositoryError;
use roster_domain::{Change, Commit, NewUser, User, UserId};

use crate::error::Error;
use crate::event_rows::NewEventRow;
use crate::rows::NewUserRow;
use crate::write::user_id;

/// Makes a user, unless the e-mail is taken, and records the event that it was created.
pub(crate) async fn create(
    conn: &mut AsyncPgConnection,
    new: &NewUser,
    commit: &Commit,
) -> Result<User, Error> {
    let event = event_without_id(new, commit)?;
    let data = event.data.to_string();
    let statement = CreateUser { user: NewUserRow::from((new, commit.at)), event, data };
    // Not the first row alone: the server may tell that before it has committed.
    let made: Vec<i64> = statement.load(conn).await?;
    let id = made.into_iter().next().ok_or(UserRepositoryError::EmailTaken)?;
    Ok(User::created(user_id(id)?, new.clone(), commit.at))
}

/// The event that a user was created. The server alone knows the id: it puts that before the rest of the data.
pub(crate) fn event_without_id(new: &NewUser, commit: &Commit) -> Result<NewEventRow, Error> {
    let nobody = UserId::new(1).ok_or_else(|| Error::Internal("1 is no id".into()))?;
    let user = User::created(nobody, new.clone(), commit.at);
    let mut event = NewEventRow::try_from((&Change::UserCreated(user), commit))?;
    if let Some(data) = event.data.as_object_mut() {
        data.remove("id");
    }
    Ok(event)
}

/// The statement. It is a query of its own, so that it is prepared once for each connection.
struct CreateUser<'a> {
    user: NewUserRow<'a>,
    event: NewEventRow,
    data: String,
}

impl QueryId for CreateUser<'_> {
    type QueryId = ();

    /// It is known by its text.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for CreateUser<'_> {
    type SqlType = BigInt;
}

impl QueryFragment<Pg> for CreateUser<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let Self { user, event, data } = self;
        out.push_sql(
            "WITH made AS (INSERT INTO users (email, name, name_key, created_at, updated_at, version) VALUES (",
        );
        out.push_bind_param::<Text, _>(user.email)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(user.name)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(&user.name_key)?;
        out.push_sql(", ");
        out.push_bind_param::<Timestamptz, _>(&user.created_at)?;
        out.push_sql(", ");
        out.push_bind_param::<Timestamptz, _>(&user.updated_at)?;
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&user.version)?;
        out.push_sql(") ON CONFLICT (email) DO NOTHING RETURNING id), ");
        out.push_sql(
            "told AS (INSERT INTO events (event_id, type, subject, data, time, trace_context) SELECT ",
        );
        out.push_bind_param::<Uuid, _>(&event.event_id)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(event.kind)?;
        out.push_sql(", 'users/' || id, ('{\"id\":' || id || ',' || substr(");
        out.push_bind_param::<Text, _>(data)?;
        out.push_sql(", 2))::json, ");
        out.push_bind_param::<Timestamptz, _>(&event.time)?;
        out.push_sql(", ");
        out.push_bind_param::<Nullable<Text>, _>(&event.trace_context)?;
        out.push_sql(" FROM made) SELECT id FROM made");
        Ok(())
    }
}
