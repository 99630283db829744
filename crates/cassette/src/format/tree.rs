//! What a cassette file holds before it is understood as interactions: the same for YAML and JSON.

/// A value and the line, from 1, on which it starts; 0 where the format does not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) line: usize,
    pub(crate) value: Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    /// An unquoted scalar, as written: a number, a truth value or a bare word. What it means is the reader's
    /// choice.
    Plain(String),
    /// A string.
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Node>),
    /// The chunks of a body that Python kept in an iterator, a tuple or a buffer.
    Chunks(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) line: usize,
    pub(crate) key: String,
    /// Whether the key was an unquoted scalar.
    pub(crate) plain: bool,
    pub(crate) value: Node,
}

/// Why a file is not a cassette.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FormatError {
    /// The line, from 1, or 0 where it is not known.
    pub(crate) line: usize,
    pub(crate) reason: String,
    /// Whether a limit was met, rather than a mistake.
    pub(crate) limit: bool,
}

/// What a reader allows.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) file_bytes: u64,
    pub(crate) depth: usize,
    pub(crate) nodes: usize,
    pub(crate) interactions: usize,
    pub(crate) body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { file_bytes: 16 << 20, depth: 64, nodes: 2_000_000, interactions: 10_000, body_bytes: 8 << 20 }
    }
}

impl FormatError {
    pub(crate) fn new(line: usize, reason: impl Into<String>) -> Self {
        Self { line, reason: reason.into(), limit: false }
    }

    pub(crate) fn limit(line: usize, reason: impl Into<String>) -> Self {
        Self { line, reason: reason.into(), limit: true }
    }
}

impl Node {
    pub(crate) fn error(&self, reason: impl Into<String>) -> FormatError {
        FormatError::new(self.line, reason)
    }

    /// What the value is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Plain(_) | Value::Text(_) => "text",
            Value::Bytes(_) => "binary data",
            Value::List(_) | Value::Chunks(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    /// The text of a scalar; binary data counts as text where it is UTF-8.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Plain(text) | Value::Text(text) => Some(text),
            Value::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The bytes of a scalar; none for nothing.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        match &self.value {
            Value::Null => Some(&[]),
            Value::Plain(text) | Value::Text(text) => Some(text.as_bytes()),
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The value at `key` of a mapping.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        let Value::Map(entries) = &self.value else {
            return None;
        };
        entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }
}

/// Refuses a key that stands twice in one mapping: a reader would silently drop one of the values.
pub(crate) fn refuse_twice(entries: &[Entry]) -> Result<(), FormatError> {
    // Most mappings are small, and then no table is as fast as looking at each pair.
    const SMALL: usize = 16;
    if entries.len() <= SMALL {
        let earlier = |at: usize| entries[..at].iter().find(|known| known.key == entries[at].key);
        let twice = (0..entries.len()).find_map(|at| earlier(at).map(|first| (first, &entries[at])));
        return twice.map_or(Ok(()), |(first, second)| Err(stands_twice(first, second)));
    }
    let mut seen = std::collections::HashMap::new();
    for entry in entries {
        if let Some(first) = seen.insert(entry.key.as_str(), entry) {
            return Err(stands_twice(first, entry));
        }
    }
    Ok(())
}

fn stands_twice(first: &Entry, second: &Entry) -> FormatError {
    let at = if first.line > 0 { format!(" (first on line {})", first.line) } else { String::new() };
    let reason = format!("the key `{}` stands twice in one mapping{at}", second.key.escape_debug());
    FormatError::new(second.line, reason)
}
