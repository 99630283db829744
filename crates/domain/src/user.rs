//! The user: its fields, each a type that cannot hold a broken rule, and how it changes.

use std::fmt;

use crate::{Timestamp, Version, Violation, Violations};

/// A user as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Given by the store, never reused.
    pub id: UserId,
    /// Unique among all users.
    pub email: Email,
    /// How the user is called.
    pub name: Name,
    /// When the user was created.
    pub created_at: Timestamp,
    /// When the user was last changed; never goes back.
    pub updated_at: Timestamp,
    /// Grows by one with every change.
    pub version: Version,
}

impl User {
    /// The user that `new` becomes when the store gives it `id`.
    pub fn created(id: UserId, new: NewUser, at: Timestamp) -> Self {
        Self { id, email: new.email, name: new.name, created_at: at, updated_at: at, version: Version::FIRST }
    }

    /// The user after `changes`, or `None` where they change nothing.
    ///
    /// A clock that went back does not take `updated_at` with it.
    #[must_use]
    pub fn changed(&self, changes: &UserChanges, at: Timestamp) -> Option<Self> {
        let email = changes.email.as_ref().unwrap_or(&self.email);
        let name = changes.name.as_ref().unwrap_or(&self.name);
        if *email == self.email && *name == self.name {
            return None;
        }
        Some(Self {
            id: self.id,
            email: email.clone(),
            name: name.clone(),
            created_at: self.created_at,
            updated_at: self.updated_at.max(at),
            version: self.version.next(),
        })
    }
}

/// What a user is made from: both fields, already checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// The e-mail that the user will have.
    pub email: Email,
    /// The name that the user will have.
    pub name: Name,
}

impl NewUser {
    /// Both fields, or every rule that either breaks.
    pub fn from_parsed(
        email: Result<Email, Violations>,
        name: Result<Name, Violations>,
    ) -> Result<Self, Violations> {
        let mut broken = Violations::default();
        match (broken.take(email), broken.take(name)) {
            (Some(email), Some(name)) => Ok(Self { email, name }),
            _ => Err(broken),
        }
    }
}

/// What is to change in a user; a field that is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserChanges {
    /// The e-mail from now on.
    pub email: Option<Email>,
    /// The name from now on.
    pub name: Option<Name>,
}

impl UserChanges {
    /// Both changes, or every rule that either breaks.
    pub fn from_parsed(
        email: Result<Option<Email>, Violations>,
        name: Result<Option<Name>, Violations>,
    ) -> Result<Self, Violations> {
        let mut broken = Violations::default();
        match (broken.take(email), broken.take(name)) {
            (Some(email), Some(name)) => Ok(Self { email, name }),
            _ => Err(broken),
        }
    }
}

impl From<NewUser> for UserChanges {
    /// Replaces both fields.
    fn from(new: NewUser) -> Self {
        Self { email: Some(new.email), name: Some(new.name) }
    }
}

/// The identity of a user: 1 … 2⁶³ − 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(i64);

impl UserId {
    /// `None` where `id` is less than 1: no user has such an id.
    pub const fn new(id: i64) -> Option<Self> {
        if id >= 1 { Some(Self(id)) } else { None }
    }

    /// The id as a number.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An e-mail address: trimmed, lowercased, at most [`Email::MAX_CHARS`] characters, of the form
/// `^[^@\s]+@[^@\s]+\.[^@\s]+$`, without control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(String);

impl Email {
    /// The most characters (Unicode scalar values) that an e-mail may have.
    pub const MAX_CHARS: usize = 254;

