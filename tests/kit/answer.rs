//! What was answered, held to the contract: a status is never looked at without its body.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use reqwest::header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, LINK};
use serde_json::{Value, json};

use super::user::{Page, User, members};

const PROBLEM: [&str; 7] = ["type", "title", "status", "detail", "error", "message", "request_id"];

/// A relative reference to the next page.
static NEXT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"^<([^<>:]+)>; rel="next"$"#).unwrap());
/// What needs no escape in a query (RFC 3986 §2.3).
static UNRESERVED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^[A-Za-z0-9._~-]+$").unwrap());
/// What an `X-Request-Id` may be.
static REQUEST_ID: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^[!-~]{1,128}$").unwrap());

/// An answer to one request.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    request: String,
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    /// An answer to `request`, in words. Every answer names its request.
    #[track_caller]
    pub(crate) fn new(request: String, status: u16, headers: HeaderMap, body: Vec<u8>) -> Self {
        let answer = Self { request, status, headers, body };
        let id = answer.header("x-request-id");
        assert!(REQUEST_ID.is_match(&id), "X-Request-Id: {id:?} in {}", answer.told());
        answer
    }

    /// The status alone: for where any of several is right.
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// Whether there is a header of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }

    /// The one header of this name.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> String {
        let mut values = self.headers.get_all(name).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            panic!("there is not one {name} in {}", self.told());
        };
        String::from_utf8_lossy(value.as_bytes()).into_owned()
    }

    /// The values of all headers of this name.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        let values = self.headers.get_all(name).iter();
        values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
    }

    /// An answer with no body.
    #[track_caller]
    pub(crate) fn empty(&self, status: u16) -> &Self {
        assert!(self.status == status && self.body.is_empty(), "expected {status}, empty: {}", self.told());
        self
    }

    /// An answer whose body is up to the service.
    #[track_caller]
    pub(crate) fn any_body(&self, status: u16) -> &Self {
        assert!(self.status == status, "expected {status}: {}", self.told());
        self
    }

    /// Its body, as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// An answer with a body of any type of JSON.
    #[track_caller]
    pub(crate) fn any_json(&self, status: u16) -> Value {
        assert!(self.status == status, "expected {status}: {}", self.told());
        assert!(self.header("content-type").contains("json"), "not JSON: {}", self.told());
        self.parsed()
    }

    /// An answer with a JSON body.
    #[track_caller]
    pub(crate) fn json(&self, status: u16) -> Value {
        assert!(self.status == status, "expected {status}: {}", self.told());
        assert!(self.header("content-type").starts_with("application/json"), "not JSON: {}", self.told());
        self.parsed()
    }

    /// An answer with JSON of a media type of its own.
    #[track_caller]
    pub(super) fn json_as(&self, status: u16, media_type: &str) -> Value {
        assert!(self.status == status, "expected {status}: {}", self.told());
        assert_eq!(self.header("content-type"), media_type, "{}", self.told());
        self.parsed()
    }

    /// An answer with a JSON value a line.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<Value> {
        assert!(self.status == 200, "expected 200: {}", self.told());
        assert_eq!(self.header("content-type"), "application/x-ndjson", "{}", self.told());
        let lines = self.body.split_inclusive(|byte| *byte == b'\n');
        lines
            .map(|line| {
                serde_json::from_slice(line).unwrap_or_else(|error| panic!("{error}: {}", self.told()))
            })
            .collect()
    }

    /// The bytes of the body.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// An answer with a user, whose `ETag` is its version.
    #[track_caller]
    pub(crate) fn user(&self, status: u16) -> User {
        let user = User::read(&self.json(status), &self.told());
        assert_eq!(
            self.headers.get(ETAG).map(|tag| tag.as_bytes().to_vec()),
            Some(user.etag().into()),
            "{}",
            self.told()
        );
        user
    }

    /// An answer with a page of users.
    #[track_caller]
    pub(crate) fn page(&self) -> Page {
        let body = self.json(200);
        assert_eq!(members(&body), ["items", "next"].into(), "{}", self.told());
        let items = body["items"].as_array().unwrap_or_else(|| panic!("no items: {}", self.told()));
        let items = items.iter().map(|user| User::read(user, &self.told())).collect();
        let next = match &body["next"] {
            Value::Null => None,
            Value::String(cursor) if UNRESERVED.is_match(cursor) => Some(cursor.clone()),
            other => panic!("{other} is no cursor: {}", self.told()),
        };
        let link = self.next();
        assert_eq!(link.is_some(), next.is_some(), "Link and next differ: {}", self.told());
        Page { items, next, link, position: self.position() }
    }

    /// Where the `Link` to the next page leads, where there is one.
    #[track_caller]
    pub(super) fn next(&self) -> Option<String> {
        let link = self.headers.contains_key(LINK).then(|| self.header("link"))?;
        match NEXT.captures(&link) {
            Some(found) => Some(found[1].to_owned()),
            None => panic!("{link} is no relative link to the next page: {}", self.told()),
        }
    }

    /// `Roster-Position`.
    #[track_caller]
    pub(super) fn position(&self) -> i64 {
        let position = self.header("roster-position");
        position.parse().unwrap_or_else(|_| panic!("{position} is no position: {}", self.told()))
    }

    /// An error, in the body that every error has. What it says in words is up to the service.
    #[track_caller]
    pub(crate) fn error(&self, status: u16, error: &str) -> Value {
        assert!(self.status == status, "expected {status} {error}: {}", self.told());
        let content_type = self.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        assert_eq!(content_type, Some(&b"application/problem+json"[..]), "{}", self.told());
        let body = self.parsed();
        let mut expected = BTreeSet::from(PROBLEM);
        if error == "validation" {
            expected.insert("errors");
        }
        assert!(members(&body).is_superset(&expected), "{expected:?} are not all in {}", self.told());
        assert_eq!((&body["error"], &body["status"]), (&json!(error), &json!(status)), "{}", self.told());
        assert_eq!(body["detail"], body["message"], "{}", self.told());
        assert_eq!(body["request_id"], json!(self.header("x-request-id")), "{}", self.told());
        for words in ["title", "message"] {
            assert!(
                body[words].as_str().is_some_and(|text| !text.trim().is_empty()),
                "{words}: {}",
                self.told()
            );
        }
        let about = body["type"].as_str().and_then(|about| about.strip_prefix("/docs/problems#"));
        assert!(about.is_some_and(|about| !about.is_empty()), "type: {}", self.told());
        body
    }

    /// An error with this message.
    #[track_caller]
    pub(crate) fn error_saying(&self, status: u16, error: &str, message: &str) {
        assert_eq!(self.error(status, error)["message"], json!(message), "{}", self.told());
    }

    /// 422, with exactly these broken rules: fields and messages, in the order of the fields.
    #[track_caller]
    pub(crate) fn violations(&self, expected: &[(&str, &str)]) {
        let body = self.error(422, "validation");
        let as_json = |&(field, message): &(&str, &str)| json!({"field": field, "message": message});
        assert_eq!(body["errors"], expected.iter().map(as_json).collect::<Value>(), "{}", self.told());
        assert_eq!(body["type"], json!("/docs/problems#validation"), "{}", self.told());
        assert_eq!(body["title"], json!("Validation failed"), "{}", self.told());
        let message = body["message"].as_str().unwrap_or_default();
        for (_, one) in expected {
            assert!(message.contains(one), "the message leaves out {one:?}: {}", self.told());
        }
        if let [(_, only)] = expected {
            assert_eq!(message, *only, "{}", self.told());
        }
    }

    /// 422, in which these are the fields with broken rules, and each of those says something.
    #[track_caller]
    pub(crate) fn violated_fields(&self, expected: &[&str]) {
        let body = self.error(422, "validation");
        let errors = body["errors"].as_array().unwrap_or_else(|| panic!("no errors: {}", self.told()));
        for one in errors {
            assert!(one["message"].as_str().is_some_and(|text| !text.is_empty()), "{}", self.told());
        }
        let fields: BTreeSet<_> = errors.iter().filter_map(|one| one["field"].as_str()).collect();
        assert_eq!(fields, expected.iter().copied().collect(), "{}", self.told());
    }

    #[track_caller]
    fn parsed(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.told()))
    }

    /// The whole exchange, for a failed assertion.
    pub(crate) fn told(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        format!("{}\n  answered {} {:?}\n  {body}", self.request, self.status, self.headers)
    }
}
