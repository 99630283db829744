//! How far events were told to others, and what is forgotten of them.

use std::path::PathBuf;

use async_trait::async_trait;
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use roster_domain::ports::{EventLogError, Lead, Outbox, SetAside, Unpublished};
use roster_domain::{Position, Timestamp};

use crate::error::{BrokenRow, Error};
use crate::event_rows::{self, EventRow};
use crate::lead::SqliteLead;
use crate::limited::Limited;
use crate::prepared::Prepared;
use crate::readers::Readers;
use crate::schema::{event_counter, event_mark, events as table, events_set_aside};
use crate::writer::Writer;

/// The outbox in a SQLite file.
#[derive(Clone)]
pub struct SqliteOutbox {
    pub(crate) writer: Writer,
    pub(crate) readers: Readers,
    pub(crate) lead: PathBuf,
}

#[async_trait]
impl Outbox for SqliteOutbox {
    async fn lead(&self) -> Result<Option<Box<dyn Lead>>, EventLogError> {
        let lead = SqliteLead::take(&self.lead)?;
        Ok(lead.map(|lead| Box::new(lead) as Box<dyn Lead>))
    }

    async fn published(&self) -> Result<Position, EventLogError> {
        let mark =
            self.readers.read(|conn| Ok(event_mark::table.select(event_mark::published).get_result(conn)?));
        Ok(event_rows::position(mark.await?, "event_mark", "published", 1)?)
    }

    async fn unpublished(&self, limit: usize) -> Result<Option<Unpublished>, EventLogError> {
        let limit = batch(limit);
        let rows: Vec<(Option<i64>, EventRow)> = self
            .readers
            .read(move |conn| {
                let mark = event_mark::table.select(event_mark::published).single_value();
                let later = table::table.filter(table::position.nullable().gt(mark)).order(table::position);
                Ok(Limited(later.select((mark, EventRow::as_select())), limit).load(conn)?)
            })
            .await?;
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
        Ok(self.writer.transaction(move |conn| mark(conn, (from, up_to), &set_aside)).await?)
    }

    async fn set_aside(&self, limit: usize) -> Result<Vec<SetAside>, EventLogError> {
        let rows: Vec<SetAsideRow> = self
            .readers
            .read(move |conn| {
                let oldest = events_set_aside::table.order(events_set_aside::position);
                Ok(Limited(oldest.select(SetAsideRow::as_select()), batch(limit)).load(conn)?)
            })
            .await?;
        Ok(rows.into_iter().map(SetAside::try_from).collect::<Result<_, _>>()?)
    }

    async fn rewind(&self, to: Position) -> Result<(), EventLogError> {
        let rewound = self.writer.transaction(move |conn| {
            let further = event_mark::table.filter(event_mark::published.gt(to.get()));
            if diesel::update(further).set(event_mark::published.eq(to.get())).execute(conn)? > 0 {
                let later = events_set_aside::table.filter(events_set_aside::position.gt(to.get()));
                diesel::delete(later).execute(conn)?;
            }
            Ok(())
        });
        Ok(rewound.await?)
    }

    async fn prune_events(&self, before: Timestamp, limit: usize) -> Result<usize, EventLogError> {
        let pruned = self.writer.transaction(move |conn| {
            let oldest = diesel::sql_query(
                "WITH oldest AS ( \
                     SELECT id, position, time FROM events \
                     WHERE position <= (SELECT published FROM event_mark) ORDER BY position LIMIT ?2 \
                 ) DELETE FROM events WHERE id IN ( \
                     SELECT id FROM oldest WHERE position < ( \
                         SELECT coalesce(min(position), 9223372036854775807) FROM oldest WHERE time >= ?1 \
                     ) \
                 ) RETURNING position",
            );
            let bound = oldest.bind::<BigInt, _>(before.as_micros()).bind::<BigInt, _>(batch(limit));
            let pruned: Vec<Pruned> = bound.load(conn)?;
            if let Some(last) = pruned.iter().map(|event| event.position).max() {
                let with_them = events_set_aside::table.filter(events_set_aside::position.le(last));
                diesel::delete(with_them).execute(conn)?;
            }
            Ok(pruned.len())
        });
        Ok(pruned.await?)
    }

    async fn prune_receipts(&self, now: Timestamp, limit: usize) -> Result<usize, EventLogError> {
        let pruned = self.writer.transaction(move |conn| {
            let expired = diesel::sql_query(
                "DELETE FROM receipts WHERE (scope, key) IN ( \
                     SELECT scope, key FROM receipts WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2 \
                 )",
            );
            Ok(expired.bind::<BigInt, _>(now.as_micros()).bind::<BigInt, _>(batch(limit)).execute(conn)?)
        });
        Ok(pruned.await?)
    }
}

#[derive(QueryableByName)]
struct Pruned {
    #[diesel(sql_type = BigInt)]
    position: i64,
}

fn batch(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Moves the mark, and sets events aside.
fn mark(
    conn: &mut SqliteConnection,
    (from, up_to): (Position, Position),
    set_aside: &[SetAside],
) -> Result<(), Error> {
    let behind = event_mark::published.ge(from.get()).and(event_mark::published.lt(up_to.get()));
    let is_there = exists(event_counter::table.filter(event_counter::last.ge(up_to.get())));
    let behind = event_mark::table.filter(behind.and(is_there));
    let moved = Prepared(diesel::update(behind).set(event_mark::published.eq(up_to.get()))).execute(conn)?;
    let set_aside = if moved > 0 { set_aside } else { &[] };
    for one in set_aside {
        diesel::insert_into(events_set_aside::table)
            .values((
                events_set_aside::position.eq(one.position.get()),
                events_set_aside::reason.eq(&one.reason),
                events_set_aside::set_aside_at.eq(one.at.as_micros()),
            ))
            .on_conflict_do_nothing()
            .execute(conn)?;
    }
    Ok(())
}

/// A row of events that were set aside.
#[derive(Queryable, Selectable)]
#[diesel(table_name = events_set_aside)]
struct SetAsideRow {
    position: i64,
    reason: String,
    set_aside_at: i64,
}

impl TryFrom<SetAsideRow> for SetAside {
    type Error = Error;

    fn try_from(row: SetAsideRow) -> Result<Self, Error> {
        let at = Timestamp::from_micros(row.set_aside_at).ok_or_else(|| BrokenRow {
            table: "events_set_aside",
            column: "set_aside_at",
            id: row.position.to_string(),
            rule: "it is out of range".to_owned(),
        })?;
        let position = event_rows::position(row.position, "events_set_aside", "position", row.position)?;
        Ok(Self { position, reason: row.reason, at })
    }
}
