//! The events that writes record, and the feed that is made of them.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_core::future::BoxFuture;
use futures_util::FutureExt;
use roster_domain::ports::{EventLog, EventLogError};
use roster_domain::{Change, Commit, Event, EventId, Position, TraceContext, User};
use serde_json::Value;
use uuid::Uuid;

use crate::error::{BrokenRow, Error};
use crate::lines::Lines;
use crate::planned_anew::PlannedAnew;
use crate::pool::Pool;
use crate::prepared::Prepared;
use crate::rows::UserSnapshot;
use crate::schema::{event_counter, events};
use crate::transaction::Unit;

/// How many events are numbered in one transaction, so that a backlog neither outlasts the statement
/// time-out nor holds up others.
const BATCH: i64 = 5_000;

/// The event log on PostgreSQL.
#[derive(Clone)]
pub struct PgEvents {
    pub(crate) pool: Pool,
    pub(crate) lines: Arc<Lines>,
}

#[async_trait]
impl EventLog for PgEvents {
    async fn sequence(&self) -> Result<usize, EventLogError> {
        let mut all = 0;
        while self.pool.read(has_unnumbered, ()).await? {
            let numbered = self.pool.commit(Number).await?;
            all += numbered;
            // Under steady writes there is always one more: what was there is done, and is to be told.
            if numbered < usize::try_from(BATCH).unwrap_or(usize::MAX) {
                break;
            }
        }
        Ok(all)
    }

    async fn read(&self, after: Position, limit: usize) -> Result<Vec<Event>, EventLogError> {
        Ok(all(self.pool.read(read, (after, limit)).await?)?)
    }

    async fn newest(&self) -> Result<Position, EventLogError> {
        Ok(position(self.lines.read(newest, ()).await?, "event_counter", "last", 1)?)
    }

    async fn pruned(&self) -> Result<Position, EventLogError> {
        Ok(position(self.pool.read(pruned, ()).await?, "events", "position", 1)?)
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

async fn pruned(conn: &mut AsyncPgConnection, (): ()) -> Result<i64, Error> {
    let asked =
        "SELECT coalesce((SELECT min(position) - 1 FROM events), last) AS position FROM event_counter";
    let row: PositionRow = Prepared(diesel::sql_query(asked)).get_result(conn).await?;
    Ok(row.position)
}

/// Whether there is anything to number. Asked first, as numbering locks a row, and so writes, whatever it
/// finds.
async fn has_unnumbered(conn: &mut AsyncPgConnection, (): ()) -> Result<bool, Error> {
    let first = diesel::sql_query(
        "SELECT FROM events WHERE position IS NULL AND id > (SELECT settled FROM event_counter) \
         ORDER BY id LIMIT 1",
    );
    Ok(PlannedAnew(first).execute(conn).await? > 0)
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
/// What was found is updated by its place in the table, which nobody else changes meanwhile: to be looked up there costs
/// the same whatever the planner believes of how many there are.
///
/// Whatever is settled next was drawn before a transaction that numbered. Whoever drew it had written before, and so has
/// an older id than that transaction; once none of those is under way, all that they committed can be seen.
struct Number;

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
        let number = diesel::sql_query(
            "UPDATE events SET position = numbered.position FROM ( \
                 SELECT place, $1 + row_number() OVER (ORDER BY id) AS position FROM ( \
                     SELECT id, ctid AS place FROM events WHERE position IS NULL AND id > $2 \
                     ORDER BY id LIMIT $3 \
                 ) AS waiting \
             ) AS numbered WHERE events.ctid = numbered.place",
        );
        let number = number.bind::<BigInt, _>(before.last).bind::<BigInt, _>(before.settled);
        let numbered = PlannedAnew(number.bind::<BigInt, _>(BATCH)).execute(conn).await?;
        let count = i64::try_from(numbered).unwrap_or(i64::MAX);
        let (last, settles) = (before.last.saturating_add(count), before.is_settled && count < BATCH);
        let end = diesel::sql_query(
            "UPDATE event_counter SET last = $1, settled = CASE WHEN $2 THEN drawn ELSE settled END, \
                 drawn = CASE WHEN $2 THEN $3 ELSE drawn END, \
                 drawn_by = CASE WHEN $2 THEN pg_current_xact_id() ELSE drawn_by END",
        );
        let end = end.bind::<BigInt, _>(last).bind::<Bool, _>(settles).bind::<BigInt, _>(drawn.id);
        Prepared(end).execute(conn).await?;
        Ok(numbered)
    }
}

/// A row of events that is to be.
pub(crate) struct NewEventRow {
    pub(crate) event_id: Uuid,
    pub(crate) kind: &'static str,
    pub(crate) subject: String,
    pub(crate) data: Value,
    pub(crate) time: DateTime<Utc>,
    pub(crate) trace_context: Option<String>,
}

impl TryFrom<(&Change, &Commit)> for NewEventRow {
    type Error = Error;

