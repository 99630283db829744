use std::ops::Range;

use csv_core::ReadRecordResult;

use super::MAX_LINE_BYTES;
use super::ndjson::TooLong;

/// The most columns that are looked at.
pub(super) const MAX_COLUMNS: usize = 1_000;

/// A record of a CSV file, with the fields that are looked for. One that is not there is `None`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) email: Option<String>,
    pub(super) name: Option<String>,
}

/// Why a record cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    TooLong,
    NotUtf8,
    /// There are more fields than columns.
    Fields(usize),
    /// There are more fields than are looked at.
    TooManyFields,
    /// A quote is opened and never closed, so that all the rest of the file is a part of this record.
    OpenQuote,
    /// No record can be read: of the header it cannot be told which columns there are.
    Header(&'static str),
}

impl From<TooLong> for Unreadable {
    fn from(_: TooLong) -> Self {
        Self::TooLong
    }
}

/// Cuts a CSV file (RFC 4180) into records below its header, whatever parts it comes in. Blank lines are
/// none, and of a record that is too long, nothing is kept.
pub(super) struct Records {
    parser: csv_core::Reader,
    fields: Box<[u8]>,
    ends: Box<[usize]>,
    begun: Begun,
    header: Option<Header>,
}

/// How much there is of the record that is being read.
#[derive(Default)]
struct Begun {
    taken: usize,
    written: usize,
    ended: usize,
    is_too_long: bool,
    has_too_many_fields: bool,
    has_open_quote: bool,
}

/// Which columns there are.
struct Header {
    columns: usize,
    email: Option<usize>,
    name: Option<usize>,
}

impl Default for Records {
    fn default() -> Self {
        let mut records = Self {
            parser: csv_core::Reader::new(),
            // With room for one more, which is how the parser tells that there is no more.
            fields: vec![0; MAX_LINE_BYTES + 1].into(),
            ends: vec![0; MAX_COLUMNS].into(),
            begun: Begun::default(),
            header: None,
        };
        // At its beginning the parser would pass over a mark of the byte order, if all of that came at once.
        records.parser.read_record(b"\n", &mut records.fields, &mut records.ends);
        records
    }
}

#[expect(
    clippy::indexing_slicing,
    reason = "the parser tells what it filled of the buffers that it was given"
)]
impl Records {
    /// The next record, taken from the front of `input`; `None` where it does not end in there. The last one
    /// needs no end.
    pub(super) fn next(&mut self, input: &mut &[u8], is_last: bool) -> Option<Result<Record, Unreadable>> {
        loop {
            let record = self.record(input, is_last)?;
            let fields = self.fields(&record);
            if let [blank] = fields.as_slice()
                && self.fields[blank.clone()].trim_ascii().is_empty()
                && record.is_whole()
            {
                continue;
            }
            let Some(header) = &self.header else {
                match self.header_of(&record, &fields) {
                    Ok(header) => self.header = Some(header),
                    Err(why) => return Some(Err(Unreadable::Header(why))),
                }
                continue;
            };
            return Some(self.read(header, &record, &fields));
        }
    }

    /// Reads on to the end of a record; what it holds is in `fields` and `ends` then.
    fn record(&mut self, input: &mut &[u8], is_last: bool) -> Option<Begun> {
        if self.begun.taken == 0 {
            *input = without_line_ends(input);
        }
        let record = self.read_on(input);
        if record.is_some() || !is_last || self.begun.taken == 0 {
            return record;
        }
        // Where the end of a line is none of the record, a quote is open.
        self.read_on(&mut b"\n".as_slice()).or_else(|| {
            self.begun.has_open_quote = true;
            Some(std::mem::take(&mut self.begun))
        })
    }

    /// Reads on to the end of a record, or of `input`.
    fn read_on(&mut self, input: &mut &[u8]) -> Option<Begun> {
        while !input.is_empty() {
            let (fields, ends) = (&mut self.fields[self.begun.written..], &mut self.ends[self.begun.ended..]);
            let (result, taken, written, ended) = self.parser.read_record(input, fields, ends);
            *input = &input[taken..];
            self.begun.taken += taken;
            self.begun.written += written;
            self.begun.ended += ended;
            match result {
                ReadRecordResult::InputEmpty | ReadRecordResult::End => {}
                ReadRecordResult::OutputFull => {
                    self.begun.overflows();
                    self.begun.is_too_long = true;
                }
                ReadRecordResult::OutputEndsFull => {
                    self.begun.overflows();
                    self.begun.has_too_many_fields = true;
                }
                ReadRecordResult::Record => {
                    // What ends a record is a part of what was taken.
                    self.begun.is_too_long |= self.begun.taken > MAX_LINE_BYTES + 1;
                    return Some(std::mem::take(&mut self.begun));
                }
            }
        }
        None
    }

