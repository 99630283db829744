//! From the tree of a file to interactions, with every rule a cassette must keep.

use super::tree::{Entry, FormatError, Limits, Node, Value};
use crate::interaction::{Interaction, RecordedRequest, RecordedResponse};
use crate::{Headers, json};
use bytes::Bytes;
use hyper::ext::ReasonPhrase;

/// What a cassette file holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) interactions: Vec<Interaction>,
    /// Top-level entries other than `interactions` and `version`; kept when the file is rewritten.
    pub(crate) extra: Vec<Entry>,
}

pub(crate) fn document(root: Node, limits: &Limits) -> Result<Document, FormatError> {
    let Value::Map(entries) = root.value else {
        return Err(not_a_cassette(&root));
    };
    let mut document = Document::default();
    let mut found = false;
    let foreign = entries.iter().any(|entry| entry.key == "http_interactions");
    for entry in entries {
        match entry.key.as_str() {
            "interactions" => {
                found = true;
                document.interactions = interactions(&entry.value, limits)?;
            }
            "version" if entry.value.text() != Some("1") => {
                let found = entry.value.text().unwrap_or(entry.value.kind());
                return Err(entry.value.error(format!("cassette version {found}; version 1 is understood")));
            }
            "version" => {}
            _ => document.extra.push(entry),
        }
    }
    match (found, foreign) {
        (true, _) => Ok(document),
        (false, true) => {
            Err(FormatError::new(root.line, "a cassette of Ruby's VCR (`http_interactions`), not of vcrpy"))
        }
        (false, false) => Err(FormatError::new(root.line, "the key `interactions` is missing")),
    }
}

fn not_a_cassette(root: &Node) -> FormatError {
    match &root.value {
        Value::List(_) => root.error(
            "a list at the top: a cassette of vcrpy before 1.0; convert it with `python3 -m vcr.migration PATH`",
        ),
        _ => root.error(format!("{} where a mapping with `interactions` should be", root.kind())),
    }
}

fn interactions(node: &Node, limits: &Limits) -> Result<Vec<Interaction>, FormatError> {
    let items = match &node.value {
        Value::Null => return Ok(Vec::new()),
        Value::List(items) => items,
        _ => return Err(node.error(format!("`interactions` is {}, not a list", node.kind()))),
    };
    if items.len() > limits.interactions {
        let reason =
            format!("{} interactions; {} are allowed (`max_interactions`)", items.len(), limits.interactions);
        return Err(FormatError::limit(node.line, reason));
    }
    items.iter().enumerate().map(|(index, item)| interaction(item, index + 1)).collect()
}

fn interaction(node: &Node, number: usize) -> Result<Interaction, FormatError> {
    let part = |key| node.get(key).ok_or_else(|| node.error(format!("`{key}` is missing")));
    let read =
        || Ok(Interaction { request: request(part("request")?)?, response: response(part("response")?)? });
    read().map_err(|error: FormatError| FormatError {
        reason: format!("interaction {number}: {}", error.reason),
        ..error
    })
}

fn request(node: &Node) -> Result<RecordedRequest, FormatError> {
    let part = |key| node.get(key).ok_or_else(|| node.error(format!("the request has no `{key}`")));
    let text = |node: &Node, key| {
        let text = node.text().ok_or_else(|| node.error(format!("`{key}` is {}, not text", node.kind())));
        text.map(str::to_owned)
    };
    let uri = part("uri")?;
    let uri_text = text(uri, "uri")?;
    check_uri(&uri_text).map_err(|reason| uri.error(reason))?;
    let mut headers = node.get("headers").map_or_else(|| Ok(Headers::default()), headers)?;
    headers.join_values();
    let method = text(part("method")?, "method")?;
    http::Method::from_bytes(method.as_bytes())
        .map_err(|_| node.error(format!("`{}` is not a method", method.escape_debug())))?;
    let body = node.get("body").map_or_else(|| Ok(Bytes::new()), body)?;
    Ok(RecordedRequest { method, uri: uri_text, headers, body })
}

/// Absolute, of `http` or `https`, with a host.
pub(crate) fn check_uri(text: &str) -> Result<url::Url, String> {
    let shown = text.escape_debug();
    if text.contains(char::is_control) {
        return Err(format!("`{shown}` has a character that no URI may have"));
    }
    let uri = url::Url::parse(text).map_err(|error| format!("`{shown}` is not an absolute URI: {error}"))?;
    match uri.scheme() {
        "http" | "https" if uri.has_host() => Ok(uri),
        scheme => Err(format!("`{shown}` has the scheme `{scheme}`; a cassette holds http and https")),
    }
}

