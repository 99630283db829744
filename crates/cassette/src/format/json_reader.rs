use super::tree::{Entry, FormatError, Limits, Node, Value, refuse_twice};
use crate::json::{self, Json, Kind};

/// Reads a JSON cassette; `None` where the text is blank.
pub(crate) fn read(text: &str, limits: &Limits) -> Result<Option<Node>, FormatError> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let value = json::parse(text, limits.depth).map_err(|error| {
        let reason = format!("not valid JSON: {}", error.reason);
        FormatError { line: line_of(text, error.at), reason, limit: error.reason == "nested too deeply" }
    })?;
    Lines { text, at: 0, line: 1 }.node(value).map(Some)
}

/// Counts lines as the values, which come in the order of the text, are taken.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl Lines<'_> {
    fn reach(&mut self, at: usize) -> usize {
        self.line += self.text[self.at..at].matches('\n').count();
        self.at = at;
        self.line
    }

    fn node(&mut self, json: Json<'_>) -> Result<Node, FormatError> {
        let line = self.reach(json.span.start);
        let value = match json.kind {
            Kind::Null => Value::Null,
            Kind::Literal(text) => Value::Plain(text.to_owned()),
            Kind::Text(text) => Value::Text(text),
            Kind::List(items) => {
                Value::List(items.into_iter().map(|item| self.node(item)).collect::<Result<_, _>>()?)
            }
            Kind::Map(members) => {
                let mut entries = Vec::new();
                for member in members {
                    let line = self.reach(member.key_start);
                    let value = self.node(member.value)?;
                    entries.push(Entry { line, key: member.key, plain: false, value });
                }
                refuse_twice(&entries)?;
                Value::Map(entries)
            }
        };
        Ok(Node { line, value })
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].split(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_lines_and_numbers_keep_their_spelling() {
        let root = read("{\n \"a\": [\n  1.0e5\n ],\n \"b\": null}", &Limits::default()).unwrap().unwrap();
        let Value::List(items) = &root.get("a").unwrap().value else { panic!() };
        assert_eq!((items[0].line, &items[0].value), (3, &Value::Plain("1.0e5".to_owned())));
        assert_eq!(root.get("b").unwrap().line, 5);
    }

    #[test]
    fn a_mistake_names_its_line() {
        assert_eq!(read("{\n\"a\": oops}", &Limits::default()).unwrap_err().line, 2);
        assert!(read("{\"a\":1,\"a\":2}", &Limits::default()).unwrap_err().reason.contains("stands twice"));
        assert!(read(&"[".repeat(100), &Limits::default()).unwrap_err().limit);
    }
}