    /// Where the fields are.
    fn fields(&self, record: &Begun) -> Vec<Range<usize>> {
        let ends = if record.is_whole() { &self.ends[..record.ended] } else { &[] };
        let mut start = 0;
        ends.iter().map(|&end| std::mem::replace(&mut start, end)..end).collect()
    }

    /// Which columns a header names; or why that cannot be told.
    fn header_of(&self, record: &Begun, fields: &[Range<usize>]) -> Result<Header, &'static str> {
        if record.has_open_quote {
            return Err("The header opens a quote that is never closed");
        }
        if !record.is_whole() {
            return Err("The header is too long");
        }
        let is_named = |field: &&Range<usize>, wanted: &str| {
            self.fields[(*field).clone()].trim_ascii().eq_ignore_ascii_case(wanted.as_bytes())
        };
        let column = |wanted: &str| {
            let mut named = fields.iter().enumerate().filter(|(_, field)| is_named(field, wanted));
            let first = named.next().map(|(nth, _)| nth);
            if named.next().is_some() { Err("The header names a column twice") } else { Ok(first) }
        };
        match (column("email")?, column("name")?) {
            (None, None) => Err("The header names neither a column email nor a column name"),
            (email, name) => Ok(Header { columns: fields.len(), email, name }),
        }
    }

    fn read(&self, header: &Header, record: &Begun, fields: &[Range<usize>]) -> Result<Record, Unreadable> {
        if record.has_open_quote {
            return Err(Unreadable::OpenQuote);
        }
        if record.is_too_long {
            return Err(Unreadable::TooLong);
        }
        if record.has_too_many_fields {
            return Err(Unreadable::TooManyFields);
        }
        let text = std::str::from_utf8(&self.fields[..record.written]).map_err(|_| Unreadable::NotUtf8)?;
        // A comma that should have been quoted would otherwise cut off what comes after it.
        if fields.iter().skip(header.columns).any(|field| !field.is_empty()) {
            return Err(Unreadable::Fields(fields.len()));
        }
        let field = |column: Option<usize>| text.get(fields.get(column?)?.clone()).map(str::to_owned);
        Ok(Record { email: field(header.email), name: field(header.name) })
    }
}

impl Begun {
    /// Whether all of it was kept.
    fn is_whole(&self) -> bool {
        !self.is_too_long && !self.has_too_many_fields && !self.has_open_quote
    }

    /// Nothing more of the record is kept, nor is what was.
    fn overflows(&mut self) {
        self.written = 0;
        self.ended = 0;
    }
}

