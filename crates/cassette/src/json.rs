//! A small JSON reader (RFC 8259) that remembers where each value stands, so that a body can be changed in
//! one place and stay as it was, byte for byte, everywhere else.

use std::fmt::Write as _;
use std::ops::Range;

/// A value and where it stands in its source.
#[derive(Debug, Clone)]
pub(crate) struct Json<'a> {
    pub(crate) span: Range<usize>,
    pub(crate) kind: Kind<'a>,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind<'a> {
    Null,
    /// `true`, `false` or a number, as written.
    Literal(&'a str),
    Text(String),
    List(Vec<Json<'a>>),
    Map(Vec<Member<'a>>),
}

#[derive(Debug, Clone)]
pub(crate) struct Member<'a> {
    pub(crate) key: String,
    pub(crate) key_start: usize,
    pub(crate) value: Json<'a>,
}

/// Why, and at which byte, the text is not JSON.
#[derive(Debug)]
pub(crate) struct JsonError {
    pub(crate) at: usize,
    pub(crate) reason: &'static str,
}

/// Reads one value, nested at most `depth` deep.
pub(crate) fn parse(text: &str, depth: usize) -> Result<Json<'_>, JsonError> {
    let mut reader = Reader { text, at: 0 };
    reader.space();
    let value = reader.value(depth)?;
    reader.space();
    if reader.at == text.len() { Ok(value) } else { reader.fail("text after the end of the value") }
}

/// Reads values that follow each other, as in NDJSON; at least one.
pub(crate) fn parse_many(text: &str, depth: usize) -> Result<Vec<Json<'_>>, JsonError> {
    let mut reader = Reader { text, at: 0 };
    let mut values = Vec::new();
    reader.space();
    while reader.at < text.len() || values.is_empty() {
        values.push(reader.value(depth)?);
        reader.space();
    }
    Ok(values)
}

/// Appends `text` as a JSON string in ASCII, as Python's `json` writes it.
pub(crate) fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

impl Json<'_> {
    /// Whether two values mean the same: the order of members and the spelling of numbers do not count.
    pub(crate) fn same(&self, other: &Json<'_>) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Null, Kind::Null) => true,
            (Kind::Literal(a), Kind::Literal(b)) => a == b || same_number(a, b),
            (Kind::Text(a), Kind::Text(b)) => a == b,
            (Kind::List(a), Kind::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b)),
            (Kind::Map(a), Kind::Map(b)) => {
                let (a, b) = (last_of_each(a), last_of_each(b));
                a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| a.same(b)))
            }
            _ => false,
        }
    }
}

fn same_number(a: &str, b: &str) -> bool {
    matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if a.total_cmp(&b).is_eq())
}

