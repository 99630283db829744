//! What happened here, as others are told of it.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::{Change, Event, User};

/// The `source` of every event of Roster.
const SOURCE: &str = "/roster";

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut event = serializer.serialize_map(None)?;
        event.serialize_entry("specversion", "1.0")?;
        event.serialize_entry("id", &self.id.as_uuid().hyphenated().to_string())?;
        event.serialize_entry("source", SOURCE)?;
        event.serialize_entry("type", self.change.event_type())?;
        event.serialize_entry("subject", &self.change.subject())?;
        event.serialize_entry("time", &self.time)?;
        event.serialize_entry("datacontenttype", "application/json")?;
        event.serialize_entry("position", &self.position.get())?;
        // The extension for distributed tracing.
        if let Some(trace) = &self.trace {
            event.serialize_entry("traceparent", trace.traceparent())?;
            if let Some(state) = trace.tracestate() {
                event.serialize_entry("tracestate", state)?;
            }
        }
        match &self.change {
            Change::UserCreated(user) | Change::UserUpdated(user) | Change::UserDeleted(user) => {
                event.serialize_entry("data", &UserData(user))?;
            }
        }
        event.end()
    }
}

/// The user as `data` shows it.
struct UserData<'a>(&'a User);

impl Serialize for UserData<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(user) = self;
        let mut data = serializer.serialize_map(Some(6))?;
        data.serialize_entry("id", &user.id.get())?;
        data.serialize_entry("email", user.email.as_str())?;
        data.serialize_entry("name", user.name.as_str())?;
        data.serialize_entry("created_at", &user.created_at)?;
        data.serialize_entry("updated_at", &user.updated_at)?;
        data.serialize_entry("version", &user.version.get())?;
        data.end()
    }
}
