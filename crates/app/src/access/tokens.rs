//! API tokens, and the file that knows them: a line each, of a name, the SHA-256 of the token in hexadecimal,
//! its scopes, and when it was made. The tokens themselves are nowhere but with whoever uses them.

use std::collections::HashSet;
use std::fmt::{self, Write};

use roster_domain::Timestamp;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use thiserror::Error;

use super::principal::{Kind, Principal};
use super::scope::{Scope, Scopes};

/// What every token begins with, so that whoever finds one, a person or a scanner of secrets, knows what it is.
pub(super) const PREFIX: &str = "roster_";

/// The SHA-256 of a token. A token is 256 random bits: nobody finds one by its digest, and no salt is needed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// A token, as the file knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// What it is called: 1 … 64 of letters, digits, `.`, `_` and `-`.
    pub name: String,
    digest: Digest,
    /// What whoever has it may do.
    pub scopes: Scopes,
    /// When it was made.
    pub created: Timestamp,
}

impl Token {
    /// The principal that it stands for.
    pub(super) fn principal(&self) -> Principal {
        Principal::new(format!("token:{}", self.name), self.scopes, Kind::Token(self.digest))
    }
}

/// All tokens of a file.
#[derive(Debug, Default)]
pub(crate) struct Tokens(Vec<Token>);

impl Tokens {
    /// The one that was presented. How long this takes tells nothing of which there are, nor of how much of one
    /// was right: digests are compared whole, and all of them.
    pub(super) fn find(&self, presented: &str) -> Option<&Token> {
        self.with(Digest::of(presented))
    }

    pub(super) fn with(&self, digest: Digest) -> Option<&Token> {
        let none = (0_u64, Choice::from(0));
        let (nth, found) = self.0.iter().zip(0_u64..).fold(none, |(nth, found), (token, this)| {
            let same = token.digest.0.ct_eq(&digest.0);
            (u64::conditional_select(&nth, &this, same), found | same)
        });
        bool::from(found).then(|| self.0.get(usize::try_from(nth).ok()?)).flatten()
    }

    /// Each of them, in the order of the file.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Token> {
        self.0.iter()
    }
}

/// What is wrong with a tokens file. What stands in it is not repeated: it may be a token, by mistake.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {what}")]
pub(crate) struct BadTokens {
    line: usize,
    what: &'static str,
}

impl Tokens {
    /// Reads what a file has in it. Blank lines count for nothing, and those that begin with `#`.
    ///
    /// # Errors
    ///
    /// Where a line is none of a token, or a name or a token is there twice.
    pub(crate) fn parse(text: &str) -> Result<Self, BadTokens> {
        let (mut tokens, mut names, mut digests) = (Vec::new(), HashSet::new(), HashSet::new());
        for (line, number) in text.lines().zip(1..) {
            let bad = |what| BadTokens { line: number, what };
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let token = parse_line(line).map_err(bad)?;
            if !names.insert(token.name.clone()) {
                return Err(bad("there is a token of this name above"));
            }
            if !digests.insert(token.digest) {
                return Err(bad("the same token is above, by another name"));
            }
            tokens.push(token);
        }
        Ok(Self(tokens))
    }
}

fn parse_line(line: &str) -> Result<Token, &'static str> {
    let mut words = line.split_whitespace();
    let (Some(name), Some(digest), Some(scopes), Some(created), None) =
        (words.next(), words.next(), words.next(), words.next(), words.next())
    else {
        return Err("must be a name, a SHA-256, scopes and a time, with white space between them");
    };
    let created = chrono::DateTime::parse_from_rfc3339(created);
    Ok(Token {
        name: parse_name(name)?,
        digest: parse_digest(digest).ok_or("the SHA-256 must be 64 hexadecimal digits")?,
        scopes: parse_scopes(scopes)?,
        created: created.map_err(|_| "the time must be as in 2026-11-25T10:00:00Z")?.to_utc().into(),
    })
}

