//! JSON as vcrpy lays it out: four blanks of indent, ASCII; keys sorted, which vcrpy's are not.

use super::tree::{Entry, Node, Value};
use crate::Headers;
use crate::interaction::Interaction;
use crate::json;

/// What JSON cannot hold, for the error.
#[derive(Debug)]
pub(crate) struct NotText(pub(crate) String);

pub(crate) fn write(interactions: &[&Interaction], extra: &[Entry]) -> Result<String, NotText> {
    let mut list = Vec::new();
    for (index, interaction) in interactions.iter().enumerate() {
        let tree = tree(interaction)
            .map_err(|NotText(what)| NotText(format!("the {what} of interaction {}", index + 1)))?;
        list.push(tree);
    }
    let mut top = extra.to_vec();
    top.push(entry("interactions", Value::List(list)));
    top.push(entry("version", Value::Plain("1".to_owned())));
    let mut out = String::new();
    push(&mut out, &node(Value::Map(top)), 0)?;
    out.push('\n');
    Ok(out)
}

fn tree(Interaction { request, response }: &Interaction) -> Result<Node, NotText> {
    let body = if request.body.is_empty() { Value::Null } else { text(&request.body, "request body")? };
    let request = vec![
        entry("body", body),
        entry("headers", headers(&request.headers)?),
        entry("method", Value::Text(request.method.clone())),
        entry("uri", Value::Text(request.uri.clone())),
    ];
    let status = vec![
        entry("code", Value::Plain(response.status.to_string())),
        entry("message", Value::Text(response.message.clone())),
    ];
    let response = vec![
        entry("body", Value::Map(vec![entry("string", text(&response.body, "response body")?)])),
        entry("headers", headers(&response.headers)?),
        entry("status", Value::Map(status)),
    ];
    Ok(node(Value::Map(vec![entry("request", Value::Map(request)), entry("response", Value::Map(response))])))
}

fn headers(headers: &Headers) -> Result<Value, NotText> {
    let mut entries = Vec::new();
    for (name, values) in headers.iter() {
        let values = values.iter().map(|value| text(value.as_bytes(), &format!("header `{name}`")).map(node));
        entries.push(entry(name, Value::List(values.collect::<Result<_, _>>()?)));
    }
    Ok(Value::Map(entries))
}

fn text(bytes: &[u8], what: &str) -> Result<Value, NotText> {
    std::str::from_utf8(bytes).map(|text| Value::Text(text.to_owned())).map_err(|_| NotText(what.to_owned()))
}

fn node(value: Value) -> Node {
    Node { line: 0, value }
}

fn entry(key: &str, value: Value) -> Entry {
    Entry { line: 0, key: key.to_owned(), plain: false, value: node(value) }
}

fn push(out: &mut String, node: &Node, indent: usize) -> Result<(), NotText> {
    match &node.value {
        Value::Null => out.push_str("null"),
        Value::Plain(text) if json::parse(text, 0).is_ok() => out.push_str(text),
        Value::Plain(text) | Value::Text(text) => json::push_string(out, text),
        Value::Bytes(bytes) => {
            let text = std::str::from_utf8(bytes).map_err(|_| NotText("metadata".to_owned()))?;
            json::push_string(out, text);
        }
        Value::List(items) | Value::Chunks(items) => {
            let items = items.iter().map(|item| (None, item));
            push_block(out, "[]", items.collect(), indent)?;
        }
        Value::Map(entries) => {
            let mut sorted: Vec<_> =
                entries.iter().map(|entry| (Some(entry.key.as_str()), &entry.value)).collect();
            sorted.sort_by_key(|(key, _)| *key);
            push_block(out, "{}", sorted, indent)?;
        }
    }
    Ok(())
}

fn push_block(
    out: &mut String,
    ends: &str,
    items: Vec<(Option<&str>, &Node)>,
    indent: usize,
) -> Result<(), NotText> {
    if items.is_empty() {
        out.push_str(ends);
        return Ok(());
    }
    let (open, close) = ends.split_at(1);
    out.push_str(open);
    for (index, (key, item)) in items.into_iter().enumerate() {
        out.push_str(if index > 0 { ",\n" } else { "\n" });
        out.extend(std::iter::repeat_n(' ', indent + 4));
        if let Some(key) = key {
            json::push_string(out, key);
            out.push_str(": ");
        }
        push(out, item, indent + 4)?;
    }
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', indent));
    out.push_str(close);
    Ok(())
}
