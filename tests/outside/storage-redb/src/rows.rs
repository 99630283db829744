//! What is stored, as JSON: a row that breaks today's rules is an error that names it.

use roster_domain::{
    BoxError, Change, Email, Event, EventId, Name, Position, Receipt, Timestamp, TraceContext, User, UserId,
    Version,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::Error;

#[derive(Serialize, Deserialize)]
pub(crate) struct UserRow {
    id: i64,
    email: String,
    name: String,
    created_at: i64,
    updated_at: i64,
    version: i64,
}

impl From<&User> for UserRow {
    fn from(user: &User) -> Self {
        Self {
            id: user.id.get(),
            email: user.email.as_str().to_owned(),
            name: user.name.as_str().to_owned(),
            created_at: user.created_at.as_micros(),
            updated_at: user.updated_at.as_micros(),
            version: user.version.get(),
        }
    }
}

impl TryFrom<UserRow> for User {
    type Error = BoxError;

    fn try_from(row: UserRow) -> Result<Self, BoxError> {
        Ok(Self {
            id: UserId::new(row.id).ok_or("id")?,
            email: Email::parse(&row.email)?,
            name: Name::parse(&row.name)?,
            created_at: time(row.created_at)?,
            updated_at: time(row.updated_at)?,
            version: Version::new(row.version).ok_or("version")?,
        })
    }
}

/// Its position is its key.
#[derive(Serialize, Deserialize)]
pub(crate) struct EventRow {
    id: u128,
    time: i64,
    kind: String,
    user: UserRow,
    #[serde(default)]
    trace: Option<(String, Option<String>)>,
}

impl From<&Event> for EventRow {
    fn from(event: &Event) -> Self {
        let (kind, user) = match &event.change {
            Change::UserCreated(user) => ("created", user),
            Change::UserUpdated(user) => ("updated", user),
            Change::UserDeleted(user) => ("deleted", user),
            other => unreachable!("this store writes no {}", other.event_type()),
        };
        let told =
            |trace: &TraceContext| (trace.traceparent().to_owned(), trace.tracestate().map(str::to_owned));
        Self {
            id: event.id.as_uuid().as_u128(),
            time: event.time.as_micros(),
            kind: kind.to_owned(),
            user: user.into(),
            trace: event.trace.as_ref().map(told),
        }
    }
}

impl EventRow {
    pub(crate) fn at(self, position: i64) -> Result<Event, BoxError> {
        let user = self.user.try_into()?;
        let parse =
            |(parent, state): (String, Option<String>)| TraceContext::parse(&parent, state.as_deref());
        Ok(Event {
            id: EventId::from(Uuid::from_u128(self.id)),
            position: Position::new(position).ok_or("position")?,
            time: time(self.time)?,
            change: match self.kind.as_str() {
                "created" => Change::UserCreated(user),
                "updated" => Change::UserUpdated(user),
                "deleted" => Change::UserDeleted(user),
                other => return Err(format!("kind {other}").into()),
            },
            trace: self.trace.and_then(parse),
        })
    }
}

/// Its scope and key are its key.
#[derive(Serialize, Deserialize)]
pub(crate) struct ReceiptRow {
    pub(crate) fingerprint: [u8; 32],
    pub(crate) expires_at: i64,
    pub(crate) outcome: Option<UserRow>,
}

impl ReceiptRow {
    pub(crate) fn new(receipt: &Receipt, outcome: Option<&User>) -> Self {
        Self {
            fingerprint: receipt.fingerprint,
            expires_at: receipt.expires_at.as_micros(),
            outcome: outcome.map(UserRow::from),
        }
    }
}

fn time(micros: i64) -> Result<Timestamp, BoxError> {
    Ok(Timestamp::from_micros(micros).ok_or("time")?)
}

pub(crate) fn write(row: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(row).map_err(|error| broken("row", &"to be written", &error))
}

pub(crate) fn read<R: DeserializeOwned, T>(
    table: &'static str,
    key: &impl ToString,
    json: &str,
    make: impl FnOnce(R) -> Result<T, BoxError>,
) -> Result<T, Error> {
    let row = serde_json::from_str(json).map_err(BoxError::from).and_then(make);
    row.map_err(|why| broken(table, key, &why))
}

fn broken(table: &'static str, key: &impl ToString, why: &impl ToString) -> Error {
    Error::Row { table, key: key.to_string(), why: why.to_string() }
}
