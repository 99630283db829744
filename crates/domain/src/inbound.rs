//! What others tell us happened.

use std::time::Duration;

use crate::{Email, Name, NewUser, Receipt, Timestamp, TraceContext, Violation, Violations};

/// Something that happened in the directory, as its owner tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundEvent {
    /// Which event it is.
    pub id: InboundId,
    /// What happened.
    pub change: InboundChange,
    /// Which trace it is part of, where it tells.
    pub trace: Option<TraceContext>,
}

impl InboundEvent {
    /// How long it is remembered that an event took effect: seven days. Whoever delivers events may do so
    /// again within that time.
    pub const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 60 * 60);

    /// What makes it take effect once, however often it arrives.
    pub fn receipt(&self, now: Timestamp) -> Receipt {
        Receipt {
            scope: format!("event {}", self.id.source),
            key: self.id.id.clone(),
            // An event is known by its source and id alone: another content does not make it another event.
            fingerprint: [0; 32],
            expires_at: now.plus(Self::REMEMBERED),
        }
    }
}

/// What happened in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InboundChange {
    /// There is a person with this e-mail and name now.
    PersonSaved(NewUser),
    /// There is no person with this e-mail any more.
    PersonRemoved(Email),
}

impl InboundChange {
    /// The type of an event that says [`PersonSaved`](Self::PersonSaved).
    pub const PERSON_SAVED: &str = "directory.person.saved";
    /// The type of an event that says [`PersonRemoved`](Self::PersonRemoved).
    pub const PERSON_REMOVED: &str = "directory.person.removed";

    /// Whom it is about: what happened to one person takes effect in its order.
    pub fn person(&self) -> &Email {
        match self {
            Self::PersonSaved(person) => &person.email,
            Self::PersonRemoved(email) => email,
        }
    }

    /// Who it says that there is.
    pub fn saved(&self) -> Option<&NewUser> {
        match self {
            Self::PersonSaved(person) => Some(person),
            Self::PersonRemoved(_) => None,
        }
    }

    /// What an event of a type says with an e-mail and a name, each as far as it could be parsed.
    ///
    /// # Errors
    ///
    /// Every broken rule: of the type, or of what its data must have.
    pub fn from_parsed(
        event_type: &str,
        email: Result<Email, Violations>,
        name: impl FnOnce() -> Result<Name, Violations>,
    ) -> Result<Self, Violations> {
        match event_type {
            Self::PERSON_SAVED => NewUser::from_parsed(email, name()).map(Self::PersonSaved),
            Self::PERSON_REMOVED => email.map(Self::PersonRemoved),
            _ => {
                let known = format!("Type must be {} or {}", Self::PERSON_SAVED, Self::PERSON_REMOVED);
                Err(Violation::new("type", known).into())
            }
        }
    }
}

/// The identity of an event of others: no two events of one source have the same `id` (`CloudEvents` 1.0).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InboundId {
    source: String,
    id: String,
}

impl InboundId {
    /// The most characters (Unicode scalar values) that a `source` may have.
    pub const MAX_SOURCE_CHARS: usize = 384;
    /// The most characters (Unicode scalar values) that an `id` may have.
    pub const MAX_ID_CHARS: usize = 256;

    /// Neither may be empty, too long, or hold control characters.
    ///
    /// # Errors
    ///
    /// Every rule that one of them breaks.
    pub fn parse(source: &str, id: &str) -> Result<Self, Violations> {
        Self::from_parsed(Ok(source.to_owned()), Ok(id.to_owned()))
    }

    /// Both, or every rule that either breaks.
    pub(crate) fn from_parsed(
        source: Result<String, Violations>,
        id: Result<String, Violations>,
    ) -> Result<Self, Violations> {
        let mut broken = Violations::default();
        let id = broken.take(id.and_then(|id| attribute("id", id, Self::MAX_ID_CHARS)));
        let source = source.and_then(|source| attribute("source", source, Self::MAX_SOURCE_CHARS));
        match (broken.take(source), id) {
            (Some(source), Some(id)) => Ok(Self { source, id }),
            _ => Err(broken),
        }
    }

    /// Who tells of it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What they call it.
    pub fn id(&self) -> &str {
        &self.id
    }
}

fn attribute(field: &'static str, text: String, max: usize) -> Result<String, Violations> {
    let mut broken = Violations::default();
    broken.check(!text.is_empty(), || Violation::required(field));
    broken.check(text.chars().nth(max).is_none(), || Violation::too_long(field, max));
    broken.check(!text.contains(char::is_control), || Violation::control_characters(field));
    broken.or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_known_for_seven_days_by_its_source_and_id() {
        let removed = InboundChange::PersonRemoved(Email::parse("ada@example.org").unwrap());
        let event = InboundEvent { id: InboundId::parse("/hr", "1").unwrap(), change: removed, trace: None };
        let now = Timestamp::from_micros(1_700_000_000_000_000).unwrap();
        let receipt = event.receipt(now);
        assert_eq!((receipt.scope.as_str(), receipt.key.as_str()), ("event /hr", "1"));
        assert_eq!(receipt.expires_at.as_micros() - now.as_micros(), 604_800 * 1_000_000);
    }

    #[test]
    fn an_identity_is_of_bounded_length_and_without_control_characters() {
        let (source, id) = ("é".repeat(384), "é".repeat(256));
        let longest = InboundId::parse(&source, &id).unwrap();
        assert_eq!((longest.source(), longest.id()), (source.as_str(), id.as_str()));
        for (source, id, broken) in [
            (format!("{source}a"), id.clone(), 1),
            (source.clone(), format!("{id}a"), 1),
            (String::new(), String::new(), 2),
            ("a\n".to_owned(), "\0".to_owned(), 2),
        ] {
            let violations = InboundId::parse(&source, &id).unwrap_err();
            assert_eq!(violations.iter().count(), broken, "{violations}");
        }
    }
}
