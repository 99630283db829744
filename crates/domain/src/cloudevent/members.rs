use std::collections::HashMap;

use serde_json::value::RawValue;

use crate::{Violation, Violations};

/// The members of a JSON object, each as it was written, and read only where it means something: the value of one that is
/// ignored may be whatever JSON can say (RFC 8259 §6, §8.2, §9). Where a name stands twice, the last counts.
pub(super) struct Members(HashMap<String, Box<RawValue>>);

impl Members {
    /// Those of an object.
    ///
    /// # Errors
    ///
    /// Where the text is something else.
    pub(super) fn of(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json).map(Self)
    }

    /// A member as it was written; what is null is not there.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.get()).filter(|value| *value != "null")
    }

    /// A member's text, which has to be there.
    pub(super) fn required(&self, name: &'static str) -> Result<String, Violations> {
        self.optional(name)?.ok_or_else(|| Violation::required(name).into())
    }

    /// A member's text, if it is there.
    pub(super) fn optional(&self, name: &'static str) -> Result<Option<String>, Violations> {
        let Some(value) = self.get(name) else { return Ok(None) };
        serde_json::from_str(value).map(Some).map_err(|_| Violation::no_text(name, value).into())
    }
}
