//! YAML by events: the raw text of each scalar with its tag, so that no reader's idea of numbers or dates
//! changes a body.

use super::tree::{Entry, FormatError, Limits, Node, Value, refuse_twice};
use base64::{Engine, alphabet, engine::GeneralPurpose, engine::GeneralPurposeConfig};
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use std::borrow::Cow;

const CORE: &str = "tag:yaml.org,2002:";

/// Base64 as PyYAML takes it: padded, whatever the unused last bits are.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// Reads the one document of `text`; `None` where there is none, as in an empty file.
pub(crate) fn read(text: &str, limits: &Limits) -> Result<Option<Node>, FormatError> {
    let mut reader = Reader { events: Parser::new_from_str(text), limits, nodes: 0 };
    let mut root = None;
    loop {
        match reader.next()? {
            (Event::DocumentStart(_), span) if root.is_some() => {
                return Err(FormatError::new(
                    line(&span),
                    "a second YAML document starts here; a cassette has one",
                ));
            }
            (Event::DocumentStart(_), _) => root = Some(reader.node(0)?),
            (Event::StreamEnd, _) => return Ok(root),
            _ => {}
        }
    }
}

struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
    limits: &'a Limits,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), FormatError> {
        match self.events.next_event() {
            Some(event) => event.map_err(|error| not_yaml(&error)),
            None => Err(FormatError::new(0, "the file ends in the middle of a value")),
        }
    }

    fn node(&mut self, depth: usize) -> Result<Node, FormatError> {
        let (event, span) = self.next()?;
        self.node_of(event, &span, depth)
    }

    fn node_of(&mut self, event: Event<'a>, span: &Span, depth: usize) -> Result<Node, FormatError> {
        let line = line(span);
        self.nodes += 1;
        if self.nodes > self.limits.nodes {
            return Err(FormatError::limit(line, format!("more than {} values", self.limits.nodes)));
        }
        if depth > self.limits.depth {
            return Err(FormatError::limit(line, format!("nested more than {} deep", self.limits.depth)));
        }
        let value = match event {
            Event::Scalar(text, style, _, tag) => scalar(text, style, tag.as_deref(), line)?,
            Event::SequenceStart(_, tag) => self.sequence(tag.as_deref(), line, depth)?,
            Event::MappingStart(_, tag) => self.mapping(tag.as_deref(), line, depth)?,
            Event::Alias(_) => {
                return Err(FormatError::new(
                    line,
                    "an alias (`*name`); write the value out, aliases are refused",
                ));
            }
            _ => {
                return Err(FormatError::new(line, "the document ends in the middle of a value"));
            }
        };
        Ok(Node { line, value })
    }

    fn sequence(&mut self, tag: Option<&Tag>, line: usize, depth: usize) -> Result<Value, FormatError> {
        let name = tag.map(full_name).unwrap_or_default();
        let chunks = match name.strip_prefix(CORE).unwrap_or(&name) {
            "" | "!" | "seq" => false,
            "python/tuple" => true,
            _ => return Err(unknown_tag(&name, line)),
        };
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) if chunks => return Ok(Value::Chunks(items)),
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                (event, span) => items.push(self.node_of(event, &span, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, tag: Option<&Tag>, line: usize, depth: usize) -> Result<Value, FormatError> {
        let name = tag.map(full_name).unwrap_or_default();
        let python = match name.strip_prefix(CORE).unwrap_or(&name) {
            "" | "!" | "map" => None,
            "python/object/new:_io.BytesIO" => Some("state"),
            "python/object/apply:builtins.iter" => Some("args"),
            _ => return Err(unknown_tag(&name, line)),
        };
        let mut entries = Vec::new();
        loop {
            match self.next()? {
                (Event::MappingEnd, _) => break,
                (event, span) => {
                    let key = self.node_of(event, &span, depth + 1)?;
                    entries.push(entry(key, self.node(depth + 1)?)?);
                }
            }
        }
        refuse_twice(&entries)?;
        Ok(match python {
            Some(field) => python_buffer(entries, field),
            None => Value::Map(entries),
        })
    }
}

fn entry(key: Node, value: Node) -> Result<Entry, FormatError> {
    let line = key.line;
    let plain = matches!(key.value, Value::Plain(_) | Value::Null);
    let key = match key.value {
        Value::Null => "null".to_owned(),
        Value::Plain(text) | Value::Text(text) => text,
        _ => key.text().ok_or_else(|| key.error(format!("a key is {}, not text", key.kind())))?.to_owned(),
    };
    Ok(Entry { line, key, plain, value })
}

/// The content of Python's `BytesIO` (first of its state) or `iter` (its one argument), as vcrpy restores
/// them.
fn python_buffer(entries: Vec<Entry>, field: &str) -> Value {
    let content = entries.into_iter().find(|entry| entry.key == field).map(|entry| entry.value.value);
    match content {
        Some(Value::List(items) | Value::Chunks(items)) => match items.into_iter().next() {
            Some(Node { value: Value::List(chunks) | Value::Chunks(chunks), .. }) => Value::Chunks(chunks),
            Some(first) => Value::Chunks(vec![first]),
            None => Value::Null,
        },
        _ => Value::Null,
    }
}