/// What a token may be called.
pub(crate) fn parse_name(text: &str) -> Result<String, &'static str> {
    let may_be = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_name = (1..=64).contains(&text.len()) && text.bytes().all(may_be);
    is_name
        .then(|| text.to_owned())
        .ok_or("a name must be 1 to 64 of letters, digits, \".\", \"_\" and \"-\"")
}

/// Scopes with commas between them: at least one.
pub(crate) fn parse_scopes(text: &str) -> Result<Scopes, &'static str> {
    text.split(',').map(|scope| scope.trim().parse::<Scope>()).collect()
}

fn parse_digest(text: &str) -> Option<Digest> {
    let nibble = |digit: &u8| char::from(*digit).to_digit(16);
    let mut digest = [0; 32];
    if text.len() != 2 * digest.len() {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = u8::try_from(nibble(high)? << 4 | nibble(low)?).ok()?;
    }
    Some(Digest(digest))
}

/// The line of a token.
pub(super) fn line(name: &str, token: &str, scopes: Scopes, created: Timestamp) -> String {
    let mut line = String::new();
    // Writing to a text cannot fail.
    let _ = writeln!(line, "{name} {} {} {created}", Digest::of(token), scopes.join(","));
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2026-11-25T10:00:00.000000Z";

    fn file(tokens: &[(&str, &str, &[Scope])]) -> String {
        let created = chrono::DateTime::parse_from_rfc3339(TIME).unwrap().to_utc().into();
        let lines = tokens
            .iter()
            .map(|(name, token, scopes)| line(name, token, scopes.iter().copied().collect(), created));
        lines.collect()
    }

    #[test]
    fn a_token_is_found_by_itself_and_by_nothing_else() {
        let text = file(&[
            ("ci", "roster_a", &[Scope::UsersRead]),
            ("cd", "roster_b", &[Scope::UsersWrite, Scope::EventsRead]),
        ]);
        let tokens = Tokens::parse(&format!("# who may\n\n{text}\n  # that is all")).unwrap();
        let found = |presented: &str| tokens.find(presented).map(|token| token.name.as_str());
        assert_eq!((found("roster_a"), found("roster_b")), (Some("ci"), Some("cd")));
        let digest = Digest::of("roster_a").to_string();
        for presented in ["", "roster_", "roster_c", "roster_a ", "ROSTER_A", "ci", &digest] {
            assert_eq!(found(presented), None, "{presented:?}");
        }
        assert_eq!(tokens.find("roster_b").unwrap().scopes, [Scope::UsersWrite, Scope::EventsRead].into());
        assert_eq!(tokens.find("roster_b").unwrap().principal().name(), "token:cd");
        assert_eq!(Tokens::default().find("roster_a"), None);
    }

    #[test]
    fn a_file_that_is_none_is_told_by_its_line_and_without_what_stands_there() {
        let digest = Digest::of("roster_a").to_string();
        let secret = "roster_secret";
        for line in [
            "ci".to_owned(),
            format!("ci {digest} users:read"),
            format!("ci {digest} users:read {TIME} more"),
            format!("c/i {digest} users:read {TIME}"),
            format!("{} {digest} users:read {TIME}", "x".repeat(65)),
            format!(
                "ci {} users:read {TIME}",
                digest.replacen(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'], "g", 1)
            ),
            format!("ci {}é users:read {TIME}", &digest[..62]),
            format!("ci {secret} users:read {TIME}"),
            format!("ci {digest} {secret} {TIME}"),
            format!("ci {digest} users:read, {TIME}"),
            format!("ci {digest} users:all {TIME}"),
            format!("ci {digest} users:read yesterday"),
        ] {
            let error = Tokens::parse(&format!("# who may\n{line}\n")).unwrap_err().to_string();
            assert!(error.starts_with("line 2: ") && !error.contains(secret), "{line}: {error}");
        }
        let twice = file(&[("ci", "roster_a", &[Scope::UsersRead]), ("ci", "roster_b", &[Scope::UsersRead])]);
        assert!(Tokens::parse(&twice).is_err());
        let twice = file(&[("ci", "roster_a", &[Scope::UsersRead]), ("cd", "roster_a", &[Scope::UsersRead])]);
        assert!(Tokens::parse(&twice).is_err());
    }
}