    fn try_from((change, commit): (&Change, &Commit)) -> Result<Self, Error> {
        let data = match change {
            Change::UserCreated(user) | Change::UserUpdated(user) | Change::UserDeleted(user) => {
                UserSnapshot::of(user)
            }
            unknown => {
                return Err(Error::Internal(format!("no row holds {}", unknown.event_type()).into()));
            }
        };
        Ok(Self {
            event_id: EventId::new(commit.at, random()).as_uuid(),
            kind: change.event_type(),
            subject: change.subject(),
            data,
            time: commit.at.as_datetime(),
            trace_context: commit.trace.as_ref().map(ToString::to_string),
        })
    }
}

/// A row of events, as it is read.
#[derive(Queryable, Selectable)]
#[diesel(table_name = events)]
pub(crate) struct EventRow {
    id: i64,
    event_id: Uuid,
    kind: String,
    data: Value,
    time: DateTime<Utc>,
    position: Option<i64>,
    trace_context: Option<String>,
}

/// The events that rows hold.
pub(crate) fn all(rows: Vec<EventRow>) -> Result<Vec<Event>, Error> {
    rows.into_iter().map(Event::try_from).collect()
}

impl TryFrom<EventRow> for Event {
    type Error = Error;

    fn try_from(row: EventRow) -> Result<Self, Error> {
        let id = row.id;
        let user = |json| UserSnapshot::read(json, "events", "data", &id);
        let change: fn(User) -> Change = match row.kind.as_str() {
            "roster.user.created" => Change::UserCreated,
            "roster.user.updated" => Change::UserUpdated,
            "roster.user.deleted" => Change::UserDeleted,
            other => return Err(broken("events", "type", id, format!("there is no type {other}"))),
        };
        Ok(Self {
            id: EventId::from(row.event_id),
            position: position(row.position.unwrap_or(-1), "events", "position", id)?,
            time: row.time.into(),
            change: change(user(row.data)?),
            trace: row.trace_context.map(|line| trace(&line, id)).transpose()?,
        })
    }
}

/// An id by itself.
#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// A position by itself.
#[derive(QueryableByName)]
struct PositionRow {
    #[diesel(sql_type = BigInt)]
    position: i64,
}

pub(crate) fn position(
    number: i64,
    table: &'static str,
    column: &'static str,
    id: i64,
) -> Result<Position, Error> {
    Position::new(number).ok_or_else(|| broken(table, column, id, format!("{number} is no position")))
}

fn trace(line: &str, id: i64) -> Result<TraceContext, Error> {
    let broken = || broken("events", "trace_context", id, "it is no place in a trace".to_owned());
    TraceContext::parse_line(line).ok_or_else(broken)
}

fn broken(table: &'static str, column: &'static str, id: i64, rule: String) -> Error {
    BrokenRow { table, column, id: id.to_string(), rule }.into()
}

/// Ten random bytes: those of a UUID of version 4 that hold neither its version nor its variant.
fn random() -> [u8; 10] {
    let bytes = Uuid::new_v4().into_bytes();
    let mut random = [0; 10];
    random[..6].copy_from_slice(&bytes[..6]);
    random[6..].copy_from_slice(&bytes[12..]);
    random
}

#[cfg(test)]
mod tests {
    use roster_domain::{Email, Name, NewUser, Timestamp, UserId};

    use super::*;

    fn user() -> User {
        let new =
            NewUser { email: Email::parse("ada@example.org").unwrap(), name: Name::parse("Ada").unwrap() };
        User::created(UserId::new(7).unwrap(), new, Timestamp::from_micros(1).unwrap())
    }

    fn commit() -> Commit {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        Commit::at(Timestamp::from_micros(5).unwrap()).traced(TraceContext::parse(parent, Some("a=1")))
    }

    fn row(change: &Change) -> EventRow {
        let new = NewEventRow::try_from((change, &commit())).unwrap();
        EventRow {
            id: 9,
            event_id: new.event_id,
            kind: new.kind.to_owned(),
            data: new.data,
            time: new.time,
            position: Some(3),
            trace_context: new.trace_context,
        }
    }

    #[test]
    fn a_row_is_the_event_that_was_recorded() {
        for change in [Change::UserCreated(user()), Change::UserUpdated(user()), Change::UserDeleted(user())]
        {
            let event = Event::try_from(row(&change)).unwrap();
            assert_eq!((event.position.get(), event.time.as_micros()), (3, 5));
            assert_eq!((&event.change, event.trace), (&change, commit().trace));
            assert_eq!(event.id.as_uuid().get_version_num(), 7);
        }
    }

    #[test]
    fn a_row_that_breaks_a_rule_is_told_by_table_column_and_id() {
        let broken = |change: fn(&mut EventRow)| {
            let mut row = row(&Change::UserCreated(user()));
            change(&mut row);
            Event::try_from(row).unwrap_err().to_string()
        };
        assert_eq!(
            broken(|row| row.trace_context = Some("somewhere".to_owned())),
            "events.trace_context of row 9 breaks a rule: it is no place in a trace"
        );
        assert_eq!(
            broken(|row| row.kind = "user.eaten".to_owned()),
            "events.type of row 9 breaks a rule: there is no type user.eaten"
        );
        assert_eq!(
            broken(|row| row.position = None),
            "events.position of row 9 breaks a rule: -1 is no position"
        );
        assert_eq!(
            broken(|row| row.data["name"] = "x".into()),
            "events.data of row 9 breaks a rule: Name must be at least 2 characters"
        );
    }
}
