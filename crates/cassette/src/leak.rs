//! The last look before a cassette is written: what looks like a secret is not let through.

mod patterns;

use crate::Headers;
use crate::coding;
use crate::filter::{Filters, spellings};
use crate::interaction::{Interaction, RecordedRequest, RecordedResponse};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use bytes::Bytes;
use memchr::memmem::find;
use patterns::Place;
use std::fmt;

const URI: &str = "request URI";
const REQUEST_BODY: &str = "request body";

/// Shorter canaries are looked for as they are only: their other spellings turn up by chance.
const SHORTEST_CODED: usize = 6;

/// What must not, and what may, stand in a cassette that is written.
#[derive(Clone, Debug)]
pub(crate) struct LeakGate {
    pub(crate) patterns: bool,
    /// Texts that must not appear in any spelling.
    pub(crate) canaries: Vec<String>,
    /// Texts that may appear though they look like secrets.
    pub(crate) allowed: Vec<String>,
    /// What stands where a filter has taken a secret out.
    pub(crate) placeholders: Vec<String>,
}

/// Something that looks like a secret, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The number of the interaction in the cassette, from 1.
    pub interaction: usize,
    /// `METHOD uri` of its request, with what was found blotted out.
    pub request: String,
    /// Which part of it: `request header authorization`, `response body` and the like.
    pub place: String,
    /// What it looks like.
    pub kind: String,
    /// Its first characters; never the whole of it.
    pub excerpt: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { interaction, request, place, kind, excerpt } = self;
        write!(out, "interaction {interaction}, {request}\n    {place}: {kind} (`{excerpt}`)")
    }
}

impl Default for LeakGate {
    fn default() -> Self {
        Self { patterns: true, canaries: Vec::new(), allowed: Vec::new(), placeholders: Vec::new() }
    }
}

impl LeakGate {
    /// Everything in `interactions` that must not be written. A body that is packed, or is not what it says it is,
    /// may have escaped the `filters`.
    pub(crate) fn inspect(&self, interactions: &[&Interaction], filters: &Filters) -> Vec<Finding> {
        let needles: Vec<_> =
            self.canaries.iter().filter(|canary| !canary.is_empty()).map(|c| needles(c)).collect();
        let mut findings = Vec::new();
        for (index, interaction) in interactions.iter().enumerate() {
            let before = findings.len();
            for (place, text) in places(interaction) {
                let kinds = needles.iter().filter_map(|needles| canary(needles, &text));
                let kinds = kinds.chain(self.patterns.then(|| self.pattern(&place, &text)).flatten());
                findings
                    .extend(kinds.map(|(kind, excerpt)| finding(index, interaction, &place, kind, &excerpt)));
            }
            let is_found = findings[before..].iter().any(|finding| finding.place == REQUEST_BODY);
            let request = &interaction.request;
            if self.patterns
                && !is_found
                && let Some((name, how)) = filters.escaped(request, unpacked_request(request).as_ref())
            {
                let kind = format!("the field `{name}` that a filter takes out, in a body that {how}");
                findings.push(finding(index, interaction, REQUEST_BODY, kind, name));
            }
            blot_out(&mut findings[before..], interaction);
        }
        findings
    }

    /// The first that is not allowed. The name of a header tells of its value, too.
    fn pattern(&self, place: &str, text: &[u8]) -> Option<(String, String)> {
        let text = String::from_utf8_lossy(text);
        let header = place.split_once(" header ").map(|(_, name)| name);
        let stands = Place { header: header.is_some(), request: place.starts_with("request") };
        let first = |text: &str| {
            let found = patterns::all(text, stands).find(|found| !self.allows(found.text))?;
            Some((found.kind.to_owned(), excerpt(found.text)))
        };
        first(&text).or_else(|| first(&format!("{}={text}", header?)))
    }

    fn allows(&self, text: &str) -> bool {
        self.allowed.iter().any(|allowed| !allowed.is_empty() && text.contains(allowed.as_str()))
            || self.placeholders.iter().any(|placeholder| placeholder == text)
    }
}

/// What in a text looks like a secret, with what it looks like: the first, by the patterns that keep a cassette from
/// being saved. For whoever wants to hold other files to them.
pub fn secret_in(text: &str) -> Option<(&'static str, &str)> {
    patterns::all(text, Place::default()).next().map(|found| (found.kind, found.text))
}

fn finding(index: usize, interaction: &Interaction, place: &str, kind: String, excerpt: &str) -> Finding {
    let request = &interaction.request;
    let request = format!("{} {}", request.method, request.uri.split('?').next().unwrap_or_default());
    Finding { interaction: index + 1, request, place: place.to_owned(), kind, excerpt: excerpt.to_owned() }
}

/// Where the URI holds a secret, no finding of the interaction may show more of it than the host.
fn blot_out(findings: &mut [Finding], interaction: &Interaction) {
    if findings.iter().any(|finding| finding.place == URI) {
        let host = interaction.request.uri.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        for finding in findings {
            finding.request = format!("{} {host}/…", interaction.request.method);
        }
    }
}