/// A response, in today's shape or in that of httpx under vcrpy before 5 (`status_code` and `content`).
fn response(node: &Node) -> Result<RecordedResponse, FormatError> {
    if !matches!(node.value, Value::Map(_)) {
        return Err(node.error(format!("the response is {}, not a mapping", node.kind())));
    }
    let status_node = node.get("status");
    let code = match status_node {
        Some(status) => status.get("code").unwrap_or(status),
        None => node.get("status_code").ok_or_else(|| node.error("the response has no `status`"))?,
    };
    let status =
        code.text().and_then(|text| text.trim().parse().ok()).filter(|code| (100..=999).contains(code));
    let status = status.ok_or_else(|| code.error("the status code is not a number from 100 to 999"))?;
    let message = status_node.and_then(|status| status.get("message"));
    let message = message.and_then(Node::text).unwrap_or_else(|| RecordedResponse::usual_message(status));
    ReasonPhrase::try_from(message.as_bytes())
        .map_err(|_| node.error("the reason phrase has a character that no header may have"))?;
    let content =
        node.get("body").map(|body| body.get("string").unwrap_or(body)).or_else(|| node.get("content"));
    Ok(RecordedResponse {
        status,
        message: message.to_owned(),
        headers: node.get("headers").map_or_else(|| Ok(Headers::default()), headers)?,
        body: content.map_or_else(|| Ok(Bytes::new()), body)?,
    })
}

fn headers(node: &Node) -> Result<Headers, FormatError> {
    let mut headers = Headers::default();
    let entries = match &node.value {
        Value::Null => return Ok(headers),
        Value::Map(entries) => entries,
        _ => return Err(node.error(format!("`headers` is {}, not a mapping", node.kind()))),
    };
    for Entry { key, value, .. } in entries {
        let values = match &value.value {
            Value::List(values) | Value::Chunks(values) => values.as_slice(),
            _ => std::slice::from_ref(value),
        };
        for value in values {
            let name = key.escape_debug();
            let bytes = value
                .bytes()
                .ok_or_else(|| value.error(format!("the header `{name}` is {}", value.kind())))?;
            headers.append(key, bytes).map_err(|_| {
                value.error(format!("the header `{name}` has a name or value that RFC 9110 forbids"))
            })?;
        }
    }
    Ok(headers)
}

/// The bytes of a body. A mapping or list is a body that a Python client was given as an object: it counts as
/// its JSON.
fn body(node: &Node) -> Result<Bytes, FormatError> {
    if let Some(bytes) = node.bytes() {
        return Ok(Bytes::copy_from_slice(bytes));
    }
    let Value::Chunks(chunks) = &node.value else {
        let mut text = String::new();
        push_json(&mut text, node)?;
        return Ok(text.into());
    };
    let mut joined = Vec::new();
    for chunk in chunks {
        match &chunk.value {
            Value::Plain(number) if number.parse::<u8>().is_ok() => joined.extend(number.parse::<u8>()),
            _ => joined.extend_from_slice(
                chunk
                    .bytes()
                    .ok_or_else(|| chunk.error(format!("a chunk of the body is {}", chunk.kind())))?,
            ),
        }
    }
    Ok(joined.into())
}

fn push_json(out: &mut String, node: &Node) -> Result<(), FormatError> {
    match &node.value {
        Value::Null => out.push_str("null"),
        Value::Plain(text) if json::parse(text, 0).is_ok() => out.push_str(text),
        Value::Plain(text) | Value::Text(text) => json::push_string(out, text),
        Value::Bytes(_) => {
            let text = node.text().ok_or_else(|| node.error("binary data inside an object as body"))?;
            json::push_string(out, text);
        }
        Value::List(items) | Value::Chunks(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                push_json(out, item)?;
            }
            out.push(']');
        }
        Value::Map(entries) => {
            out.push('{');
            for (index, entry) in entries.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                json::push_string(out, &entry.key);
                out.push_str(": ");
                push_json(out, &entry.value)?;
            }
            out.push('}');
        }
    }
    Ok(())
}