fn without_line_ends(mut input: &[u8]) -> &[u8] {
    while let [b'\r' | b'\n', rest @ ..] = input {
        input = rest;
    }
    input
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The records of a file that comes in parts of this size, as `email|name`.
    fn cut(text: &[u8], size: usize) -> Vec<String> {
        let (mut records, mut found) = (Records::default(), Vec::new());
        let mut take = |mut part: &[u8], is_last| {
            while let Some(record) = records.next(&mut part, is_last) {
                let text = |field: Option<String>| field.unwrap_or_else(|| "-".to_owned());
                found.push(match record {
                    Ok(record) => format!("{}|{}", text(record.email), text(record.name)),
                    Err(unreadable) => format!("{unreadable:?}"),
                });
            }
        };
        text.chunks(size).for_each(|part| take(part, false));
        take(&[], true);
        found
    }

    #[test]
    fn records_are_the_same_in_whatever_parts_they_come() {
        let text = "Name, EMAIL ,age\r\n\"Ada \"\"King\"\",\nCountess\",a@b.c,36\r\n\r\n   \n\
                    Bob,b@b.c\n,c@b.c,,\n\"\"\n\"Dan\"\"\",d@b.c,\"x\ny\"\nLast,l@b.c,1";
        let expected = ["a@b.c|Ada \"King\",\nCountess", "b@b.c|Bob", "c@b.c|", "d@b.c|Dan\"", "l@b.c|Last"];
        for size in 1..=text.len() {
            assert_eq!(cut(text.as_bytes(), size), expected, "{size}");
        }
        let marked = "\u{feff}email,name\na@b.c,Ada";
        for size in 1..=marked.len() {
            assert_eq!(cut(marked.as_bytes(), size), ["-|Ada"], "{size}");
        }
        for text in ["", "\n\n", "email,name", "email,name\r\n\r\n"] {
            assert_eq!(cut(text.as_bytes(), 1), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_record_that_cannot_be_read_has_its_place_among_the_others() {
        let text = b"email,name\na@b.c,Doe, John\nb@b.c,\xff\xfe\nc@b.c,Cid\n";
        assert_eq!(cut(text, 7), ["Fields(3)", "NotUtf8", "c@b.c|Cid"]);
        assert_eq!(cut(b"mail,name\na@b.c,Ada", 7), ["-|Ada"]);
    }

    #[test]
    fn a_quote_that_is_never_closed_is_told_of() {
        let long = "x".repeat(2 * MAX_LINE_BYTES);
        for (text, before) in [
            ("name,email\nAda,a@b.c\n\"Bob,b@b.c\nCid,c@b.c\n", &["a@b.c|Ada"][..]),
            ("email,name\n\"", &[]),
            ("email,name\na@b.c,\"Ada \"\"King\"\"", &[]),
            (&format!("email,name\na@b.c,\"{long}\n"), &[]),
        ] {
            for size in [1, 7, text.len()] {
                let expected = [before, &["OpenQuote"]].concat();
                assert_eq!(cut(text.as_bytes(), size), expected, "{text}");
            }
        }
        for text in ["email,\"name", "\"email,name\na@b.c,Ada\n"] {
            let told = cut(text.as_bytes(), 3);
            assert!(told[0].contains("never closed") && told.len() == 1, "{told:?}");
        }
        assert_eq!(cut(b"email,name\na@b.c,\"Ada\"", 5), ["a@b.c|Ada"]);
        assert_eq!(cut(b"email,name\na@b.c,Ada \"King", 5), ["a@b.c|Ada \"King"]);
    }

    #[test]
    fn a_record_that_is_too_long_has_its_place_among_the_others() {
        let blank = "\r\n".repeat(100_000);
        let one_field = "x".repeat(MAX_LINE_BYTES);
        assert_eq!(cut(format!("name\n{one_field}\n").as_bytes(), 999), [format!("-|{one_field}")]);
        for (length, fits) in
            [(MAX_LINE_BYTES, true), (MAX_LINE_BYTES + 1, false), (5 * MAX_LINE_BYTES, false)]
        {
            let long = format!("a@b.c,{}", "x".repeat(length - 6));
            let expected = if fits { long.replace(',', "|") } else { "TooLong".to_owned() };
            for end in ["\n", "\r\n"] {
                for size in [1_000, 65_536, 1_000_000] {
                    let text = format!("email,name{end}{blank}{long}{end}b@b.c,Bob{end}{blank}{long}");
                    assert_eq!(cut(text.as_bytes(), size), [&expected, "b@b.c|Bob", &expected]);
                }
            }
        }
        let columns = ",".repeat(2 * MAX_COLUMNS);
        assert_eq!(
            cut(format!("email,name\na@b.c{columns}\nb@b.c,Bob").as_bytes(), 99),
            ["TooManyFields", "b@b.c|Bob"]
        );
    }

    #[test]
    fn a_header_that_does_not_tell_the_columns_is_told() {
        for (header, why) in [
            ("b@b.c,Bob", "names neither"),
            ("email;name", "names neither"),
            ("email,name,EMAIL", "names a column twice"),
            (&format!("email,name,{}", "x".repeat(MAX_LINE_BYTES)), "is too long"),
            (&format!("email,name{}", ",".repeat(MAX_COLUMNS)), "is too long"),
        ] {
            let told = cut(format!("{header}\na@b.c,Ada\n").as_bytes(), 99);
            assert!(told[0].starts_with("Header") && told[0].contains(why), "{told:?}");
        }
    }
}
