//! People as the external directory knows them.

use std::fmt;

use crate::{Email, Name, NewUser, Violations};

/// The identity of a person in the external directory: 1 … 2⁶³ − 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DirectoryId(i64);

impl DirectoryId {
    /// `None` where `id` is less than 1: the directory has no such id.
    pub const fn new(id: i64) -> Option<Self> {
        if id >= 1 { Some(Self(id)) } else { None }
    }

    /// The id as a number.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for DirectoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A person as the external directory has it: in another's words, and so not checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryPerson {
    /// The person's id in the directory.
    pub id: DirectoryId,
    /// How the person is called.
    pub name: String,
    /// An e-mail, by the directory's rules.
    pub email: String,
    /// The name that the person has in the directory.
    pub username: String,
}

impl TryFrom<DirectoryPerson> for NewUser {
    type Error = Violations;

    /// The same rules as for any other new user.
    fn try_from(person: DirectoryPerson) -> Result<Self, Violations> {
        Self::from_parsed(Email::parse(&person.email), Name::parse(&person.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_told_as_its_number() {
        assert_eq!(DirectoryId::new(7).unwrap().to_string(), "7");
    }
}
