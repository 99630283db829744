//! The rules that a value breaks.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

/// One broken rule: where, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The field or parameter, as the caller named it.
    pub field: Cow<'static, str>,
    /// A sentence for a person, which begins with the field's name.
    pub message: Cow<'static, str>,
}

impl Violation {
    /// `message` about `field`.
    pub fn new(field: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self { field: field.into(), message: message.into() }
    }

    /// "Email is required".
    pub fn required(field: &'static str) -> Self {
        Self::new(field, format!("{} is required", capitalised(field)))
    }

    /// "Name must be at most 200 characters".
    pub fn too_long(field: &'static str, max_chars: usize) -> Self {
        Self::new(field, format!("{} must be at most {max_chars} characters", capitalised(field)))
    }

    /// "Name must not contain control characters".
    pub(crate) fn control_characters(field: &'static str) -> Self {
        Self::new(field, format!("{} must not contain control characters", capitalised(field)))
    }

    /// "Email must be a string", of a member whose JSON is `json`; or, where that is a string of which half is missing,
    /// as of a surrogate pair (RFC 8259 §8.2), "Email must be valid Unicode".
    pub fn no_text(field: &'static str, json: &str) -> Self {
        Self::wrong_type(field, if json.starts_with('"') { "valid Unicode" } else { "a string" })
    }

    /// "Email must be a string".
    pub fn wrong_type(field: &'static str, expected: &str) -> Self {
        Self::new(field, format!("{} must be {expected}", capitalised(field)))
    }
}

/// A field's name as the beginning of a sentence: `directory_id` is "Directory id".
fn capitalised(field: &str) -> String {
    let field = field.replace('_', " ");
    let mut chars = field.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Every rule that something breaks, in the order of its fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// Adds `violation()` unless the rule is `kept`.
    pub fn check(&mut self, kept: bool, violation: impl FnOnce() -> Violation) {
        if !kept {
            self.0.push(violation());
        }
    }

    /// The value, or `None` with its violations added to these.
    pub fn take<T>(&mut self, parsed: Result<T, Violations>) -> Option<T> {
        parsed.map_err(|broken| self.0.extend(broken.0)).ok()
    }

    /// `value` where no rule is broken, else these violations.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        self.or_else(|| value)
    }

    /// `value()` where no rule is broken, else these violations.
    pub fn or_else<T>(self, value: impl FnOnce() -> T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value()) } else { Err(self) }
    }

    /// The same, of something that stands within another: each field is `outer.field`.
    #[must_use]
    pub fn within(mut self, outer: &str) -> Self {
        for violation in &mut self.0 {
            violation.field = format!("{outer}.{}", violation.field).into();
        }
        self
    }

    /// The same, of one of several: each field is `[index].field`, and each message names the one as
    /// `Event 1: …`. Indices count from 0.
    #[must_use]
    pub fn of_nth(self, entity: &str, index: usize) -> Self {
        let mut broken = self.within(&format!("[{index}]"));
        for violation in &mut broken.0 {
            violation.message = format!("{entity} {index}: {}", violation.message).into();
        }
        broken
    }

    /// The first of them, at most this many. Where there are more, the last violation says so of `field`.
    #[must_use]
    pub fn first(mut self, most: usize, field: &'static str) -> Self {
        if self.0.len() > most {
            self.0.truncate(most);
            self.0.push(Violation::new(field, format!("Only the first {most} broken rules are told")));
        }
        self
    }

    /// The violations, first field first.
    pub fn iter(&self) -> std::slice::Iter<'_, Violation> {
        self.0.iter()
    }
}

impl From<Violation> for Violations {
    fn from(violation: Violation) -> Self {
        Self(vec![violation])
    }
}

impl<'a> IntoIterator for &'a Violations {
    type Item = &'a Violation;
    type IntoIter = std::slice::Iter<'a, Violation>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, violation) in self.iter().enumerate() {
            let separator = if nth == 0 { "" } else { "; " };
            write!(f, "{separator}{}", violation.message)?;
        }
        Ok(())
    }
}

impl Error for Violations {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_told_and_no_more() {
        let mut broken = Violations::default();
        for field in ["a", "b", "c"] {
            broken.check(false, || Violation::required(field));
        }
        assert_eq!(
            broken.clone().first(2, "body").to_string(),
            "A is required; B is required; Only the first 2 broken rules are told"
        );
        assert_eq!(broken.clone().first(3, "body"), broken);
    }
}
