//! How committed events get their positions.

use std::sync::atomic::{AtomicBool, Ordering};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::error::Error;
use crate::planned_anew::PlannedAnew;
use crate::pool::Pool;
use crate::prepared::Prepared;
use crate::transaction::Unit;

/// How many events are numbered in one transaction, so that a backlog neither outlasts the statement
/// time-out nor holds up others.
const BATCH: i64 = 5_000;

/// Gives positions to the events that have none, and tells how many those were. Where the program has not done so yet,
/// `is_first` says so, and says it no more afterwards.
pub(crate) async fn number(pool: &Pool, is_first: &AtomicBool) -> Result<usize, Error> {
    let mut all = 0;
    while pool.read(has_unnumbered, is_first.load(Ordering::Relaxed)).await? {
        let numbered = pool.commit(Number { is_first: is_first.load(Ordering::Relaxed) }).await?;
        is_first.store(false, Ordering::Relaxed);
        all += numbered;
        // Under steady writes there is always one more: what was there is done, and is to be told.
        if numbered < usize::try_from(BATCH).unwrap_or(usize::MAX) {
            break;
        }
    }
    Ok(all)
}

/// Whether there is anything to number. Asked first, as numbering locks a row, and so writes, whatever it
/// finds.
async fn has_unnumbered(conn: &mut AsyncPgConnection, is_first: bool) -> Result<bool, Error> {
    let first = diesel::sql_query(
        "SELECT FROM events WHERE position IS NULL \
             AND id > (SELECT CASE WHEN $1 THEN 0 ELSE settled END FROM event_counter) ORDER BY id LIMIT 1",
    );
    Ok(PlannedAnew(first.bind::<Bool, _>(is_first)).execute(conn).await? > 0)
}

/// Gives positions to committed events.
///
/// The counter's row is locked by a statement of its own. Whoever gets it sees, by the next statement, all
/// that was committed before, and no other transaction numbers meanwhile: so positions are given in the
/// order of commits, have no gaps, and become visible in their order.
///
/// Events are looked for from the id on up to which all is settled: those before have a position, or are of a
/// transaction that was rolled back. The index of those without one cannot do without that. It keeps what left it until
/// the next vacuum, so that at some thousand events a second there is soon much more to pass over than to find.
///
/// What was found is updated by its place in the table, which nobody else changes meanwhile: to be looked up there
/// costs the same whatever the planner believes of how many there are.
///
/// Whatever is settled next was drawn before a transaction that numbered. Whoever drew it had written before, and so
/// has an older id than that transaction; once none of those is under way, all that they committed can be seen.
///
/// A program that begins takes nothing for settled: the database may have been moved to another server or restored
/// there, with what the old one said of its transactions, and a sequence that begins anew.
struct Number {
    is_first: bool,
}

/// How far numbering has come.
#[derive(QueryableByName)]
struct Counter {
    #[diesel(sql_type = BigInt)]
    last: i64,
    #[diesel(sql_type = BigInt)]
    settled: i64,
    /// Whether what is settled next is so now.
    #[diesel(sql_type = Bool)]
    is_settled: bool,
}

impl Unit for Number {
    type Outcome = usize;

    async fn run(&self, conn: &mut AsyncPgConnection) -> Result<usize, Error> {
        // Before the lock, with which this transaction gets its own id.
        let drawn = "SELECT last_value - (NOT is_called)::int AS id FROM events_id_seq";
        let drawn: IdRow = Prepared(diesel::sql_query(drawn)).get_result(conn).await?;
        let begin = diesel::sql_query(
            "SELECT last, settled, drawn_by <= pg_snapshot_xmin(pg_current_snapshot()) AS is_settled \
             FROM event_counter FOR UPDATE",
        );
        let before: Counter = Prepared(begin).get_result(conn).await?;
        let settled = if self.is_first { 0 } else { before.settled };
        let number = diesel::sql_query(
            "UPDATE events SET position = numbered.position FROM ( \
                 SELECT place, $1 + row_number() OVER (ORDER BY id) AS position FROM ( \
                     SELECT id, ctid AS place FROM events WHERE position IS NULL AND id > $2 \
                     ORDER BY id LIMIT $3 \
                 ) AS waiting \
             ) AS numbered WHERE events.ctid = numbered.place",
        );
        let number = number.bind::<BigInt, _>(before.last).bind::<BigInt, _>(settled);
        let numbered = PlannedAnew(number.bind::<BigInt, _>(BATCH)).execute(conn).await?;
        let count = i64::try_from(numbered).unwrap_or(i64::MAX);
        let last = before.last.saturating_add(count);
        let settles = before.is_settled && !self.is_first && count < BATCH;
        let end = diesel::sql_query(
            "UPDATE event_counter SET last = $1, settled = CASE WHEN $2 THEN drawn ELSE $3 END, \
                 drawn = CASE WHEN $2 OR $4 THEN $5 ELSE drawn END, \
                 drawn_by = CASE WHEN $2 OR $4 THEN pg_current_xact_id() ELSE drawn_by END",
        );
        let end = end.bind::<BigInt, _>(last).bind::<Bool, _>(settles).bind::<BigInt, _>(settled);
        let end = end.bind::<Bool, _>(self.is_first).bind::<BigInt, _>(drawn.id);
        Prepared(end).execute(conn).await?;
        Ok(numbered)
    }
}

/// An id by itself.
#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
}
