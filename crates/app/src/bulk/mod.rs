//! Users in bulk, in and out: NDJSON and CSV, a line a user, in memory that does not grow with them. Over HTTP
//! and on the command line it is the same.

mod csv;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod importing;
mod ndjson;
mod reader;
mod report;
mod writer;

use std::path::Path;

use clap::ValueEnum;

pub(crate) use importing::{Outcomes, outcomes};
pub(crate) use reader::Reader;
pub(crate) use report::Report;
pub(crate) use writer::Writer;

/// The most bytes that a line may have, what ends it not counted.
pub(crate) const MAX_LINE_BYTES: usize = 64 * 1024;

/// How users are written, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A JSON object a line.
    Ndjson,
    /// Comma-separated values (RFC 4180) below a header with the names of their columns.
    Csv,
}

impl Format {
    /// The media types of all formats, the first being what a client gets that does not care.
    pub(crate) const MEDIA_TYPES: [&str; 2] = [Self::Ndjson.media_type(), Self::Csv.media_type()];

    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv",
        }
    }

    pub(crate) fn of_media_type(media_type: &str) -> Option<Self> {
        let is_it = |format: &Self| format.media_type().eq_ignore_ascii_case(media_type);
        [Self::Ndjson, Self::Csv].into_iter().find(is_it)
    }

    /// The format that a file's name tells: `users.csv`, `users.ndjson` or `users.jsonl`, each perhaps with
    /// `.gz` after it.
    pub(crate) fn of_file(path: &Path) -> Option<Self> {
        let stem = if is_gzip(path) { path.file_stem().map(Path::new)? } else { path };
        match stem.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            _ => None,
        }
    }
}

/// Whether a file's name says that it is compressed.
pub(crate) fn is_gzip(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_of_the_format_that_its_name_tells() {
        for (name, format) in [
            ("a.csv", Some(Format::Csv)),
            ("a.CSV.GZ", Some(Format::Csv)),
            ("/x.csv/a.ndjson", Some(Format::Ndjson)),
            ("a.jsonl.gz", Some(Format::Ndjson)),
            ("a.json", None),
            ("csv", None),
            ("a.gz", None),
        ] {
            assert_eq!(Format::of_file(Path::new(name)), format, "{name}");
        }
    }
}
