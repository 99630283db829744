//! A change of a user that was read, and its event, in one statement: one transaction, and one round trip.

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::sql_types::{Json, Nullable, Text, Timestamptz, Uuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use roster_domain::ports::UserRepositoryError;
use roster_domain::{Change, Commit, User, Version};

use crate::error::Error;
use crate::event_rows::NewEventRow;
use crate::prepared::Prepared;
use crate::rows::ChangedUserRow;
use crate::schema::users;
use crate::transaction::Unit;

/// A change of a user that was read at this version. Where it has another one by now, nothing is done, and the outcome
/// is none.
pub(crate) struct ChangeAsRead(pub(crate) Version, pub(crate) Change, pub(crate) Commit);

impl Unit for ChangeAsRead {
    type Outcome = Option<User>;

    fn is_one_statement(&self) -> bool {
        true
    }

    async fn run(&self, conn: &mut AsyncPgConnection) -> Result<Option<User>, Error> {
        let Self(version, change, commit) = self;
        let event = NewEventRow::try_from((change, commit))?;
        let as_read = |user: &User| users::table.find(user.id.get()).filter(users::version.eq(version.get()));
        let (user, rows) = match change {
            Change::UserUpdated(after) => {
                let update = diesel::update(as_read(after)).set(ChangedUserRow::from(after));
                (after, told(update.returning(users::id), event).execute(conn).await.map_err(email_taken)?)
            }
            Change::UserDeleted(user) => {
                let delete = diesel::delete(as_read(user));
                (user, told(delete.returning(users::id), event).execute(conn).await?)
            }
            other => return Err(Error::Internal(format!("{} is no change", other.event_type()).into())),
        };
        Ok((rows == 1).then(|| user.clone()))
    }
}

fn email_taken(error: diesel::result::Error) -> Error {
    let error = Error::from(error);
    if error.violates("users_email_key") { UserRepositoryError::EmailTaken.into() } else { error }
}

fn told<Q>(change: Q, event: NewEventRow) -> Prepared<Told<Q>> {
    Prepared(Told { change, event })
}

/// What changes a row and brings it back, and the event of it. The row is locked before the event has its id, so that
/// the ids of one user's events are in the order of its versions.
struct Told<Q> {
    change: Q,
    event: NewEventRow,
}

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for Told<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let Self { change, event } = self;
        out.push_sql("WITH changed AS (");
        change.walk_ast(out.reborrow())?;
        out.push_sql(
            "), told AS (INSERT INTO events (event_id, type, subject, data, time, trace_context) SELECT ",
        );
        out.push_bind_param::<Uuid, _>(&event.event_id)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(event.kind)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(&event.subject)?;
        out.push_sql(", ");
        out.push_bind_param::<Json, _>(&event.data)?;
        out.push_sql(", ");
        out.push_bind_param::<Timestamptz, _>(&event.time)?;
        out.push_sql(", ");
        out.push_bind_param::<Nullable<Text>, _>(&event.trace_context)?;
        out.push_sql(" FROM changed) SELECT FROM changed");
        Ok(())
    }
}
