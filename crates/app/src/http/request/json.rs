//! Bodies of requests: JSON objects, of at most 64 KiB, whose members may be missing, null, or of any type.
//! What is wrong with a member is not for the parser to say: it joins the list of broken rules.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::BytesMut;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::StreamExt;
use roster_domain::{Violation, Violations};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Number;
use serde_json::value::RawValue;

use crate::http::middleware::coding::codings;
use crate::http::middleware::limits::Receiving;
use crate::http::problem::error::ApiError;

/// The most bytes that a request's body may have.
pub(in crate::http) const MAX_BODY_BYTES: usize = 64 * 1024;

/// What a request's body can be read as.
pub(in crate::http) trait Body: 'static {
    /// The media types that it may come as.
    const MEDIA_TYPES: &'static [&'static str] = &["application/json"];

    /// What a body of one of those types says.
    fn read(media_type: &str, body: &[u8]) -> Result<Self, ApiError>
    where
        Self: Sized;
}

/// A request's body, read as JSON.
pub(in crate::http) struct Json<T>(pub(in crate::http) T);

impl<T: Body> FromRequest for Json<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let checked = check_head(request, T::MEDIA_TYPES);
        let payload = payload.take();
        let receiving = Receiving::of(request);
        Box::pin(async move {
            let media_type = checked?;
            let body = receiving.wait(read(payload)).await?;
            if media_type.is_none() && !body.is_empty() {
                return Err(not_taken("A body without Content-Type", T::MEDIA_TYPES));
            }
            T::read(media_type.unwrap_or_default(), &body).map(Json)
        })
    }
}

/// The `Content-Type`, where there is one, which then is one of `accepted`. A length that is too large is
/// refused before a byte is read.
fn check_head(request: &HttpRequest, accepted: &[&'static str]) -> Result<Option<&'static str>, ApiError> {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let length = length.and_then(|length| length.parse::<u64>().ok()).unwrap_or(0);
    if length > MAX_BODY_BYTES as u64 {
        return Err(ApiError::PayloadTooLarge(MAX_BODY_BYTES));
    }
    if !request.headers().contains_key(header::CONTENT_TYPE) {
        return Ok(None);
    }
    if !codings(request.headers()).is_empty() {
        return Err(ApiError::UnsupportedContentCoding("identity"));
    }
    let media_type = request.content_type().trim();
    let known = accepted.iter().find(|accepted| media_type.eq_ignore_ascii_case(accepted));
    match known {
        Some(known) if is_utf8(request) => Ok(Some(known)),
        Some(_) => Err(not_taken("Text that is not UTF-8", accepted)),
        None => Err(not_taken(&format!("Content-Type {media_type}"), accepted)),
    }
}

pub(in crate::http) fn not_taken(sent: &str, taken: &[&str]) -> ApiError {
    ApiError::UnsupportedMediaType { sent: sent.to_owned(), taken: taken.join(" or ") }
}

/// JSON is UTF-8 (RFC 8259 §8.1); a parameter may say so.
pub(in crate::http) fn is_utf8(request: &HttpRequest) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut parameters =
        content_type.unwrap_or_default().split(';').skip(1).filter_map(|one| one.split_once('='));
    let charset = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    charset.is_none_or(|(_, charset)| {
        let charset = charset.trim().trim_matches('"');
        charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
    })
}

async fn read(mut payload: Payload) -> Result<BytesMut, ApiError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| not_whole())?;
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(ApiError::PayloadTooLarge(MAX_BODY_BYTES));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

pub(in crate::http) fn not_whole() -> ApiError {
    ApiError::Malformed("Request body did not arrive whole".to_owned())
}

/// Parses a body that is a JSON text of whatever kind.
pub(in crate::http) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    parse_as("Request body", body)
}

/// Parses a JSON text of whatever kind, which is called so where it is none.
fn parse_as<'a, T: Deserialize<'a>>(what: &str, text: &'a [u8]) -> Result<T, ApiError> {
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(ApiError::Malformed(format!("{what} is empty; JSON is required")));
    }
    let parsed = serde_json::from_slice(text);
    parsed.map_err(|error| ApiError::Malformed(format!("{what} is not valid JSON: {error}")))
}

