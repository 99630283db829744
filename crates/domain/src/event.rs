//! What happened, as it is recorded beside each change and told to others.

use std::fmt;

use uuid::{Builder, Uuid};

use crate::{Timestamp, TraceContext, User};

/// One change, recorded in the transaction that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The same in every delivery of the event.
    pub id: EventId,
    /// Where the event stands in the feed.
    pub position: Position,
    /// When the change was made.
    pub time: Timestamp,
    /// What changed.
    pub change: Change,
    /// Which trace the change is part of, where it is part of one.
    pub trace: Option<TraceContext>,
}

/// A change, with the entity after it, or before it where it was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// A user that was not there before.
    UserCreated(User),
    /// A user with another e-mail or name.
    UserUpdated(User),
    /// The last that was known of a user.
    UserDeleted(User),
}

impl Change {
    /// The type of the event: `roster.user.created`.
    pub fn event_type(&self) -> &'static str {
        match self {
            Self::UserCreated(_) => "roster.user.created",
            Self::UserUpdated(_) => "roster.user.updated",
            Self::UserDeleted(_) => "roster.user.deleted",
        }
    }

    /// The change that an event of this type tells of; `None` where there is no such type.
    pub fn of_type(event_type: &str, user: User) -> Option<Self> {
        match event_type {
            "roster.user.created" => Some(Self::UserCreated(user)),
            "roster.user.updated" => Some(Self::UserUpdated(user)),
            "roster.user.deleted" => Some(Self::UserDeleted(user)),
            _ => None,
        }
    }

    /// What changed, as a path below the API's base: `users/1`.
    pub fn subject(&self) -> String {
        match self {
            Self::UserCreated(user) | Self::UserUpdated(user) | Self::UserDeleted(user) => {
                format!("users/{}", user.id)
            }
        }
    }
}

/// The identity of an event: a UUID of version 7 (RFC 9562 §5.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(Uuid);

impl EventId {
    /// An id for what happened `at` some time. A UUID of version 4 sets it apart from others of that time, by those of
    /// its bytes that hold neither its version nor its variant.
    pub fn new(at: Timestamp, uuid: Uuid) -> Self {
        let millis = u64::try_from(at.as_micros() / 1000).unwrap_or_default();
        let (before, after) = (&uuid.as_bytes()[..6], &uuid.as_bytes()[12..]);
        let mut random = [0; 10];
        random[..6].copy_from_slice(before);
        random[6..].copy_from_slice(after);
        Self(Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// The id as a UUID.
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for EventId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A place in the feed of events. Positions are given in the order in which changes were committed,
/// begin at 1, and have no gap that fills later: who has read up to one has missed nothing before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(i64);

impl Position {
    /// Before the first event.
    pub const START: Self = Self(0);

    /// `None` where `position` is negative.
    pub const fn new(position: i64) -> Option<Self> {
        if position >= 0 { Some(Self(position)) } else { None }
    }

    /// The position as a number; 0 is before the first event.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Email, Name, UserId, Version};

    fn ada() -> User {
        let at = Timestamp::from_micros(1_700_000_000_000_000).unwrap();
        User {
            id: UserId::new(7).unwrap(),
            email: Email::parse("ada@example.org").unwrap(),
            name: Name::parse("Ada").unwrap(),
            created_at: at,
            updated_at: at,
            version: Version::FIRST,
        }
    }

    #[test]
    fn a_change_is_told_by_its_type_and_by_whom_it_is_about() {
        for (change, event_type) in [
            (Change::UserCreated(ada()), "roster.user.created"),
            (Change::UserUpdated(ada()), "roster.user.updated"),
            (Change::UserDeleted(ada()), "roster.user.deleted"),
        ] {
            assert_eq!((change.event_type(), change.subject().as_str()), (event_type, "users/7"));
            assert_eq!(Change::of_type(event_type, ada()), Some(change));
        }
        assert_eq!(Change::of_type("roster.user.eaten", ada()), None);
    }

    #[test]
    fn an_id_is_a_uuid_of_version_7_and_of_its_time() {
        let id =
            EventId::new(Timestamp::from_micros(1_700_000_000_123_999).unwrap(), Uuid::from_u128(u128::MAX));
        // 1,700,000,000,123 milliseconds are 0x018bcfe5687b.
        assert_eq!(id.to_string(), "018bcfe5-687b-7fff-bfff-ffffffffffff");
        assert_eq!(id.as_uuid().to_string(), id.to_string());
        assert_eq!(EventId::from(id.as_uuid()), id);
    }

    #[test]
    fn a_position_is_told_as_its_number_and_is_never_negative() {
        assert_eq!(Position::new(0), Some(Position::START));
        assert_eq!(Position::new(42).unwrap().to_string(), "42");
        assert_eq!(Position::new(-1), None);
    }
}
