//! Cassette files: reading, in two formats and many dialects, and writing, in one way only.

mod decode;
mod json_reader;
mod json_writer;
mod tree;
mod yaml_reader;
mod yaml_writer;

pub(crate) use decode::{Document, check_uri};
pub(crate) use json_writer::NotText;
pub(crate) use tree::{Entry, FormatError, Limits};

use crate::interaction::Interaction;
use std::path::Path;

/// The format of a cassette file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serializer {
    /// YAML, which holds any bytes.
    Yaml,
    /// JSON, which holds text only: a binary body cannot be saved.
    Json,
}

impl Serializer {
    /// JSON for a path that ends in `.json`, else YAML.
    pub(crate) fn of(path: &Path) -> Self {
        match path.extension() {
            Some(extension) if extension.eq_ignore_ascii_case("json") => Self::Json,
            _ => Self::Yaml,
        }
    }
}

/// Understands the bytes of a file; `None` where it is blank or holds only comments, and so counts as absent.
pub(crate) fn read(
    bytes: &[u8],
    serializer: Serializer,
    limits: &Limits,
) -> Result<Option<Document>, FormatError> {
    let text = utf8(bytes)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let root = match serializer {
        Serializer::Json => json_reader::read(text, limits),
        // A JSON cassette without its suffix; YAML never starts like this when vcrpy or this crate wrote it.
        Serializer::Yaml if text.trim_start().starts_with('{') => {
            json_reader::read(text, limits).or_else(|_| yaml_reader::read(text, limits))
        }
        Serializer::Yaml => yaml_reader::read(text, limits),
    };
    root?.map(|root| decode::document(root, limits)).transpose()
}

/// The text of a file.
pub(crate) fn write(
    interactions: &[&Interaction],
    extra: &[Entry],
    serializer: Serializer,
) -> Result<String, NotText> {
    match serializer {
        Serializer::Yaml => Ok(yaml_writer::write(interactions, extra)),
        Serializer::Json => json_writer::write(interactions, extra),
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, FormatError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].split(|byte| *byte == b'\n').count();
        let reason = match bytes {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "not UTF-8 but, by its first bytes, UTF-16",
            _ => "not UTF-8",
        };
        FormatError::new(line, reason)
    })
}
