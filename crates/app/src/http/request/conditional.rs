//! Conditional requests (RFC 9110 §13), on versions: the strong entity tag of version 7 is `"7"`.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{FromRequest, HttpRequest};
use roster_domain::{DomainError, Precondition, Version};

use crate::http::problem::error::ApiError;

/// The entity tag of a version.
pub(in crate::http) fn etag(version: Version) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// On which versions a request that changes something does so; without a header, on any.
pub(in crate::http) struct WriteCondition(pub(in crate::http) Precondition);

impl FromRequest for WriteCondition {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(if_match(request).and_then(|precondition| {
            Ok(Self(match EntityTags::of(request, &header::IF_NONE_MATCH)? {
                None => precondition,
                // There is none that is none; whether there is a user at all is judged when it is looked for.
                Some(EntityTags::Any) => Precondition::OneOf(Vec::new()),
                Some(EntityTags::These(tags)) => precondition.but_none_of(versions(&tags)),
            }))
        }))
    }
}

/// Which versions a request that reads something wants, and which it has already.
pub(in crate::http) struct ReadCondition {
    wanted: Precondition,
    had: Option<EntityTags>,
}

impl ReadCondition {
    /// Whether the client has this version already (RFC 9110 §13.2.2).
    ///
    /// # Errors
    ///
    /// Where it is none that the client wants.
    pub(in crate::http) fn is_met_without(&self, version: Version) -> Result<bool, DomainError> {
        if !self.wanted.allows(version) {
            return Err(DomainError::PreconditionFailed { current: version });
        }
        Ok(match &self.had {
            None => false,
            Some(EntityTags::Any) => true,
            Some(EntityTags::These(tags)) => versions(tags).contains(&version),
        })
    }
}

impl FromRequest for ReadCondition {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(
            if_match(request).and_then(|wanted| {
                Ok(Self { wanted, had: EntityTags::of(request, &header::IF_NONE_MATCH)? })
            }),
        )
    }
}

/// What `If-Match` allows: it compares strongly.
fn if_match(request: &HttpRequest) -> Result<Precondition, ApiError> {
    Ok(match EntityTags::of(request, &header::IF_MATCH)? {
        None | Some(EntityTags::Any) => Precondition::Any,
        Some(EntityTags::These(mut tags)) => {
            tags.retain(|tag| !tag.weak);
            Precondition::OneOf(versions(&tags))
        }
    })
}

/// The versions that tags stand for, weak or strong.
fn versions(tags: &[EntityTag]) -> Vec<Version> {
    tags.iter().filter_map(EntityTag::version).collect()
}

/// What a header of entity tags says.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::http) enum EntityTags {
    /// `*`
    Any,
    These(Vec<EntityTag>),
}

/// One entity tag (RFC 9110 §8.8.3).
#[derive(Debug, PartialEq, Eq)]
pub(in crate::http) struct EntityTag {
    weak: bool,
    opaque: String,
}

impl EntityTag {
    /// The version that the tag stands for; tags are compared as they are written, so `"07"` is none.
    fn version(&self) -> Option<Version> {
        let version = Version::new(self.opaque.parse().ok()?)?;
        (version.to_string() == self.opaque).then_some(version)
    }
}

impl EntityTags {
    /// All lines of the header together; `None` where there are none.
    fn of(request: &HttpRequest, name: &HeaderName) -> Result<Option<Self>, ApiError> {
        let mut lines = request.headers().get_all(name).map(HeaderValue::as_bytes).peekable();
        if lines.peek().is_none() {
            return Ok(None);
        }
        let all = lines.collect::<Vec<_>>().join(&b',');
        let tags = Self::parse(&String::from_utf8_lossy(&all));
        let malformed =
            || ApiError::Malformed(format!("{} must be * or a list of quoted entity tags", title(name)));
        tags.map(Some).ok_or_else(malformed)
    }

    pub(in crate::http) fn parse(text: &str) -> Option<Self> {
        if text.trim_matches(SPACE) == "*" {
            return Some(Self::Any);
        }
        let mut tags = Vec::new();
        let mut rest = text.trim_start_matches(LIST_SPACE);
        while !rest.is_empty() {
            let (tag, after) = EntityTag::parse(rest)?;
            tags.push(tag);
            let next = after.trim_start_matches(SPACE);
            if !(next.is_empty() || next.starts_with(',')) {
                return None;
            }
            rest = next.trim_start_matches(LIST_SPACE);
        }
        (!tags.is_empty()).then_some(Self::These(tags))
    }
}

const SPACE: [char; 2] = [' ', '\t'];
const LIST_SPACE: [char; 3] = [' ', '\t', ','];

