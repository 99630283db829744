use std::io;

use bytes::{Buf, Bytes};
use roster_domain::{Email, Name, NewUser, Violation};

use super::csv::{MAX_COLUMNS, Record, Records, Unreadable};
use super::ndjson::{Lines, TooLong};
use super::{Format, MAX_LINE_BYTES};
use crate::gzip::Gunzip;
use crate::http::{ApiError, Object};

/// A line of an import, as far as it could be read.
pub(crate) type Line = Result<NewUser, ApiError>;

/// What a reader has to offer.
pub(crate) enum Next {
    /// A line.
    Line(Line),
    /// Nothing yet, and something perhaps when it is asked again: it has done as much at once as others can wait for.
    Later,
    /// Nothing without another part; or at all, once there are no more.
    Nothing,
}

/// Reads the lines of an import, whatever parts it comes in. Of what it is given it holds no more than the
/// part that it was given last, and the beginning of a line.
pub(crate) struct Reader {
    split: Split,
    gzip: Option<Gunzip>,
    compressed: Bytes,
    /// Why what comes after `plain` cannot be known.
    broken: Option<io::Error>,
    plain: Bytes,
    /// The first bytes, while it is not yet known whether they are a mark.
    first: Option<Bytes>,
    /// Nothing will be pushed any more.
    is_complete: bool,
    /// Nothing more is in `plain` than there is.
    is_last: bool,
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

enum Split {
    Ndjson(Lines),
    Csv(Box<Records>),
}

impl Reader {
    /// A reader of nothing so far.
    pub(crate) fn new(format: Format, is_gzip: bool) -> Self {
        let split = match format {
            Format::Ndjson => Split::Ndjson(Lines::default()),
            Format::Csv => Split::Csv(Box::default()),
        };
        let gzip = is_gzip.then(Gunzip::default);
        let (compressed, plain) = (Bytes::new(), Bytes::new());
        let first = Some(Bytes::new());
        Self { split, gzip, compressed, broken: None, plain, first, is_complete: false, is_last: false }
    }

    /// Adds a part, once there is no line left of the one before.
    pub(crate) fn push(&mut self, part: Bytes) {
        if self.gzip.is_some() { self.compressed = part } else { self.add(part) }
    }

    /// Says that there are no more parts.
    pub(crate) fn complete(&mut self) {
        self.is_complete = true;
        if self.gzip.is_none() {
            self.is_last = true;
            self.add(Bytes::new());
        }
    }

    /// The next line, if there is one by now.
    pub(crate) fn next(&mut self) -> Next {
        if let Some(line) = self.split() {
            return Next::Line(line);
        }
        if let Some(broken) = self.broken.take() {
            // There is no telling what comes after, nor whether a line that has begun is whole: this is the last.
            self.is_complete = true;
            return Next::Line(Err(ApiError::Malformed(format!("What is sent is not valid gzip: {broken}"))));
        }
        if self.decompress() { Next::Later } else { Next::Nothing }
    }

    /// Whether nothing that is pushed will be looked at.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_complete
    }

    fn split(&mut self) -> Option<Line> {
        let mut rest: &[u8] = &self.plain;
        let line = match &mut self.split {
            Split::Ndjson(lines) => lines.next(&mut rest, self.is_last).map(from_json),
            Split::Csv(records) => {
                let record = records.next(&mut rest, self.is_last);
                if let Some(Err(Unreadable::Header(_))) = record {
                    (self.is_complete, self.gzip) = (true, None);
                    rest = &[];
                }
                record.map(from_csv)
            }
        };
        let taken = self.plain.len() - rest.len();
        self.plain.advance(taken);
        line
    }

