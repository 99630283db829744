use std::fmt;
use std::sync::{Arc, LazyLock};

use tokio::time::Instant;

use super::scope::Scopes;
use super::tokens::Digest;

/// Who asks, as far as a credential tells: under which name, and what they may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Principal {
    name: Arc<str>,
    scopes: Scopes,
    pub(super) kind: Kind,
}

/// What vouches for a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing: no credentials are asked for.
    Anonymous,
    /// A token of the tokens file, by its digest.
    Token(Digest),
    /// A signed token, for no longer than this.
    Jwt(Instant),
}

impl Principal {
    pub(super) fn new(name: impl Into<Arc<str>>, scopes: Scopes, kind: Kind) -> Self {
        Self { name: name.into(), scopes, kind }
    }

    /// Whoever it is, where no credentials are asked for: they may do everything.
    pub(super) fn anonymous() -> Self {
        static ANONYMOUS: LazyLock<Principal> =
            LazyLock::new(|| Principal::new("anonymous", Scopes::all(), Kind::Anonymous));
        ANONYMOUS.clone()
    }

    /// Whether no credentials were asked for.
    pub(crate) fn is_anonymous(&self) -> bool {
        self.kind == Kind::Anonymous
    }

    /// What they are called in the log, and by what else tells principals from one another: `token:NAME`,
    /// `jwt:SUBJECT` or `anonymous`. It is no secret, no e-mail, at most 256 visible ASCII characters, and it
    /// stays the same when a credential is replaced by a new one of the same name or subject.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether they may do what needs all of these.
    pub(crate) fn may(&self, needed: Scopes) -> bool {
        self.scopes.include(needed)
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