impl EntityTag {
    /// The tag that `text` begins with, and what comes after it.
    fn parse(text: &str) -> Option<(Self, &str)> {
        let quoted = text.strip_prefix("W/");
        let (opaque, rest) = quoted.unwrap_or(text).strip_prefix('"')?.split_once('"')?;
        let visible = opaque.chars().all(|c| c > ' ' && c != '\u{7f}');
        visible.then(|| (Self { weak: quoted.is_some(), opaque: opaque.to_owned() }, rest))
    }
}

#[cfg(any(test, fuzzing))]
impl EntityTags {
    /// The header that says the same, with this between two tags.
    pub(in crate::http) fn written(&self, separator: &str) -> String {
        let Self::These(tags) = self else { return "*".to_owned() };
        let written = |tag: &EntityTag| format!("{}\"{}\"", if tag.weak { "W/" } else { "" }, tag.opaque);
        tags.iter().map(written).collect::<Vec<_>>().join(separator)
    }
}

fn title(name: &HeaderName) -> &'static str {
    if *name == header::IF_MATCH { "If-Match" } else { "If-None-Match" }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn these(numbers: &[i64]) -> Vec<Version> {
        numbers.iter().map(|number| Version::new(*number).unwrap()).collect()
    }

    fn condition(lines: &[(HeaderName, &str)]) -> Option<Precondition> {
        let mut request = TestRequest::default();
        for line in lines {
            request = request.append_header(line.clone());
        }
        let extracted = WriteCondition::from_request(&request.to_http_request(), &mut Payload::None);
        extracted.into_inner().ok().map(|condition| condition.0)
    }

    fn if_match(lines: &[&str]) -> Option<Precondition> {
        let lines: Vec<_> = lines.iter().map(|line| (header::IF_MATCH, *line)).collect();
        condition(&lines)
    }

    #[test]
    fn if_match_names_versions_by_their_strong_tags() {
        assert_eq!(if_match(&[]), Some(Precondition::Any));
        assert_eq!(if_match(&["*"]), Some(Precondition::Any));
        for (line, expected) in [
            ("\"7\"", &[7][..]),
            ("\"7\", \"8\"", &[7, 8]),
            (" , \"7\" ,,\"8\",", &[7, 8]),
            ("W/\"7\"", &[]),
            ("W/\"7\", \"8\"", &[8]),
            ("\"07\", \"+7\", \"0\", \"-1\", \"\", \"a,b\", \"9223372036854775808\"", &[]),
        ] {
            assert_eq!(if_match(&[line]), Some(Precondition::OneOf(these(expected))), "{line}");
        }
        assert_eq!(if_match(&["\"7\"", "\"8\""]), Some(Precondition::OneOf(these(&[7, 8]))));
    }

    #[test]
    fn what_is_no_list_of_entity_tags_is_malformed() {
        for line in ["", "7", "\"7", "7\"", "w/\"7\"", "\"7\" \"8\"", "\"7\";", "*, \"7\"", "\"a b\"", ","] {
            assert_eq!(if_match(&[line]), None, "{line}");
        }
    }

    #[test]
    fn if_none_match_compares_weakly() {
        let version = Version::new(7).unwrap();
        for (line, expected) in
            [("\"7\"", true), ("W/\"7\"", true), ("*", true), ("\"6\", \"7\"", true), ("\"6\"", false)]
        {
            let request =
                TestRequest::default().append_header((header::IF_NONE_MATCH, line)).to_http_request();
            let condition = ReadCondition::from_request(&request, &mut Payload::None).into_inner().unwrap();
            assert_eq!(condition.is_met_without(version).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn a_write_may_exclude_versions() {
        let none_match = |line| (header::IF_NONE_MATCH, line);
        for (lines, expected) in [
            (&[none_match("*")][..], Precondition::OneOf(vec![])),
            (&[none_match("\"7\", W/\"8\"")], Precondition::NoneOf(these(&[7, 8]))),
            (&[(header::IF_MATCH, "\"7\", \"8\""), none_match("\"8\"")], Precondition::OneOf(these(&[7]))),
        ] {
            assert_eq!(condition(lines), Some(expected));
        }
        assert_eq!(condition(&[none_match("7")]), None);
    }

    #[test]
    fn a_read_may_want_a_version() {
        let version = Version::new(7).unwrap();
        for (line, met) in [("\"7\"", true), ("*", true), ("W/\"7\"", false), ("\"8\"", false)] {
            let request = TestRequest::default().append_header((header::IF_MATCH, line)).to_http_request();
            let condition = ReadCondition::from_request(&request, &mut Payload::None).into_inner().unwrap();
            assert_eq!(condition.is_met_without(version).is_ok(), met, "{line}");
        }
    }
}
