//! How far events were told to others, and what is forgotten of them.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use roster_domain::ports::{EventLogError, Lead, Outbox, SetAside, Unpublished};
use roster_domain::{Position, Timestamp};

use crate::error::Error;
use crate::event_rows::{self, EventRow};
use crate::lead::Candidate;
use crate::planned_anew::PlannedAnew;
use crate::pool::Pool;
use crate::prepared::Prepared;
use crate::schema::{event_counter, event_mark, events as table, events_set_aside};
use crate::transaction::Unit;

/// The outbox on PostgreSQL.
#[derive(Clone)]
pub struct PgOutbox {
    pub(crate) pool: Pool,
    pub(crate) candidate: Candidate,
}

#[async_trait]
impl Outbox for PgOutbox {
    async fn lead(&self) -> Result<Option<Box<dyn Lead>>, EventLogError> {
        let lead = self.candidate.take().await?;
        Ok(lead.map(|lead| Box::new(lead) as Box<dyn Lead>))
    }

    async fn published(&self) -> Result<Position, EventLogError> {
        Ok(event_rows::position(self.pool.read(published, ()).await?, "event_mark", "published", 1)?)
    }

    async fn unpublished(&self, limit: usize) -> Result<Option<Unpublished>, EventLogError> {
        let rows = self.pool.read(unpublished, batch(limit)).await?;
        let Some(&(Some(mark), _)) = rows.as_slice().first() else { return Ok(None) };
        let mark = event_rows::position(mark, "event_mark", "published", 1)?;
        let events = event_rows::all(rows.into_iter().map(|(_, row)| row).collect())?;
        Ok(Some(Unpublished { mark, events }))
    }

    async fn mark_published(
        &self,
        from: Position,
        up_to: Position,
        set_aside: Vec<SetAside>,
    ) -> Result<(), EventLogError> {
        Ok(self.pool.commit(Mark { from, up_to, set_aside }).await?)
    }

    async fn set_aside(&self, limit: usize) -> Result<Vec<SetAside>, EventLogError> {
        let rows = self.pool.read(set_aside, batch(limit)).await?;
        Ok(rows.into_iter().map(SetAside::try_from).collect::<Result<_, _>>()?)
    }

    async fn rewind(&self, to: Position) -> Result<(), EventLogError> {
        Ok(self.pool.commit(Rewind(to)).await?)
    }

    async fn prune_events(&self, before: Timestamp, limit: usize) -> Result<usize, EventLogError> {
        Ok(self.pool.commit(PruneEvents(before, batch(limit))).await?)
    }

    async fn prune_receipts(&self, now: Timestamp, limit: usize) -> Result<usize, EventLogError> {
        Ok(self.pool.commit(PruneReceipts(now, batch(limit))).await?)
    }
}