    /// Adds a part as it is to be read, without the mark of the byte order that some programs begin a file with.
    fn add(&mut self, part: Bytes) {
        let Some(first) = self.first.take() else {
            self.plain = part;
            return;
        };
        let mut all = Bytes::from([first, part].concat());
        if all.len() < BYTE_ORDER_MARK.len() && !self.is_last {
            self.first = Some(all);
            return;
        }
        if all.starts_with(BYTE_ORDER_MARK) {
            all.advance(BYTE_ORDER_MARK.len());
        }
        self.plain = all;
    }

    /// Decompresses a little; whether there may be another line now.
    fn decompress(&mut self) -> bool {
        let Some(gzip) = &mut self.gzip else { return false };
        let (plain, read) = if !self.compressed.is_empty() {
            gzip.part(&self.compressed.split_to(self.compressed.len().min(Gunzip::PART)))
        } else if self.is_complete && !self.is_last {
            self.is_last = true;
            gzip.end()
        } else {
            return false;
        };
        if let Err(broken) = read {
            self.gzip = None;
            self.compressed.clear();
            (self.broken, self.is_last) = (Some(broken), false);
        }
        self.add(plain.into());
        true
    }
}

fn from_json(line: Result<Vec<u8>, TooLong>) -> Line {
    let line = line.map_err(|TooLong| ApiError::LineTooLarge(MAX_LINE_BYTES))?;
    let mut object = Object::of_line(&line)?;
    let (email, name) = (object.take("email"), object.take("name"));
    Ok(NewUser::from_parsed(email.required_text(Email::parse), name.required_text(Name::parse))?)
}

fn from_csv(record: Result<Record, Unreadable>) -> Line {
    let Record { email, name } = record.map_err(|unreadable| match unreadable {
        Unreadable::TooLong => ApiError::LineTooLarge(MAX_LINE_BYTES),
        Unreadable::NotUtf8 => ApiError::Malformed("Line is not valid UTF-8".to_owned()),
        Unreadable::Fields(fields) => {
            ApiError::Malformed(format!("Line has {fields} fields, which is more than there are columns"))
        }
        Unreadable::TooManyFields => ApiError::Malformed(format!("Line has more than {MAX_COLUMNS} fields")),
        Unreadable::OpenQuote => ApiError::Malformed(
            "Line opens a quote that is never closed, so that all that comes after it is a part of it"
                .to_owned(),
        ),
        Unreadable::Header(why) => ApiError::Malformed(why.to_owned()),
    })?;
    let email = email.ok_or_else(|| Violation::required("email").into()).and_then(|text| Email::parse(&text));
    let name = name.ok_or_else(|| Violation::required("name").into()).and_then(|text| Name::parse(&text));
    Ok(NewUser::from_parsed(email, name)?)
}

#[cfg(test)]
mod tests {
    use super::super::fuzzing::lines;
    use super::*;

    /// What becomes of each line that comes in parts of this size.
    fn read(format: Format, is_gzip: bool, bytes: &[u8], size: usize) -> Vec<String> {
        let lines = lines(format, is_gzip, bytes, size).into_iter();
        let told = |line: Line| line.map_or_else(|error| error.to_string(), |new| new.email.into_string());
        lines.map(told).collect()
    }

    fn compressed(plain: &[u8]) -> Vec<u8> {
        let mut gzip = crate::gzip::Gzip::default();
        let mut compressed = gzip.part(plain).unwrap();
        compressed.extend(gzip.end().unwrap());
        compressed
    }

    const NDJSON: &[u8] = b"{\"email\": \"a@b.c\", \"name\": \"Ada\"}\n\n[]\n{\"email\": 7}\n{\n\xff\n\
        {\"name\": \"Bob\", \"x\": 1, \"email\": \"b@b.c\"}";

