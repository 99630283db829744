//! The versions of an entity, and which of them a write may change.

use std::collections::BTreeSet;
use std::fmt;

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
                // Whoever asks may name thousands.
                let excluded: BTreeSet<_> = versions.into_iter().collect();
                Self::OneOf(allowed.into_iter().filter(|version| !excluded.contains(version)).collect())
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

    /// Seen to take hours where each was looked for among all others.
    #[test]
    fn many_versions_are_judged() {
        let many = || versions(&(1..=200_000).collect::<Vec<_>>());
        assert_eq!(Precondition::OneOf(many()).but_none_of(many()), Precondition::OneOf(vec![]));
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
