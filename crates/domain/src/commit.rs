//! What is recorded beside a change, and on what it depends.

use std::fmt;

use crate::{Timestamp, TraceContext};

/// What a write records in its transaction, beside the change itself and its event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Commit {
    /// When the change is made.
    pub at: Timestamp,
    /// What makes a repeat of the write harmless.
    pub receipt: Option<Receipt>,
    /// Which trace the write is part of: its event tells, so that whoever hears of it can go on from there.
    pub trace: Option<TraceContext>,
}

impl Commit {
    /// A write at this time, without a receipt, and part of no trace.
    pub const fn at(at: Timestamp) -> Self {
        Self { at, receipt: None, trace: None }
    }

    /// The same write, to take effect once for this receipt.
    #[must_use]
    pub fn once(mut self, receipt: impl Into<Option<Receipt>>) -> Self {
        self.receipt = receipt.into();
        self
    }

    /// The same write, as part of a trace.
    #[must_use]
    pub fn traced(mut self, trace: impl Into<Option<TraceContext>>) -> Self {
        self.trace = trace.into();
        self
    }
}

/// The proof that a write was done: of a request with an `Idempotency-Key`, or of an inbound event.
///
/// A store keeps it with the write's outcome, in the same transaction. While it is kept, the same
/// receipt does nothing but bring that outcome back. A write that fails leaves none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Who gives keys, each of them once: a credential, method and route, or the source of an event.
    pub scope: String,
    /// What the giver calls this write: its `Idempotency-Key`, or the event's `id`.
    pub key: String,
    /// A SHA-256 of what was asked, so that a key used for something else is found out.
    pub fingerprint: [u8; 32],
    /// Until when the receipt is kept; from then on, the key is free.
    pub expires_at: Timestamp,
}

/// What a write brought about: now, or at the first time that its receipt was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written<T> {
    /// The write took effect.
    Now(T),
    /// It took effect before; this is what it brought about then.
    Before(T),
}

impl<T> Written<T> {
    /// The same of another outcome.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Written<U> {
        match self {
            Self::Now(outcome) => Written::Now(f(outcome)),
            Self::Before(outcome) => Written::Before(f(outcome)),
        }
    }

    /// What the write brought about, whenever that was.
    pub fn into_inner(self) -> T {
        match self {
            Self::Now(outcome) | Self::Before(outcome) => outcome,
        }
    }
}

/// The version of something that changes, as of a user: 1 when it is created, one more with every change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(i64);

impl Version {
    /// The version of what was just created.
    pub const FIRST: Self = Self(1);

    /// `None` where `version` is less than 1.
    pub const fn new(version: i64) -> Option<Self> {
        if version >= 1 { Some(Self(version)) } else { None }
    }

    /// The version as a number.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The version after one more change.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which versions of an entity a write may change (`If-Match` and `If-None-Match`, RFC 9110 §13.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Precondition {
    /// Whatever version there is.
    #[default]
    Any,
    /// One of these; none, where the list is empty.
    OneOf(Vec<Version>),
    /// Whatever version there is, but none of these.
    NoneOf(Vec<Version>),
}

impl Precondition {
    /// Whether an entity at `version` may be changed.
    pub fn allows(&self, version: Version) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(versions) => versions.contains(&version),
            Self::NoneOf(versions) => !versions.contains(&version),
        }
    }

    /// What this allows, but none of `versions`.
    #[must_use]
    pub fn but_none_of(self, versions: Vec<Version>) -> Self {
        match self {
            Self::Any => Self::NoneOf(versions),
            Self::OneOf(allowed) => {
                Self::OneOf(allowed.into_iter().filter(|version| !versions.contains(version)).collect())
            }
            Self::NoneOf(already) => Self::NoneOf([already, versions].concat()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(numbers: &[i64]) -> Vec<Version> {
        numbers.iter().map(|number| Version::new(*number).unwrap()).collect()
    }

    #[test]
    fn a_precondition_allows_what_it_names_less_what_it_excludes() {
        for (precondition, allowed) in [
            (Precondition::Any, &[1, 2, 3][..]),
            (Precondition::OneOf(versions(&[1, 3])), &[1, 3]),
            (Precondition::OneOf(vec![]), &[]),
            (Precondition::Any.but_none_of(versions(&[2])), &[1, 3]),
            (Precondition::OneOf(versions(&[1, 2])).but_none_of(versions(&[2, 3])), &[1]),
            (Precondition::NoneOf(versions(&[1])).but_none_of(versions(&[2])), &[3]),
        ] {
            let all = versions(&[1, 2, 3]).into_iter();
            let found: Vec<_> = all.filter(|version| precondition.allows(*version)).collect();
            assert_eq!(found, versions(allowed), "{precondition:?}");
        }
    }
}
