//! The rules of the contract as schemas, each of which accepts exactly what the server accepts, as far as a
//! schema can say it. Patterns name every character, because regular expressions differ in what `\s` is.

use roster_domain::{Email, Name};
use serde_json::json;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::schema::{KnownFormat, Object, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, Type};

use crate::http::problem::Code;

/// Unicode's white space, which is trimmed, as a part of a class of characters.
macro_rules! space {
    () => {
        r"\u0009-\u000d \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
    };
}

/// Unicode's control characters, which are refused, as a part of a class of characters.
macro_rules! control {
    () => {
        r"\u0000-\u001f\u007f-\u009f"
    };
}

/// An e-mail, with white space around it: of the contract's form, and of no more than 254 characters.
const NEW_EMAIL: &str = concat!(
    "^[",
    space!(),
    "]*(?=[^",
    space!(),
    control!(),
    "]{5,254}[",
    space!(),
    "]*$)",
    "[^@",
    space!(),
    control!(),
    "]+@[^@",
    space!(),
    control!(),
    "]+\\.[^@",
    space!(),
    control!(),
    "]+",
    "[",
    space!(),
    "]*$"
);
/// A name of 2 … 200 characters, with white space around it.
const NEW_NAME: &str = concat!(
    "^[",
    space!(),
    "]*[^",
    space!(),
    control!(),
    "][^",
    control!(),
    "]{0,198}[^",
    space!(),
    control!(),
    "][",
    space!(),
    "]*$"
);
/// The beginning of a name.
const PREFIX: &str = concat!("^[", space!(), "]*[^", control!(), "]*$");
/// Text without control characters.
pub(super) const TEXT: &str = concat!("^[^", control!(), "]+$");
/// `*`, or a list of entity tags.
const ENTITY_TAGS: &str = r#"^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$"#;
/// A time of RFC 3339 in UTC, with six digits of a second.
const TIME: &str = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$";

pub(super) fn text(description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(description))
}

/// A whole number of 64 bits, from `minimum`.
pub(super) fn integer(description: &str, minimum: usize) -> ObjectBuilder {
    let int64 = SchemaFormat::KnownFormat(KnownFormat::Int64);
    let object = ObjectBuilder::new().schema_type(Type::Integer).format(Some(int64));
    #[expect(clippy::cast_possible_truncation, reason = "on 32 bits the description would say too little")]
    let maximum = i64::MAX as isize;
    object.description(Some(description)).minimum(Some(minimum)).maximum(Some(maximum))
}

/// One of these texts.
pub(super) fn one_of<'a>(texts: impl IntoIterator<Item = &'a str>) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(texts))
}

/// This text and no other, so that generated clients tell alternatives apart by it. utoipa has no word for it; what
/// it takes as an extension goes into the document as it is.
pub(super) fn exactly(constant: &str) -> ObjectBuilder {
    let keyword = Extensions::from_iter([("const", constant)]);
    ObjectBuilder::new().schema_type(Type::String).extensions(Some(keyword))
}

pub(super) fn date_time() -> SchemaFormat {
    SchemaFormat::KnownFormat(KnownFormat::DateTime)
}

pub(in crate::http) fn id() -> Object {
    integer("Given by the store, never reused.", 1).examples([json!(1)]).build()
}

pub(in crate::http) fn person_id() -> Object {
    integer("The person's id in the directory.", 1).examples([json!(1)]).build()
}

pub(in crate::http) fn version() -> Object {
    let version = integer("Grows by 1 with every change; the `ETag` is this number in quotes.", 1);
    version.examples([json!(1)]).build()
}

pub(in crate::http) fn position() -> Object {
    integer("The place in the feed.", 1).examples([json!(42)]).build()
}

pub(in crate::http) fn email() -> Object {
    let email = text("Unique among all users; trimmed and lowercased.").min_length(Some(5));
    email.max_length(Some(Email::MAX_CHARS)).examples([json!("ada@example.org")]).build()
}

pub(in crate::http) fn name() -> Object {
    let name = text("How the user is called; trimmed.")
        .min_length(Some(Name::MIN_CHARS))
        .max_length(Some(Name::MAX_CHARS));
    name.examples([json!("Ada Lovelace")]).build()
}

pub(in crate::http) fn time() -> Object {
    let time = text("In UTC, to the microsecond.").format(Some(date_time())).pattern(Some(TIME));
    time.examples([json!("2026-11-23T10:00:00.000000Z")]).build()
}

pub(in crate::http) fn new_email() -> Object {
    let about = "At most 254 characters, trimmed and lowercased, without control characters; unique.";
    text(about).pattern(Some(NEW_EMAIL)).examples([json!("ada@example.org")]).build()
}

pub(in crate::http) fn new_name() -> Object {
    let about = "2 … 200 characters, trimmed, without control characters.";
    text(about).pattern(Some(NEW_NAME)).examples([json!("Ada Lovelace")]).build()
}

pub(super) fn prefix() -> Object {
    text("Any text that a name could begin with.").pattern(Some(PREFIX)).build()
}

pub(super) fn entity_tags() -> Object {
    text("`*`, or a list of quoted entity tags.").pattern(Some(ENTITY_TAGS)).build()
}

pub(in crate::http) fn problem_type() -> Object {
    let kinds: Vec<_> = Code::ALL.iter().map(|code| code.explained_at()).collect();
    one_of(kinds.iter().map(String::as_str)).build()
}

pub(in crate::http) fn problem_code() -> Object {
    one_of(Code::ALL.iter().map(|code| code.name())).build()
}

pub(in crate::http) fn problem_status() -> Object {
    let status = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(400_usize));
    status.maximum(Some(599_usize)).build()
}

pub(in crate::http) fn health() -> Object {
    one_of(["alive", "ready", "degraded"]).build()
}

/// A text that may be null, which is as if it were not there.
pub(super) fn or_null(text: ObjectBuilder) -> OneOfBuilder {
    let null = ObjectBuilder::new().schema_type(Type::Null);
    OneOfBuilder::new().item(text).item(null)
}

/// One of several kinds of object, told apart by the member `type`.
pub(super) fn by_type(description: &str, kinds: &[(&str, &str)]) -> Schema {
    use utoipa::openapi::schema::{Discriminator, Ref};
    let mapping = kinds.iter().map(|(kind, name)| (*kind, format!("#/components/schemas/{name}")));
    let one_of = OneOfBuilder::new().description(Some(description));
    let one_of = one_of.discriminator(Some(Discriminator::with_mapping("type", mapping)));
    kinds.iter().fold(one_of, |one_of, (_, name)| one_of.item(Ref::from_schema_name(*name))).into()
}
