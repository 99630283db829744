use crate::Headers;
use crate::interaction::{Interaction, RecordedRequest};
use crate::percent;
use base64::{Engine, engine::general_purpose::STANDARD};
use memchr::memmem::find;
use std::fmt::Write as _;

/// Secret values and the placeholders that stand for them in the file: hidden at save, restored at load.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sensitive {
    pairs: Vec<Pair>,
}

#[derive(Clone, Debug)]
struct Pair {
    value: Vec<u8>,
    placeholder: Vec<u8>,
}

impl Sensitive {
    /// Takes placeholder and value of each secret; an empty one of either counts for nothing.
    pub(crate) fn new(secrets: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut secrets: Vec<_> =
            secrets.into_iter().filter(|(a, b)| !a.is_empty() && !b.is_empty()).collect();
        // A secret inside another must not break the longer one up.
        secrets.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
        let mut pairs = Vec::<Pair>::new();
        for (placeholder, value) in secrets {
            for (kind, value) in spellings(&value).into_iter().enumerate() {
                if pairs.iter().all(|known| known.value != value) {
                    let placeholder = unused(&placeholder, kind, &pairs);
                    pairs.push(Pair { value, placeholder });
                }
            }
        }
        Self { pairs }
    }

    pub(crate) fn placeholders(&self) -> impl Iterator<Item = &[u8]> {
        self.pairs.iter().map(|pair| pair.placeholder.as_slice())
    }

    pub(crate) fn hide(&self, interaction: &mut Interaction) {
        self.rewrite(interaction, |pair| (&pair.value, &pair.placeholder));
    }

    pub(crate) fn restore(&self, interaction: &mut Interaction) {
        self.rewrite(interaction, |pair| (&pair.placeholder, &pair.value));
    }

    /// A request as it may be shown.
    pub(crate) fn hidden(&self, request: &RecordedRequest) -> RecordedRequest {
        let mut request = request.clone();
        self.rewrite_request(&mut request, |pair| (&pair.value, &pair.placeholder));
        request
    }

    fn rewrite(&self, interaction: &mut Interaction, direction: impl Fn(&Pair) -> (&[u8], &[u8])) {
        self.rewrite_request(&mut interaction.request, &direction);
        let response = &mut interaction.response;
        self.rewrite_headers(&mut response.headers, &direction);
        if let Some(body) = self.rewritten(&response.body, &direction) {
            response.set_body(body);
        }
    }

    fn rewrite_request(&self, request: &mut RecordedRequest, direction: impl Fn(&Pair) -> (&[u8], &[u8])) {
        if let Some(Ok(uri)) = self.rewritten(request.uri.as_bytes(), &direction).map(String::from_utf8) {
            request.uri = uri;
        }
        self.rewrite_headers(&mut request.headers, &direction);
        if let Some(body) = self.rewritten(&request.body, &direction) {
            request.set_body(body);
        }
    }

    fn rewrite_headers(&self, headers: &mut Headers, direction: impl Fn(&Pair) -> (&[u8], &[u8])) {
        if !self.pairs.is_empty() {
            headers.map_values(|value| self.rewritten(value, &direction).unwrap_or_else(|| value.to_vec()));
        }
    }

    /// The text with every pair replaced; `None` where it stays as it is.
    fn rewritten(&self, text: &[u8], direction: impl Fn(&Pair) -> (&[u8], &[u8])) -> Option<Vec<u8>> {
        let mut changed = None;
        for pair in &self.pairs {
            let (from, to) = direction(pair);
            if let Some(text) = replaced(changed.as_deref().unwrap_or(text), from, to) {
                changed = Some(text);
            }
        }
        changed
    }
}

/// The ways one text is spelled on the wire: as it is, percent-encoded (in both cases of hexadecimal), as in
/// a form, as a JSON string (with and without `\u`), as Base64 (padded and not, in both alphabets). Always
/// the same number of them.
pub(crate) fn spellings(text: &str) -> Vec<Vec<u8>> {
    let percent = percent::encode(text);
    let lower = lower_hex(&percent);
    let form = percent.replace("%20", "+");
    let mut ascii = String::new();
    crate::json::push_string(&mut ascii, text);
    let json = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let base64 = STANDARD.encode(text);
    let bare = base64.trim_end_matches('=').to_owned();
    let url_safe = bare.replace('+', "-").replace('/', "_");
    let ascii = ascii[1..ascii.len() - 1].to_owned();
    [text.to_owned(), percent, lower, form, json, ascii, base64, bare, url_safe]
        .map(String::into_bytes)
        .into()
}

