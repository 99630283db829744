//! YAML that PyYAML (1.1) and every reader of 1.2 load alike: strings in double quotes, never folded, keys
//! sorted.

use super::tree::{Entry, Node, Value};
use crate::Headers;
use crate::interaction::{Interaction, RecordedRequest, RecordedResponse};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::fmt::Write as _;

/// Columns of Base64, as PyYAML writes it.
const COLUMNS: usize = 76;

/// PyYAML reads no unquoted or one-line key longer than this.
const LONGEST_KEY: usize = 1000;

pub(crate) fn write(interactions: &[&Interaction], extra: &[Entry]) -> String {
    let mut out = String::new();
    let before: Vec<_> = extra.iter().filter(|entry| entry.key.as_str() < "interactions").collect();
    let between: Vec<_> =
        extra.iter().filter(|e| ("interactions".."version").contains(&e.key.as_str())).collect();
    let after: Vec<_> = extra.iter().filter(|entry| entry.key.as_str() > "version").collect();
    write_entries(&mut out, before, 0);
    out.push_str(if interactions.is_empty() { "interactions: []\n" } else { "interactions:\n" });
    for interaction in interactions {
        out.push_str("- request:\n");
        write_request(&mut out, &interaction.request);
        out.push_str("  response:\n");
        write_response(&mut out, &interaction.response);
    }
    write_entries(&mut out, between, 0);
    out.push_str("version: 1\n");
    write_entries(&mut out, after, 0);
    out
}

fn write_request(out: &mut String, request: &RecordedRequest) {
    out.push_str("    body: ");
    if request.body.is_empty() {
        out.push_str("null\n");
    } else {
        push_bytes(out, &request.body, 6);
    }
    write_headers(out, &request.headers);
    for (key, text) in [("method", &request.method), ("uri", &request.uri)] {
        out.push_str("    ");
        out.push_str(key);
        out.push_str(": ");
        push_text(out, text);
        out.push('\n');
    }
}

fn write_response(out: &mut String, response: &RecordedResponse) {
    out.push_str("    body:\n      string: ");
    push_bytes(out, &response.body, 8);
    write_headers(out, &response.headers);
    let _ = write!(out, "    status:\n      code: {}\n      message: ", response.status);
    push_text(out, &response.message);
    out.push('\n');
}

fn write_headers(out: &mut String, headers: &Headers) {
    let mut fields: Vec<_> = headers.iter().collect();
    fields.sort_by_key(|(name, _)| *name);
    out.push_str(if fields.is_empty() { "    headers: {}\n" } else { "    headers:\n" });
    for (name, values) in fields {
        push_key(out, name, false, 6);
        out.push('\n');
        for value in values {
            out.push_str("      - ");
            push_bytes(out, value.as_bytes(), 8);
        }
    }
}

/// A string where the bytes are UTF-8, else Base64; ends the line. `indent` is that of lines under this one.
fn push_bytes(out: &mut String, bytes: &[u8], indent: usize) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        push_text(out, text);
        out.push('\n');
        return;
    }
    out.push_str("!!binary |\n");
    let encoded = STANDARD.encode(bytes);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(COLUMNS));
        out.extend(std::iter::repeat_n(' ', indent));
        out.push_str(line);
        out.push('\n');
        rest = tail;
    }
}

fn push_text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\x1f' | '\x7f'..='\u{a0}' => drop(write!(out, "\\x{:02X}", u32::from(character))),
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(out, "\\u{:04X}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}

/// A key and its colon, indented; bare where every YAML reads it as the same string, or as the same plain text.
fn push_key(out: &mut String, key: &str, is_plain: bool, indent: usize) {
    let mut written = String::new();
    if key.len() <= LONGEST_KEY && (is_bare(key) || is_plain && stays_plain(key)) {
        written.push_str(key);
    } else {
        push_text(&mut written, key);
    }
    out.extend(std::iter::repeat_n(' ', indent));
    // As it is written it counts, with its escapes.
    if written.len() > LONGEST_KEY {
        out.push_str("? ");
        written.push('\n');
        written.extend(std::iter::repeat_n(' ', indent));
    }
    out.push_str(&written);
    out.push(':');
}

fn is_bare(key: &str) -> bool {
    const TYPED: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    key.starts_with(|c: char| c.is_ascii_alphabetic())
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        && !TYPED.contains(&key.to_ascii_lowercase().as_str())
}

fn write_entries(out: &mut String, mut entries: Vec<&Entry>, indent: usize) {
    entries.sort_by_key(|entry| entry.key.as_str());
    for entry in entries {
        push_key(out, &entry.key, entry.plain, indent);
        write_node(out, &entry.value, indent);
    }
}

/// Whether a plain text is one here, too: in braces and brackets readers take some for one that elsewhere begin something
/// else. Whatever is no string begins with one of these; what begins otherwise is one, and its quotes change nothing.
fn stays_plain(text: &str) -> bool {
    let begins = text.chars().next().is_none_or(|first| first.is_alphanumeric() || "+-._~<=".contains(first));
    begins && !text.contains(['\n', '\r']) && !text.starts_with("---") && !text.starts_with("...")
}

/// The value of a key or of a list's item, from the blank before it to the end of its last line.
fn write_node(out: &mut String, node: &Node, indent: usize) {
    let inner = indent + 2;
    match &node.value {
        Value::Null => out.push_str(" null\n"),
        Value::Plain(text) if stays_plain(text) => {
            out.push(' ');
            out.push_str(text);
            out.push('\n');
        }
        Value::Plain(text) | Value::Text(text) => {
            out.push(' ');
            push_text(out, text);
            out.push('\n');
        }
        Value::Bytes(bytes) if std::str::from_utf8(bytes).is_ok() => {
            out.push_str(" !!binary \"");
            out.push_str(&STANDARD.encode(bytes));
            out.push_str("\"\n");
        }
        Value::Bytes(bytes) => {
            out.push(' ');
            push_bytes(out, bytes, inner);
        }
        Value::List(items) | Value::Chunks(items) if items.is_empty() => out.push_str(" []\n"),
        Value::List(items) | Value::Chunks(items) => {
            out.push('\n');
            for item in items {
                out.extend(std::iter::repeat_n(' ', inner));
                out.push('-');
                write_node(out, item, inner);
            }
        }
        Value::Map(entries) if entries.is_empty() => out.push_str(" {}\n"),
        Value::Map(entries) => {
            out.push('\n');
            write_entries(out, entries.iter().collect(), inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_must_be_is_escaped() {
        let mut out = String::new();
        push_text(&mut out, "a\"\\\n\u{0}\u{85}\u{2028}é☃🚀");
        assert_eq!(out, r#""a\"\\\n\x00\x85\u2028é☃🚀""#);
    }

    #[test]
    fn a_key_that_some_yaml_takes_for_something_else_is_quoted() {
        for key in ["yes", "No", "y", "null", "1", "<<", "~", "a.b", "-", ""] {
            assert!(!is_bare(key), "{key}");
        }
        assert!(is_bare("content-type") && is_bare("X_Y"));
    }
}