    #[test]
    fn each_line_is_a_user_or_says_why_not() {
        let plain = read(Format::Ndjson, false, NDJSON, 10);
        assert_eq!(
            plain[..3],
            ["a@b.c", "Line must be a JSON object", "Email must be a string; Name is required"]
        );
        assert!(plain[3].starts_with("Line is not valid JSON"), "{plain:?}");
        assert!(plain[4].starts_with("Line is not valid JSON"), "{plain:?}");
        assert_eq!(plain[5..], ["b@b.c"]);
        let csv = b"name\nAda\n\"\"\n";
        assert_eq!(read(Format::Csv, false, csv, 10), ["Email is required"]);
        let told = "The header names neither a column email nor a column name";
        for (is_gzip, csv) in
            [(false, b"a@b.c,Ada\nb@b.c,Bob\n".to_vec()), (true, compressed(b"a@b.c,Ada\nb@b.c,B\n"))]
        {
            assert_eq!(read(Format::Csv, is_gzip, &csv, 5), [told]);
        }
    }

    #[test]
    fn a_mark_of_the_byte_order_is_no_part_of_a_line() {
        for (format, text) in
            [(Format::Csv, "\u{feff}\"email\",name\na@b.c,Ada"), (Format::Ndjson, "\u{feff}[]")]
        {
            let expected = if format == Format::Csv { "a@b.c" } else { "Line must be a JSON object" };
            for size in 1..=text.len() {
                assert_eq!(read(format, false, text.as_bytes(), size), [expected], "{size}");
                assert_eq!(read(format, true, &compressed(text.as_bytes()), size), [expected], "{size}");
            }
        }
        assert_eq!(read(Format::Ndjson, false, b"[]", 9), ["Line must be a JSON object"]);
    }

    #[test]
    fn what_is_compressed_reads_the_same() {
        let plain = read(Format::Ndjson, false, NDJSON, 10);
        let twice = [compressed(&NDJSON[..20]), compressed(&NDJSON[20..])].concat();
        for compressed in [compressed(NDJSON), twice] {
            for size in [1, 7, 1_000] {
                assert_eq!(read(Format::Ndjson, true, &compressed, size), plain);
            }
        }
    }

    #[test]
    fn what_is_not_whole_gzip_ends_with_a_line_that_says_so() {
        let whole = compressed(&[NDJSON, b"\n"].concat());
        for (broken, before) in [(&whole[..whole.len() - 3], 6), (NDJSON, 0), (b"", 0)] {
            let read = read(Format::Ndjson, true, broken, 100);
            assert_eq!(read.len(), before + 1, "{read:?}");
            assert!(read[before].starts_with("What is sent is not valid gzip"), "{read:?}");
        }
    }

    #[test]
    fn lines_that_come_before_what_is_broken_are_read() {
        let written = |count: usize| {
            let line = |nth| format!("{{\"email\": \"{nth}-{:x}@b.c\", \"name\": \"Ada\"}}\n", nth * 7919);
            (0..count).map(line).collect::<String>()
        };
        let whole = compressed(written(200).as_bytes());
        let padded = [&whole[..], &[0; 512]].concat();
        for size in [1, 100, padded.len()] {
            let read = read(Format::Ndjson, true, &padded, size);
            assert_eq!(read.len(), 201, "{size}");
            assert!(read[200].starts_with("What is sent is not valid gzip"), "{read:?}");
        }
        // What a part before the cut holds on its own is what is known of it.
        let (mut gzip, cut) = (Gunzip::default(), &whole[..whole.len() / 2]);
        let known = String::from_utf8(gzip.part(cut).0).unwrap().matches('\n').count();
        assert!(known > 50, "{known}");
        for size in [1, 100, cut.len()] {
            assert_eq!(read(Format::Ndjson, true, cut, size).len(), known + 1, "{size}");
        }
    }

    #[test]
    fn what_grows_a_thousandfold_is_never_held_whole_and_holds_up_nobody() {
        let compressed = compressed(&vec![b' '; 50_000_000]);
        let mut reader = Reader::new(Format::Ndjson, true);
        reader.push(compressed.into());
        let mut steps = 0;
        while let Next::Later = reader.next() {
            steps += 1;
            assert!(reader.plain.len() < 2_000_000);
        }
        assert!(steps > 50, "{steps}");
    }
}