/// The placeholder spelled in the manner of `kind`, or in another way that decodes to the same, so that each
/// spelling of a value has a placeholder of its own and comes back as it was.
fn unused(placeholder: &str, kind: usize, pairs: &[Pair]) -> Vec<u8> {
    let natural = spellings(placeholder).swap_remove(kind);
    let disguised = (1..=64).map(|step| {
        let at = placeholder.char_indices().nth(step).map_or(placeholder.len(), |(at, _)| at);
        let (head, tail) = placeholder.split_at(at);
        let head: String = match kind {
            0 => return format!("{placeholder}{step}").into_bytes(),
            1..=2 => spelled(head.bytes(), |out, byte| write!(out, "%{byte:02X}")),
            3 => spelled(head.bytes(), |out, byte| write!(out, "%{byte:02x}")),
            4..=5 => spelled(head.encode_utf16(), |out, unit| write!(out, "\\u{unit:04x}")),
            _ => return STANDARD.encode(format!("{}{placeholder}", "~".repeat(step))).into_bytes(),
        };
        [head.into_bytes(), spellings(tail).swap_remove(kind)].concat()
    });
    // Placeholders are put back in this order, so none may stand inside a later one.
    let known = |candidate: &[u8]| pairs.iter().any(|pair| find(candidate, &pair.placeholder).is_some());
    std::iter::once(natural.clone()).chain(disguised).find(|candidate| !known(candidate)).unwrap_or(natural)
}

fn spelled<T>(units: impl Iterator<Item = T>, spell: impl Fn(&mut String, T) -> std::fmt::Result) -> String {
    units.fold(String::new(), |mut out, unit| {
        // Writing to a string does not fail.
        let _ = spell(&mut out, unit);
        out
    })
}

fn lower_hex(text: &str) -> String {
    let mut digits = 0;
    let lower = |character: char| match (character, digits) {
        ('%', _) => {
            digits = 2;
            character
        }
        (_, 0) => character,
        _ => {
            digits -= 1;
            character.to_ascii_lowercase()
        }
    };
    text.chars().map(lower).collect()
}

fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Option<Vec<u8>> {
    let mut out: Option<Vec<u8>> = None;
    let mut rest = text;
    while let Some(at) = find(rest, from) {
        let out = out.get_or_insert_default();
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    out.map(|mut out| {
        out.extend_from_slice(rest);
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interaction::RecordedResponse;

    #[test]
    fn a_secret_is_hidden_in_every_spelling_and_comes_back() {
        let secret = "s3cr/t \"é\"";
        let sensitive = Sensitive::new([("<SECRET>".to_owned(), secret.to_owned())]);
        let body = spellings(secret).join(&b' ');
        let mut interaction = Interaction {
            request: RecordedRequest {
                uri: "http://h/?t=s3cr%2Ft%20%22%C3%A9%22".into(),
                ..RecordedRequest::default()
            },
            response: RecordedResponse { body: body.into(), ..RecordedResponse::default() },
        };
        interaction.request.headers.append("x", secret.as_bytes()).unwrap();
        let before = interaction.clone();
        sensitive.hide(&mut interaction);
        assert_eq!(interaction.request.uri, "http://h/?t=%3CSECRET%3E");
        let text = String::from_utf8(interaction.response.body.to_vec()).unwrap();
        assert!(!text.contains("s3cr") && text.contains("<SECRET>"), "{text}");
        assert!(!text.contains(STANDARD.encode(secret).trim_end_matches('=')), "{text}");
        sensitive.restore(&mut interaction);
        assert_eq!(interaction, before);
    }

    #[test]
    fn a_placeholder_that_needs_no_encoding_still_tells_the_spellings_apart() {
        for placeholder in ["SECRET", "<A B>", "«é»"] {
            let sensitive = Sensitive::new([(placeholder.to_owned(), "a b+\"ü".to_owned())]);
            let body = spellings("a b+\"ü").join(&b'|');
            let hidden = sensitive.rewritten(&body, |pair| (&pair.value, &pair.placeholder)).unwrap();
            let restored = sensitive.rewritten(&hidden, |pair| (&pair.placeholder, &pair.value)).unwrap();
            assert_eq!(
                String::from_utf8(restored).unwrap(),
                String::from_utf8(body).unwrap(),
                "{placeholder}"
            );
        }
    }

    #[test]
    fn an_empty_value_hides_nothing() {
        let sensitive = Sensitive::new([("<X>".to_owned(), String::new())]);
        assert!(sensitive.pairs.is_empty());
    }
}