fn scalar(
    text: Cow<'_, str>,
    style: ScalarStyle,
    tag: Option<&Tag>,
    line: usize,
) -> Result<Value, FormatError> {
    let name = tag.map(full_name).unwrap_or_default();
    match name.strip_prefix(CORE).unwrap_or(&name) {
        "" if style == ScalarStyle::Plain => Ok(plain(text)),
        "" | "!" | "str" | "python/str" | "python/unicode" => Ok(Value::Text(text.into_owned())),
        "null" => Ok(Value::Null),
        "bool" | "int" | "float" | "timestamp" => Ok(Value::Plain(text.into_owned())),
        "binary" => binary(&text, line),
        _ => Err(unknown_tag(&name, line)),
    }
}

fn plain(text: Cow<'_, str>) -> Value {
    match &*text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        _ => Value::Plain(text.into_owned()),
    }
}

fn binary(text: &str, line: usize) -> Result<Value, FormatError> {
    let dense: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let bytes = BASE64.decode(dense);
    bytes
        .map(Value::Bytes)
        .map_err(|error| FormatError::new(line, format!("`!!binary` that is not Base64: {error}")))
}

fn full_name(tag: &Tag) -> String {
    format!("{}{}", tag.handle, tag.suffix)
}

fn unknown_tag(name: &str, line: usize) -> FormatError {
    let shown = name.strip_prefix(CORE).map_or_else(|| name.to_owned(), |short| format!("!!{short}"));
    FormatError::new(
        line,
        format!("the tag `{}` is refused; nothing is constructed from it", shown.escape_debug()),
    )
}

fn not_yaml(error: &ScanError) -> FormatError {
    let line = error.marker().line();
    // The parser has a limit of its own, which it can meet before it gives the first event.
    match error.info() {
        "recursion limit exceeded" => FormatError::limit(line, "nested too deeply"),
        info => FormatError::new(line, format!("not valid YAML: {info}")),
    }
}

fn line(span: &Span) -> usize {
    span.start.line()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Result<Value, FormatError> {
        read(text, &Limits::default()).map(|node| node.unwrap().value)
    }

    #[test]
    fn scalars_keep_their_text_whatever_a_yaml_version_makes_of_them() {
        for text in [
            "yes",
            "017",
            "1_000",
            "12:30:45",
            "2026-01-01",
            "=",
            "<<",
            ".5",
            "1.",
            "+1",
            "0x1F",
            "1.5e3",
            "0o17",
        ] {
            assert_eq!(value(text), Ok(Value::Plain(text.to_owned())));
        }
        assert_eq!(value("'null'"), Ok(Value::Text("null".to_owned())));
        assert_eq!(value("~"), Ok(Value::Null));
    }

    #[test]
    fn binary_is_decoded_whatever_white_space_is_in_it() {
        for text in [
            "!!binary |\n  aGV\n  sbG8=\n",
            "!!binary aGVsbG8=",
            "!!binary \"aGVs\\tbG8=\"",
            "!<tag:yaml.org,2002:binary> aGVsbG8=",
        ] {
            assert_eq!(value(text), Ok(Value::Bytes(b"hello".to_vec())), "{text}");
        }
        assert!(value("!!binary '@@@'").unwrap_err().reason.contains("not Base64"));
    }

    #[test]
    fn the_tags_of_old_python_cassettes_give_their_content() {
        assert_eq!(value("!!python/unicode 'GET'"), Ok(Value::Text("GET".to_owned())));
        let tagged = "!!python/object/new:_io.BytesIO\nstate: !!python/tuple\n- !!binary aGk=\n- 0\n- null\n";
        assert!(
            matches!(value(tagged), Ok(Value::Chunks(chunks)) if chunks[0].value == Value::Bytes(b"hi".to_vec()))
        );
        let tagged =
            "!!python/object/apply:builtins.iter\nargs:\n- - !!binary aGk=\n  - !!binary aG8=\nstate: 0\n";
        assert!(matches!(value(tagged), Ok(Value::Chunks(chunks)) if chunks.len() == 2));
    }

    #[test]
    fn another_tag_is_refused_with_its_name_and_line() {
        let error = value("a: 1\nb: !!python/object/apply:os.system [x]\n").unwrap_err();
        assert_eq!(error.line, 2);
        assert!(error.reason.contains("!!python/object/apply:os.system"), "{}", error.reason);
    }

    #[test]
    fn aliases_twice_the_same_key_and_second_documents_are_refused() {
        assert!(value("a: &x 1\nb: *x\n").unwrap_err().reason.contains("alias"));
        assert!(value("a: 1\na: 2\n").unwrap_err().reason.contains("stands twice"));
        assert!(read("a: 1\n---\nb: 2\n", &Limits::default()).is_err());
    }

    #[test]
    fn nesting_and_number_of_values_are_limited() {
        let limits = Limits { depth: 3, nodes: 5, ..Limits::default() };
        assert!(read("[[[x]]]", &limits).is_ok());
        assert!(read("[[[[x]]]]", &limits).unwrap_err().limit);
        assert!(read("[1,2,3,4,5]", &limits).unwrap_err().limit);
    }
}
