//! A user, and a page of users, as the API shows them.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Value, json};

const USER: [&str; 6] = ["id", "email", "name", "created_at", "updated_at", "version"];

/// RFC 3339, in UTC, with six digits of a second.
pub(super) static TIMESTAMP: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$").unwrap()
});

/// A user, as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) id: i64,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
    pub(crate) version: i64,
}

/// A page of a list.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) items: Vec<User>,
    pub(crate) next: Option<String>,
    /// Where the `Link` to the next page leads, relative to this one.
    pub(crate) link: Option<String>,
    /// `Roster-Position`.
    pub(crate) position: i64,
}

/// The names of an object's members.
pub(super) fn members(body: &Value) -> BTreeSet<&str> {
    body.as_object().map(|members| members.keys().map(String::as_str).collect()).unwrap_or_default()
}

impl User {
    /// The entity tag of this version.
    pub(crate) fn etag(&self) -> String {
        format!("\"{}\"", self.version)
    }

    /// What a client sends back when it got this user.
    pub(crate) fn to_json(&self) -> Value {
        let Self { id, email, name, created_at, updated_at, version } = self;
        json!({"id": id, "email": email, "name": name, "created_at": created_at, "updated_at": updated_at, "version": version})
    }

    /// Reads what was `told` in an answer, and holds it to the contract.
    #[track_caller]
    pub(super) fn read(body: &Value, told: &str) -> Self {
        assert_eq!(members(body), USER.into(), "{told}");
        let number = |member: &str| match body[member].as_i64() {
            Some(number) if number >= 1 => number,
            _ => panic!("{member} is no positive integer: {told}"),
        };
        let text = |member: &str| match body[member].as_str() {
            Some(text) => text.to_owned(),
            None => panic!("{member} is no string: {told}"),
        };
        let time = |member: &str| {
            let time = text(member);
            assert!(TIMESTAMP.is_match(&time), "{member}: {told}");
            time
        };
        let user = Self {
            id: number("id"),
            email: text("email"),
            name: text("name"),
            created_at: time("created_at"),
            updated_at: time("updated_at"),
            version: number("version"),
        };
        // In this form, times are in order where their texts are.
        assert!(user.created_at <= user.updated_at, "{told}");
        user
    }
}
