use std::fmt;
use std::str::FromStr;

/// What somebody may do: one kind of thing, and whether to read it or to write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Read users, one, many or all.
    UsersRead,
    /// Make, change and delete users. Whoever does is answered with the user as it then is.
    UsersWrite,
    /// Read the feed of what happened to users.
    EventsRead,
    /// Tell of what happened in the directory, which makes, changes and deletes users here.
    EventsWrite,
    /// Look people up in the external directory.
    DirectoryRead,
}

impl Scope {
    /// All that there are.
    pub(crate) const ALL: [Self; 5] =
        [Self::UsersRead, Self::UsersWrite, Self::EventsRead, Self::EventsWrite, Self::DirectoryRead];

    /// What it is called in a credential (RFC 6749 §3.3).
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::UsersRead => "users:read",
            Self::UsersWrite => "users:write",
            Self::EventsRead => "events:read",
            Self::EventsWrite => "events:write",
            Self::DirectoryRead => "directory:read",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl FromStr for Scope {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let scope = Self::ALL.into_iter().find(|scope| scope.name() == text);
        scope.ok_or("must be of users:read, users:write, events:read, events:write and directory:read")
    }
}

/// A set of scopes.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Scopes(u8);

impl Scopes {
    /// All that there are.
    pub(crate) fn all() -> Self {
        Scope::ALL.into()
    }

    /// Whether these are among them, all of them.
    pub(crate) const fn include(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// Each of them.
    pub(crate) fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.include((*scope).into()))
    }

    /// Their names, with this between two.
    pub(crate) fn join(self, separator: &str) -> String {
        self.iter().map(Scope::name).collect::<Vec<_>>().join(separator)
    }
}

impl From<Scope> for Scopes {
    fn from(scope: Scope) -> Self {
        Self(scope.bit())
    }
}

impl<const N: usize> From<[Scope; N]> for Scopes {
    fn from(scopes: [Scope; N]) -> Self {
        scopes.into_iter().collect()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |set, scope| set | scope.bit()))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_read_as_it_is_written() {
        for scope in Scope::ALL {
            assert_eq!(scope.name().parse(), Ok(scope));
        }
        for text in ["", "users", "users:", "USERS:READ", "users:read ", "users:*", "users:read,users:write"]
        {
            assert!(text.parse::<Scope>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_set_includes_its_parts_and_nothing_else() {
        let some = Scopes::from([Scope::UsersRead, Scope::EventsWrite]);
        assert_eq!(some.iter().collect::<Vec<_>>(), [Scope::UsersRead, Scope::EventsWrite]);
        assert_eq!(some.join(","), "users:read,events:write");
        assert!(some.include(Scope::UsersRead.into()) && some.include(some) && Scopes::all().include(some));
        assert!(!some.include(Scope::UsersWrite.into()));
        assert!(!some.include([Scope::UsersRead, Scope::UsersWrite].into()), "one of two is not enough");
        assert!(!Scopes::default().include(some) && some.include(Scopes::default()));
    }
}