fn batch(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

async fn published(conn: &mut AsyncPgConnection, (): ()) -> Result<i64, Error> {
    Ok(event_mark::table.select(event_mark::published).get_result(conn).await?)
}

/// The rows, each with the mark.
async fn unpublished(
    conn: &mut AsyncPgConnection,
    limit: i64,
) -> Result<Vec<(Option<i64>, EventRow)>, Error> {
    let mark = event_mark::table.select(event_mark::published).single_value();
    let waiting = table::table.filter(table::position.gt(mark)).order(table::position).limit(limit);
    Ok(PlannedAnew(waiting.select((mark, EventRow::as_select()))).load(conn).await?)
}

async fn set_aside(conn: &mut AsyncPgConnection, limit: i64) -> Result<Vec<SetAsideRow>, Error> {
    let oldest = events_set_aside::table.order(events_set_aside::position).limit(limit);
    Ok(oldest.select(SetAsideRow::as_select()).load(conn).await?)
}

/// Moves the mark, and sets events aside.
struct Mark {
    from: Position,
    up_to: Position,
    set_aside: Vec<SetAside>,
}

impl Unit for Mark {
    type Outcome = ();

    async fn run(&self, conn: &mut AsyncPgConnection) -> Result<(), Error> {
        let Self { from, up_to, set_aside } = self;
        let rows: Vec<_> = set_aside
            .iter()
            .map(|one| {
                (
                    events_set_aside::position.eq(one.position.get()),
                    events_set_aside::reason.eq(&one.reason),
                    events_set_aside::set_aside_at.eq(one.at.as_datetime()),
                )
            })
            .collect();
        let behind = event_mark::published.ge(from.get()).and(event_mark::published.lt(up_to.get()));
        let is_there = exists(event_counter::table.filter(event_counter::last.ge(up_to.get())));
        let behind = event_mark::table.filter(behind.and(is_there));
        let moved = Prepared(diesel::update(behind).set(event_mark::published.eq(up_to.get())));
        if moved.execute(conn).await? > 0 && !rows.is_empty() {
            let kept = diesel::insert_into(events_set_aside::table).values(rows);
            kept.on_conflict_do_nothing().execute(conn).await?;
        }
        Ok(())
    }
}

/// Moves the mark back, to try again what comes after.
struct Rewind(Position);

impl Unit for Rewind {
    type Outcome = ();

    async fn run(&self, conn: &mut AsyncPgConnection) -> Result<(), Error> {
        let Self(to) = self;
        let further = event_mark::table.filter(event_mark::published.gt(to.get()));
        let moved = Prepared(diesel::update(further).set(event_mark::published.eq(to.get())));
        if moved.execute(conn).await? > 0 {
            let later = events_set_aside::table.filter(events_set_aside::position.gt(to.get()));
            diesel::delete(later).execute(conn).await?;
        }
        Ok(())
    }
}

/// Forgets the oldest events, up to the first that is to be kept.
struct PruneEvents(Timestamp, i64);

impl Unit for PruneEvents {
    type Outcome = usize;

    async fn run(&self, conn: &mut AsyncPgConnection) -> Result<usize, Error> {
        let Self(before, limit) = self;
        let pruned = diesel::sql_query(
            "WITH oldest AS ( \
                 SELECT position, time FROM events \
                 WHERE position <= (SELECT published FROM event_mark) ORDER BY position LIMIT $2 \
             ) DELETE FROM events USING oldest WHERE events.position = oldest.position \
             AND oldest.position < coalesce( \
                 (SELECT min(position) FROM oldest WHERE time >= $1), 9223372036854775807 \
             ) RETURNING events.position",
        );
        let bound = pruned.bind::<Timestamptz, _>(before.as_datetime()).bind::<BigInt, _>(*limit);
        let pruned: Vec<Pruned> = PlannedAnew(bound).load(conn).await?;
        if let Some(last) = pruned.iter().map(|event| event.position).max() {
            let with_them = events_set_aside::table.filter(events_set_aside::position.le(last));
            diesel::delete(with_them).execute(conn).await?;
        }
        Ok(pruned.len())
    }
}

#[derive(QueryableByName)]
struct Pruned {
    #[diesel(sql_type = BigInt)]
    position: i64,
}

/// Forgets receipts that have expired.
struct PruneReceipts(Timestamp, i64);

impl Unit for PruneReceipts {
    type Outcome = usize;

    async fn run(&self, conn: &mut AsyncPgConnection) -> Result<usize, Error> {
        let Self(now, limit) = self;
        let pruned = diesel::sql_query(
            "DELETE FROM receipts WHERE ctid = ANY (ARRAY( \
                 SELECT ctid FROM receipts WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 \
                 FOR UPDATE SKIP LOCKED \
             ))",
        );
        let bound = pruned.bind::<Timestamptz, _>(now.as_datetime()).bind::<BigInt, _>(*limit);
        Ok(PlannedAnew(bound).execute(conn).await?)
    }
}

/// A row of events that were set aside.
#[derive(Queryable, Selectable)]
#[diesel(table_name = events_set_aside)]
struct SetAsideRow {
    position: i64,
    reason: String,
    set_aside_at: DateTime<Utc>,
}

impl TryFrom<SetAsideRow> for SetAside {
    type Error = Error;

    fn try_from(row: SetAsideRow) -> Result<Self, Error> {
        let position = event_rows::position(row.position, "events_set_aside", "position", row.position)?;
        Ok(Self { position, reason: row.reason, at: row.set_aside_at.into() })
    }
}