/// A JSON object. Where a name stands twice, the last counts; what nobody takes is ignored, whatever it is.
pub(crate) struct Object(HashMap<String, Box<RawValue>>);

impl Object {
    /// Parses a body that has to be an object.
    pub(in crate::http) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        Self::of("body", "Request body", body)
    }

    /// Parses a line that has to be an object.
    pub(crate) fn of_line(line: &[u8]) -> Result<Self, ApiError> {
        Self::of("line", "Line", line)
    }

    fn of(field: &'static str, what: &str, text: &[u8]) -> Result<Self, ApiError> {
        if text.trim_ascii_start().starts_with(b"{") {
            return parse_as(what, text).map(Self);
        }
        parse_as::<&RawValue>(what, text)?;
        Err(Violation::new(field, format!("{what} must be a JSON object")).into())
    }

    /// The member of this name, whatever it is.
    pub(crate) fn take(&mut self, name: &'static str) -> Member {
        Member { name, value: self.0.remove(name) }
    }
}

/// A member of an object, as it came; `None` where it did not.
#[derive(Debug)]
pub(crate) struct Member {
    name: &'static str,
    value: Option<Box<RawValue>>,
}

impl Member {
    /// The member's text, which has to be there.
    pub(crate) fn required_text<T>(
        self,
        parse: impl FnOnce(&str) -> Result<T, Violations>,
    ) -> Result<T, Violations> {
        parse(&self.required::<String>(Violation::no_text)?)
    }

    /// The member's text, if it is there; that it shall be removed, as null says, is not possible.
    pub(in crate::http) fn optional_text<T>(
        self,
        parse: impl FnOnce(&str) -> Result<T, Violations>,
    ) -> Result<Option<T>, Violations> {
        match self.value {
            None => Ok(None),
            Some(_) => self.required_text(parse).map(Some),
        }
    }

    /// The member's whole number, which has to be there; `7.0` is one as well (JSON Schema 2020-12 §6.1.1).
    pub(in crate::http) fn required_integer(self) -> Result<i64, Violations> {
        let name = self.name;
        let no_integer = || Violation::wrong_type(name, "a 64-bit integer");
        let number = self.required::<Number>(|_, _| no_integer())?;
        let integer = number.as_i64().or_else(|| whole(number.as_f64()?));
        Ok(integer.ok_or_else(no_integer)?)
    }