    /// Trims and lowercases `raw`, and checks what is left.
    ///
    /// # Errors
    ///
    /// Every rule that `raw` breaks.
    pub fn parse(raw: &str) -> Result<Self, Violations> {
        let email = raw.trim().to_lowercase();
        if email.is_empty() {
            return Err(Violation::required("email").into());
        }
        let mut broken = Violations::default();
        broken.check(is_email(&email), || Violation::new("email", "Invalid email format"));
        check_text(&mut broken, "email", &email, Self::MAX_CHARS);
        broken.or(Self(email))
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address as text, without a copy.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of a user: trimmed, [`Name::MIN_CHARS`] … [`Name::MAX_CHARS`] characters, without
/// control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// The fewest characters (Unicode scalar values) that a name may have.
    pub const MIN_CHARS: usize = 2;
    /// The most characters (Unicode scalar values) that a name may have.
    pub const MAX_CHARS: usize = 200;

    /// Trims `raw`, and checks what is left.
    ///
    /// # Errors
    ///
    /// Every rule that `raw` breaks.
    pub fn parse(raw: &str) -> Result<Self, Violations> {
        let name = raw.trim();
        let mut broken = Violations::default();
        broken.check(name.chars().nth(Self::MIN_CHARS - 1).is_some(), || {
            Violation::new("name", format!("Name must be at least {} characters", Self::MIN_CHARS))
        });
        check_text(&mut broken, "name", name, Self::MAX_CHARS);
        broken.or_else(|| Self(name.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as text, without a copy.
    pub fn into_string(self) -> String {
        self.0
    }

    /// The name as searches compare it; see [`NamePrefix`]. An adapter stores it beside the name.
    pub fn search_key(&self) -> String {
        search_key(&self.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The beginning of a name, as a search for it is asked: case does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NamePrefix(String);

impl NamePrefix {
    /// Any text that a name could begin with; the empty one is the beginning of every name.
    ///
    /// # Errors
    ///
    /// Where it holds control characters, which no name does.
    pub fn parse(raw: &str) -> Result<Self, Violations> {
        let raw = raw.trim_start();
        let mut broken = Violations::default();
        broken.check(!has_control_characters(raw), || Violation::control_characters("name"));
        broken.or_else(|| Self(search_key(raw)))
    }

    /// The first [search key](Name::search_key) that begins with this prefix, in code point order.
    pub fn start(&self) -> &str {
        &self.0
    }

    /// The first key, in code point order, after all that begin with this prefix; `None` where there
    /// is no such key. Keys from [`start`](Self::start) up to it are exactly those that match, so an
    /// adapter needs no pattern, and nothing in a prefix needs escaping.
    pub fn end(&self) -> Option<String> {
        let mut end = self.0.clone();
        while let Some(last) = end.pop() {
            if let Some(next) = next_char(last) {
                end.push(next);
                return Some(end);
            }
        }
        None
    }

    /// Whether `name` begins with this prefix.
    pub fn matches(&self, name: &Name) -> bool {
        name.search_key().starts_with(&self.0)
    }
}

/// Lowercase by character, so that a prefix of a name is a prefix of its key: `str::to_lowercase`
/// looks at what stands around a capital sigma, and so would turn `ΟΔΟΣ` to `οδος` but `ΟΔΟΣ Α` to
/// `οδοσ α`. The final form is folded with the other for the same reason.
fn search_key(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c }).collect()
}

/// The scalar value after `c`; the surrogates between U+D7FF and U+E000 are none.
fn next_char(c: char) -> Option<char> {
    (u32::from(c) + 1..=u32::from(char::MAX)).find_map(char::from_u32)
}

/// `^[^@\s]+@[^@\s]+\.[^@\s]+$`
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let inside = domain.as_bytes().get(1..domain.len().saturating_sub(1)).unwrap_or_default();
    // As below, most are plain.
    let has_blanks = !text.bytes().all(|byte| byte.is_ascii_graphic()) && text.contains(char::is_whitespace);
    !local.is_empty() && inside.contains(&b'.') && !domain.contains('@') && !has_blanks
}

/// The rules that every text of a user keeps.
fn check_text(broken: &mut Violations, field: &'static str, text: &str, max_chars: usize) {
    broken.check(text.len() <= max_chars || text.chars().count() <= max_chars, || {
        Violation::too_long(field, max_chars)
    });
    broken.check(!has_control_characters(text), || Violation::control_characters(field));
}

/// Most texts are plain ASCII, of which no character is to be decoded.
fn has_control_characters(text: &str) -> bool {
    !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) && text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    fn broken<T: fmt::Debug>(parsed: Result<T, Violations>) -> String {
        parsed.unwrap_err().to_string()
    }

    #[test]
    fn an_email_is_trimmed_and_lowercased() {
        let email = Email::parse("\u{a0} Ana.LÍVIA@Example.ORG\n").unwrap();
        assert_eq!(email.as_str(), "ana.lívia@example.org");
        assert_eq!(email.into_string(), "ana.lívia@example.org");
    }

    #[test]
    fn an_email_that_is_empty_or_blank_is_required() {
        for raw in ["", " ", "\t\n"] {
            assert_eq!(broken(Email::parse(raw)), "Email is required");
        }
    }

    #[test]
    fn an_email_without_its_form_is_invalid() {
        for raw in
            ["a", "a@b", "@b.c", "a@.c", "a@b.", "a@b@c.d", "a b@c.d", "a@b c.d", "a@b\u{2003}.c", "a@.", "@"]
        {
            assert_eq!(broken(Email::parse(raw)), "Invalid email format", "{raw}");
        }
        for raw in ["a@b.c", "a@b..c", "a@..b", "用户@例え.jp", "\"@x.y", "a@b.c.d"] {
            assert!(Email::parse(raw).is_ok(), "{raw}");
        }
    }

    #[test]
    fn an_email_has_at_most_254_characters_once_normalised() {
        let of = |length: usize| format!("{}@界.例", "é".repeat(length - 4));
        assert!(Email::parse(&format!("  {}  ", of(254))).is_ok());
        assert_eq!(broken(Email::parse(&of(255))), "Email must be at most 254 characters");
        // Lowercase, İ is two characters.
        let grown = format!("{}@b.c", "İ".repeat(250));
        assert_eq!(broken(Email::parse(&grown)), "Email must be at most 254 characters");
    }

    #[test]
    fn every_rule_that_a_value_breaks_is_listed() {
        let long = format!("{}\0", "x".repeat(255));
        assert_eq!(
            broken(Email::parse(&long)),
            "Invalid email format; Email must be at most 254 characters; \
             Email must not contain control characters"
        );
        assert_eq!(
            broken(Name::parse("\u{7}")),
            "Name must be at least 2 characters; Name must not contain control characters"
        );
    }

    #[test]
    fn a_name_has_2_to_200_characters_once_trimmed() {
        assert_eq!(Name::parse("  李坤 ").unwrap().as_str(), "李坤");
        assert!(Name::parse(&"界".repeat(200)).is_ok());
        for raw in ["", " ", "x", " 界\u{3000}"] {
            assert_eq!(broken(Name::parse(raw)), "Name must be at least 2 characters", "{raw}");
        }
        assert_eq!(broken(Name::parse(&"界".repeat(201))), "Name must be at most 200 characters");
    }

    #[test]
    fn control_characters_are_refused_inside_and_trimmed_where_they_are_space_outside() {
        for raw in ["a\0b", "a\u{1b}b", "a\tb", "a\u{1f}b", "a\u{7f}b", "a\u{85}b", "a\u{9f}b", "\u{0}ab"] {
            assert_eq!(broken(Name::parse(raw)), "Name must not contain control characters", "{raw:?}");
        }
        assert_eq!(Name::parse("\r\nAda\t").unwrap().as_str(), "Ada");
        assert_eq!(broken(NamePrefix::parse("a\0")), "Name must not contain control characters");
        assert_eq!(NamePrefix::parse("\tAda").unwrap().start(), "ada");
    }

    #[test]
    fn the_end_of_a_prefix_is_the_first_key_after_all_that_match() {
        let end = |raw| NamePrefix::parse(raw).unwrap().end();
        assert_eq!(end("ab").as_deref(), Some("ac"));
        assert_eq!(end("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
        assert_eq!(end("a\u{10ffff}\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(end("\u{10ffff}"), None);
        assert_eq!(end(""), None);
    }

    proptest! {
        #[test]
        fn an_email_has_the_form_of_the_contract(raw in r"[a@. \u{a0}é\n]{0,12}|\PC{0,20}") {
            let form = Regex::new(r"^[^@\s]+@[^@\s]+\.[^@\s]+$").unwrap();
            let normal = raw.trim().to_lowercase();
            prop_assert_eq!(is_email(&normal), form.is_match(&normal));
        }

        #[test]
        fn parsing_what_was_parsed_changes_nothing(raw in r"\PC{1,9}@\PC{1,9}\.\PC{1,9}") {
            if let Ok(email) = Email::parse(&raw) {
                prop_assert_eq!(Email::parse(email.as_str()), Ok(email));
            }
        }

        #[test]
        fn a_name_matches_a_prefix_where_its_key_is_in_the_range(name in r"\PC{2,9}", prefix in r"\PC{0,4}") {
            if let (Ok(name), Ok(prefix)) = (Name::parse(&name), NamePrefix::parse(&prefix)) {
                let key = name.search_key();
                let in_range = key.as_str() >= prefix.start() && prefix.end().is_none_or(|end| key < end);
                prop_assert_eq!(in_range, prefix.matches(&name));
            }
        }

        #[test]
        fn every_prefix_of_a_name_matches_it_in_any_case(name in r"[Σσςaß İéΟδ]{2,9}", taken in 0_usize..9) {
            if let Ok(name) = Name::parse(&name) {
                let prefix: String = name.as_str().chars().take(taken).collect();
                prop_assert!(NamePrefix::parse(&prefix).unwrap().matches(&name));
                prop_assert!(NamePrefix::parse(&prefix.to_lowercase()).unwrap().matches(&name));
            }
        }
    }
}
