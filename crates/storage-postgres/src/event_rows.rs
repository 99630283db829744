//! How the table holds events.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use roster_domain::{Change, Commit, Event, EventId, Position, TraceContext};
use serde_json::Value;
use uuid::Uuid;

use crate::error::{BrokenRow, Error};
use crate::rows::UserSnapshot;
use crate::schema::events;

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
            event_id: EventId::new(commit.at, Uuid::new_v4()).as_uuid(),
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
        let user = UserSnapshot::read(row.data, "events", "data", &id)?;
        let unknown = || broken("events", "type", id, format!("there is no type {}", row.kind));
        let change = Change::of_type(&row.kind, user).ok_or_else(unknown)?;
        Ok(Self {
            id: EventId::from(row.event_id),
            position: position(row.position.unwrap_or(-1), "events", "position", id)?,
            time: row.time.into(),
            change,
            trace: row.trace_context.map(|line| trace(&line, id)).transpose()?,
        })
    }
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

#[cfg(test)]
mod tests {
    use roster_domain::{Email, Name, NewUser, Timestamp, User, UserId};

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