    /// The member's value, which has to be there; `wrong` says of its name and its JSON that it is none.
    fn required<T: DeserializeOwned>(
        self,
        wrong: impl FnOnce(&'static str, &str) -> Violation,
    ) -> Result<T, Violations> {
        let value = self.value.as_deref().map(RawValue::get).filter(|value| *value != "null");
        let value = value.ok_or_else(|| Violation::required(self.name))?;
        Ok(serde_json::from_str(value).map_err(|_| wrong(self.name, value))?)
    }
}

/// A number without a fraction, as far as every whole number up to it can be told from its neighbours.
fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "there is no fraction to lose, and it is small enough"
    )]
    let integer = (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64);
    integer
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::ContentType;
    use actix_web::test::TestRequest;
    use roster_domain::DomainError;

    use super::*;

    struct Anything;

    impl Body for Anything {
        fn read(_: &str, body: &[u8]) -> Result<Self, ApiError> {
            Object::parse(body).map(|_| Self)
        }
    }

    #[actix_web::test]
    async fn json_is_taken_as_utf_8_and_nothing_else() {
        for (content_type, taken) in [
            ("application/json", true),
            ("Application/JSON ; charset=UTF-8", true),
            ("application/json;charset=\"utf-8\"", true),
            ("application/json; charset=latin1", false),
            ("application/merge-patch+json", false),
            ("text/plain", false),
            ("nonsense", false),
        ] {
            let request =
                TestRequest::default().insert_header(("content-type", content_type)).set_payload("{}");
            let (request, mut payload) = request.to_http_parts();
            let body = Json::<Anything>::from_request(&request, &mut payload).await;
            match body {
                Ok(_) => assert!(taken, "{content_type}"),
                Err(error) => {
                    assert!(matches!(error, ApiError::UnsupportedMediaType { .. }) && !taken, "{error}");
                }
            }
        }
    }

    #[actix_web::test]
    async fn a_body_of_unknown_length_is_cut_off_where_it_is_too_large() {
        for (length, taken) in [(MAX_BODY_BYTES, true), (MAX_BODY_BYTES + 1, false)] {
            let body = format!("{{}}{}", " ".repeat(length - 2));
            let request = TestRequest::default().insert_header(ContentType::json()).set_payload(body);
            let (request, mut payload) = request.to_http_parts();
            match Json::<Anything>::from_request(&request, &mut payload).await {
                Ok(_) => assert!(taken),
                Err(error) => assert!(matches!(error, ApiError::PayloadTooLarge(_)) && !taken, "{error}"),
            }
        }
    }

    #[test]
    fn what_does_not_parse_is_malformed_and_what_is_no_object_breaks_a_rule() {
        for body in [
            "",
            " \n",
            "{",
            "{\"a\":}",
            "[1,",
            "[] []",
            "{} {}",
            "\u{feff}{}",
            "'a'",
            "{\"a\":1e}",
            "{'a':1}",
            "nul",
        ] {
            assert!(matches!(Object::parse(body.as_bytes()), Err(ApiError::Malformed(_))), "{body}");
        }
        for body in ["[]", "[1, 2]", "1", "\"a\"", "null", "true"] {
            let refused = Object::parse(body.as_bytes()).err();
            assert!(matches!(refused, Some(ApiError::Domain(DomainError::Validation(_)))), "{body}");
        }
    }

    #[test]
    fn a_member_is_of_its_type_or_says_what_is_wrong_with_it() {
        let mut object = Object::parse(br#"{"a": "x", "b": null, "c": 7, "d": "one", "d": "two", "f_g": -7, "h_i": "7", "j": 7.5, "k": null, "m": "\ud800", "n": 1e999, "o": 7.0, "p": -7e2, "q": 9e15, "r": 1e17}"#)
            .unwrap_or_else(|e| panic!("{e}"));
        let text = |text: &str| Ok::<_, Violations>(text.to_owned());
        assert_eq!(object.take("a").required_text(text), Ok("x".to_owned()));
        assert_eq!(object.take("b").optional_text(text).unwrap_err().to_string(), "B is required");
        assert_eq!(object.take("c").optional_text(text).unwrap_err().to_string(), "C must be a string");
        assert_eq!(object.take("d").optional_text(text), Ok(Some("two".to_owned())));
        assert_eq!(object.take("e").optional_text(text), Ok(None));
        assert_eq!(object.take("e").required_text(text).unwrap_err().to_string(), "E is required");
        assert_eq!(object.take("f_g").required_integer(), Ok(-7));
        assert_eq!(object.take("o").required_integer(), Ok(7));
        assert_eq!(object.take("p").required_integer(), Ok(-700));
        assert_eq!(object.take("q").required_integer(), Ok(9_000_000_000_000_000));
        assert_eq!(object.take("m").required_text(text).unwrap_err().to_string(), "M must be valid Unicode");
        for (name, expected) in [
            ("n", "N must be a 64-bit integer"),
            ("r", "R must be a 64-bit integer"),
            ("h_i", "H i must be a 64-bit integer"),
            ("j", "J must be a 64-bit integer"),
            ("k", "K is required"),
            ("l", "L is required"),
        ] {
            assert_eq!(object.take(name).required_integer().unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn what_nobody_takes_is_ignored_whatever_it_is() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        for ignored in ["1e999", "\"\\ud800\"", "123456789012345678901234567890", &deep] {
            let mut object =
                Object::parse(format!("{{\"b\": {ignored}, \"a\": \"x\"}}").as_bytes()).ok().unwrap();
            assert_eq!(object.take("a").required_text(|text| Ok(text.to_owned())), Ok("x".to_owned()));
            let refused = object.take("b").required_text(|_| Ok(())).unwrap_err();
            assert!(["B must be a string", "B must be valid Unicode"].contains(&&*refused.to_string()));
        }
    }
}
