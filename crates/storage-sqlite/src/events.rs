//! The events that writes record, and the feed that is made of them.

use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use roster_domain::ports::{EventLog, EventLogError};
use roster_domain::{Change, Commit, Event, Position};

use crate::error::Error;
use crate::event_rows::{self, EventRow, NewEventRow, position};
use crate::limited::Limited;
use crate::prepared::Prepared;
use crate::readers::Readers;
use crate::schema::{event_counter, events};

/// The event log in a SQLite file.
#[derive(Clone)]
pub struct SqliteEvents(pub(crate) Readers);

#[async_trait]
impl EventLog for SqliteEvents {
    /// Has nothing to do: events are numbered as they are written.
    async fn sequence(&self) -> Result<usize, EventLogError> {
        Ok(0)
    }

    async fn read(&self, after: Position, limit: usize) -> Result<Vec<Event>, EventLogError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<EventRow> = self
            .0
            .read(move |conn| {
                let later = events::table.filter(events::position.gt(after.get())).order(events::position);
                Ok(Limited(later.select(EventRow::as_select()), limit).load(conn)?)
            })
            .await?;
        Ok(event_rows::all(rows)?)
    }

    async fn newest(&self) -> Result<Position, EventLogError> {
        Ok(position(self.0.read_few(newest).await?, "event_counter", "last", 1)?)
    }

    async fn pruned(&self) -> Result<Position, EventLogError> {
        let asked =
            "SELECT coalesce((SELECT min(position) - 1 FROM events), last) AS position FROM event_counter";
        let pruned = self.0.read(move |conn| {
            let row: PositionRow = Prepared(diesel::sql_query(asked)).get_result(conn)?;
            Ok(row.position)
        });
        Ok(position(pruned.await?, "events", "position", 1)?)
    }
}

pub(crate) fn newest(conn: &mut SqliteConnection) -> Result<i64, Error> {
    Ok(event_counter::table.select(event_counter::last).get_result(conn)?)
}

/// Records what a write did, in its transaction, at the next position: there is one writer at a time, so
/// positions are in the order of commits and have no gaps.
pub(crate) fn record(conn: &mut SqliteConnection, change: &Change, commit: &Commit) -> Result<(), Error> {
    let one_more = diesel::update(event_counter::table).set(event_counter::last.eq(event_counter::last + 1));
    let position = Prepared(one_more.returning(event_counter::last)).get_result(conn)?;
    let row = NewEventRow::try_from((change, commit, position))?;
    diesel::insert_into(events::table).values(row).execute(conn)?;
    Ok(())
}

/// A position by itself.
#[derive(QueryableByName)]
struct PositionRow {
    #[diesel(sql_type = BigInt)]
    position: i64,
}