/// Every part of an interaction with its name; a body kept coded is looked at decoded as well.
fn places(Interaction { request, response }: &Interaction) -> Vec<(String, Vec<u8>)> {
    let mut places = vec![(URI.to_owned(), request.uri.clone().into_bytes())];
    let mut add_headers = |side: &str, headers: &Headers| {
        for (name, values) in headers.iter() {
            places.extend(
                values.iter().map(|value| (format!("{side} header {name}"), value.as_bytes().to_vec())),
            );
        }
    };
    add_headers("request", &request.headers);
    add_headers("response", &response.headers);
    places.push((REQUEST_BODY.to_owned(), request.body.to_vec()));
    places.push(("response body".to_owned(), response.body.to_vec()));
    if let Some(decoded) = unpacked(response.clone(), &request.method) {
        places.push(("response body, decoded".to_owned(), decoded.to_vec()));
    }
    if let Some(decoded) = unpacked_request(request) {
        places.push(("request body, decoded".to_owned(), decoded.body.to_vec()));
    }
    places.push(("response reason".to_owned(), response.message.clone().into_bytes()));
    places
}

/// The body as it is unpacked, where it is packed.
fn unpacked(mut message: RecordedResponse, method: &str) -> Option<Bytes> {
    let packed = message.body.clone();
    let is_read = coding::decode(&mut message, method, 64 << 20).is_ok();
    (is_read && message.body != packed).then_some(message.body)
}

/// A request is packed in the same ways as a response.
fn unpacked_request(request: &RecordedRequest) -> Option<RecordedRequest> {
    let (headers, body) = (request.headers.clone(), request.body.clone());
    let message = RecordedResponse { headers, body, ..RecordedResponse::default() };
    unpacked(message, "POST").map(|body| RecordedRequest { body, ..request.clone() })
}

/// The spellings of a canary, those inside longer Base64 included: there, its bytes start at one of three
/// places.
fn needles(canary: &str) -> Vec<Vec<u8>> {
    if canary.len() < SHORTEST_CODED {
        return vec![canary.as_bytes().to_vec()];
    }
    let mut all = spellings(canary);
    for shift in 0..3 {
        let padded = [vec![0; shift], canary.as_bytes().to_vec()].concat();
        // Only characters of which every bit is the canary's; each has six.
        let (start, end) = ((shift * 8).div_ceil(6), padded.len() * 8 / 6);
        let encoded = STANDARD_NO_PAD.encode(&padded);
        all.push(encoded.as_bytes()[start..end].to_vec());
        all.push(encoded[start..end].replace('+', "-").replace('/', "_").into_bytes());
    }
    all
}

fn canary(needles: &[Vec<u8>], text: &[u8]) -> Option<(String, String)> {
    let found = needles.iter().find(|needle| !needle.is_empty() && find(text, needle).is_some())?;
    let excerpt = excerpt(&String::from_utf8_lossy(found));
    Some(("a value that must never be recorded".to_owned(), excerpt))
}

/// At most four characters, and at most a third of the text.
fn excerpt(text: &str) -> String {
    let shown = (text.chars().count() / 3).min(4);
    format!("{}…", text.chars().take(shown).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_body(body: &str) -> Interaction {
        let request = RecordedRequest {
            method: "GET".into(),
            uri: "http://h/a?b=1".into(),
            ..RecordedRequest::default()
        };
        let response =
            RecordedResponse { status: 200, body: body.to_owned().into(), ..RecordedResponse::default() };
        Interaction { request, response }
    }

    #[test]
    fn a_canary_is_found_in_every_spelling() {
        let gate = LeakGate { canaries: vec!["hunter2 & co".into()], ..LeakGate::default() };
        let coded = |text: &str| STANDARD_NO_PAD.encode(text);
        let bodies = [
            "xhunter2 & cox".to_owned(),
            "p=hunter2%20%26%20co".into(),
            "p=hunter2+%26+co".into(),
            coded("hunter2 & co!"),
            coded("bob:hunter2 & co"),
            coded("alice:hunter2 & co?"),
            coded("me:hunter2 & co?"),
            coded("http://x:hunter2 & co@h"),
        ];
        for body in bodies {
            let interaction = with_body(&body);
            let findings = gate.inspect(&[&interaction], &Filters::default());
            assert_eq!(findings.len(), 1, "{body}");
            assert!(!findings[0].to_string().contains("hunter2"), "{}", findings[0]);
        }
        assert!(gate.inspect(&[&with_body("nothing here")], &Filters::default()).is_empty());
    }

    #[test]
    fn a_secret_in_a_uri_is_not_shown_in_any_finding_of_its_interaction() {
        let gate = LeakGate { canaries: vec!["hunter2".into()], ..LeakGate::default() };
        let mut interaction = with_body("hunter2");
        interaction.request.uri = "http://h.example/hunter2/x".into();
        let findings = gate.inspect(&[&interaction], &Filters::default());
        assert_eq!(findings.len(), 2);
        for finding in findings {
            assert!(finding.request == "GET http://h.example/…", "{finding}");
            assert!(!finding.to_string().contains("hunter2"), "{finding}");
        }
    }

    #[test]
    fn what_is_allowed_is_let_through() {
        let token = "Bearer abcdefghij0123456789";
        let mut interaction = with_body("");
        interaction.request.headers.insert("x-upstream", token).unwrap();
        let mut gate = LeakGate::default();
        let findings = gate.inspect(&[&interaction], &Filters::default());
        assert_eq!(findings[0].place, "request header x-upstream");
        gate.allowed.push("abcdefghij".into());
        assert!(gate.inspect(&[&interaction], &Filters::default()).is_empty());
    }
}
