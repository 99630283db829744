//! The events that writes record, and the feed that is made of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_core::future::BoxFuture;
use futures_util::FutureExt;
use roster_domain::ports::{EventLog, EventLogError};
use roster_domain::{Event, Position};

use crate::error::Error;
use crate::event_rows::{self, EventRow, position};
use crate::numbering::number;
use crate::pipelines::Pipelines;
use crate::planned_anew::PlannedAnew;
use crate::pool::Pool;
use crate::schema::{event_counter, events};

/// The event log on PostgreSQL.
#[derive(Clone)]
pub struct PgEvents {
    pub(crate) pool: Pool,
    /// For what runs beside requests.
    pub(crate) beside: Pool,
    pub(crate) pipelines: Arc<Pipelines>,
    /// Whether it has numbered nothing yet.
    pub(crate) is_first: Arc<AtomicBool>,
    /// Up to where events were gone when they were last looked for. Those before need not be passed over again: what was
    /// deleted stays in the index until the next vacuum, and until nobody's snapshot is that old.
    pub(crate) pruned: Arc<AtomicI64>,
}

#[async_trait]
impl EventLog for PgEvents {
    async fn sequence(&self) -> Result<usize, EventLogError> {
        Ok(number(&self.beside, &self.is_first).await?)
    }

    async fn read(&self, after: Position, limit: usize) -> Result<Vec<Event>, EventLogError> {
        Ok(event_rows::all(self.pool.read(read, (after, limit)).await?)?)
    }

    async fn newest(&self) -> Result<Position, EventLogError> {
        Ok(position(self.pipelines.read(newest, ()).await?, "event_counter", "last", 1)?)
    }

    async fn pruned(&self) -> Result<Position, EventLogError> {
        // By its whole name, as Diesel's `load` is in the way.
        let known = AtomicI64::load(&self.pruned, Ordering::Relaxed);
        let pruned = position(self.pool.read(pruned, known).await?, "events", "position", 1)?;
        self.pruned.fetch_max(pruned.get(), Ordering::Relaxed);
        Ok(pruned)
    }
}

async fn read(
    conn: &mut AsyncPgConnection,
    (after, limit): (Position, usize),
) -> Result<Vec<EventRow>, Error> {
    let rows = events::table
        .filter(events::position.gt(after.get()))
        .order(events::position)
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .select(EventRow::as_select());
    Ok(PlannedAnew(rows).load(conn).await?)
}

pub(crate) fn newest(mut conn: &AsyncPgConnection, (): ()) -> BoxFuture<'_, Result<i64, Error>> {
    async move { Ok(event_counter::table.select(event_counter::last).get_result(&mut conn).await?) }.boxed()
}

/// Before the first event that is there, of those after what is `known` to be gone; they go in their order.
async fn pruned(conn: &mut AsyncPgConnection, known: i64) -> Result<i64, Error> {
    let asked = diesel::sql_query(
        "SELECT coalesce((SELECT min(position) - 1 FROM events WHERE position > $1), last) AS position \
             FROM event_counter",
    );
    let row: PositionRow = PlannedAnew(asked.bind::<BigInt, _>(known)).get_result(conn).await?;
    Ok(row.position)
}

/// A position by itself.
#[derive(QueryableByName)]
struct PositionRow {
    #[diesel(sql_type = BigInt)]
    position: i64,
}