fn last_of_each<'a, 'b>(members: &'b [Member<'a>]) -> std::collections::BTreeMap<&'b str, &'b Json<'a>> {
    members.iter().map(|member| (member.key.as_str(), &member.value)).collect()
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn fail<T>(&self, reason: &'static str) -> Result<T, JsonError> {
        Err(JsonError { at: self.at, reason })
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Takes `byte` and the white space after it, if it is next.
    fn take(&mut self, byte: u8) -> bool {
        let next = self.peek() == Some(byte);
        if next {
            self.at += 1;
            self.space();
        }
        next
    }

    fn value(&mut self, depth: usize) -> Result<Json<'a>, JsonError> {
        let start = self.at;
        let kind = match self.peek() {
            Some(b'{' | b'[') if depth == 0 => return self.fail("nested too deeply"),
            Some(b'{') => self.map(depth - 1)?,
            Some(b'[') => self.list(depth - 1)?,
            Some(b'"') => Kind::Text(self.string()?),
            _ => self.literal()?,
        };
        Ok(Json { span: start..self.at, kind })
    }

    fn literal(&mut self) -> Result<Kind<'a>, JsonError> {
        let rest = &self.text[self.at..];
        let length =
            rest.find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c)).unwrap_or(rest.len());
        let word = &rest[..length];
        let kind = match word {
            "null" => Kind::Null,
            "true" | "false" => Kind::Literal(word),
            _ if is_number(word) => Kind::Literal(word),
            _ => return self.fail("a value was expected here"),
        };
        self.at += length;
        Ok(kind)
    }

    fn list(&mut self, depth: usize) -> Result<Kind<'a>, JsonError> {
        self.take(b'[');
        let mut items = Vec::new();
        while self.peek() != Some(b']') {
            if !items.is_empty() && !self.take(b',') {
                return self.fail("`,` or `]` was expected here");
            }
            items.push(self.value(depth)?);
            self.space();
        }
        self.at += 1;
        Ok(Kind::List(items))
    }

    fn map(&mut self, depth: usize) -> Result<Kind<'a>, JsonError> {
        self.take(b'{');
        let mut members = Vec::new();
        while self.peek() != Some(b'}') {
            if !members.is_empty() && !self.take(b',') {
                return self.fail("`,` or `}` was expected here");
            }
            let key_start = self.at;
            let key = self.string()?;
            self.space();
            if !self.take(b':') {
                return self.fail("`:` was expected here");
            }
            members.push(Member { key, key_start, value: self.value(depth)? });
            self.space();
        }
        self.at += 1;
        Ok(Kind::Map(members))
    }

    fn string(&mut self) -> Result<String, JsonError> {
        if self.peek() != Some(b'"') {
            return self.fail("a string was expected here");
        }
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(stop) = rest.find(|c: char| c == '"' || c == '\\' || c < ' ') else {
                return self.fail("a string is not closed");
            };
            out.push_str(&rest[..stop]);
            self.at += stop;
            match rest.as_bytes()[stop] {
                b'"' => {
                    self.at += 1;
                    return Ok(out);
                }
                b'\\' => out.push(self.escape()?),
                _ => return self.fail("a control character in a string"),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let Some(&letter) = self.text.as_bytes().get(self.at + 1) else {
            return self.fail("a string is not closed");
        };
        self.at += 2;
        Ok(match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => return self.unicode(),
            _ => return self.fail("an unknown escape in a string"),
        })
    }

    /// The four digits after `\u`, and the second half of a surrogate pair. Half a pair alone means no
    /// character.
    fn unicode(&mut self) -> Result<char, JsonError> {
        let first = self.four_digits()?;
        if let Some(character) = char::from_u32(first) {
            return Ok(character);
        }
        if first >= 0xDC00 || !self.text[self.at..].starts_with("\\u") {
            return self.fail("half a surrogate pair in a string");
        }
        self.at += 2;
        let second = self.four_digits()?;
        let pair =
            char::decode_utf16([first, second].map(|unit| u16::try_from(unit).unwrap_or_default())).next();
        pair.and_then(Result::ok).map_or_else(|| self.fail("half a surrogate pair in a string"), Ok)
    }

    fn four_digits(&mut self) -> Result<u32, JsonError> {
        let digits = self
            .text
            .get(self.at..self.at + 4)
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(unit) = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) else {
            return self.fail("four hexadecimal digits were expected here");
        };
        self.at += 4;
        Ok(unit)
    }
}

fn is_number(word: &str) -> bool {
    let digits = word.strip_prefix('-').unwrap_or(word);
    let leading_zero = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
    let edges =
        digits.starts_with(|c: char| c.is_ascii_digit()) && digits.ends_with(|c: char| c.is_ascii_digit());
    edges && !leading_zero && !digits.contains(".e") && !digits.contains(".E") && word.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_know_where_they_stand() {
        let text = r#" {"a": [1, "x"]} "#;
        let Kind::Map(members) = parse(text, 9).unwrap().kind else { panic!() };
        assert_eq!(&text[members[0].value.span.clone()], r#"[1, "x"]"#);
        assert_eq!(&text[members[0].key_start..][..3], "\"a\"");
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in [
            "",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "01",
            "1.",
            "-",
            "+1",
            "nul",
            "\"\\ud800\"",
            "\"\u{1}\"",
            "1 2",
            "NaN",
        ] {
            assert!(parse(text, 9).is_err(), "{text}");
        }
    }

    #[test]
    fn nesting_is_limited() {
        assert!(parse("[[[]]]", 3).is_ok());
        assert!(parse("[[[]]]", 2).is_err());
    }

    #[test]
    fn order_of_members_and_spelling_of_numbers_do_not_matter() {
        let same = |a, b| parse(a, 9).unwrap().same(&parse(b, 9).unwrap());
        assert!(same(r#"{"a":1.0,"b":[true]}"#, r#"{"b": [true], "a": 1}"#));
        assert!(!same(r#"{"a":1}"#, r#"{"a":"1"}"#));
        assert!(!same("[1,2]", "[2,1]"));
    }

    #[test]
    fn a_string_survives_being_written_and_read() {
        let text = "\u{0}\u{1f}\"\\/é☃🚀\u{2028}\u{7f}";
        let mut out = String::new();
        push_string(&mut out, text);
        assert!(out.is_ascii());
        assert!(matches!(parse(&out, 0).unwrap().kind, Kind::Text(read) if read == text));
    }
}
