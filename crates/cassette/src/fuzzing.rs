//! What holds for the bytes of whatever file: asserted, for a fuzzer and for its seeds.

use crate::filter::Filters;
use crate::format::{Document, Limits, read, write};
use crate::interaction::{Interaction, RecordedRequest, RecordedResponse};
use crate::leak::LeakGate;
use crate::{Headers, Serializer};
use bytes::Bytes;
use http::HeaderValue;

/// A secret is looked for in any bytes. A cassette that can be read is the same when it is written again, in either
/// format, and is written the same then. JSON alone may refuse what is no text.
///
/// # Panics
///
/// Where that does not hold.
pub fn cassette(bytes: &[u8]) {
    let limits = Limits::default();
    let request = RecordedRequest { body: Bytes::copy_from_slice(bytes), ..RecordedRequest::default() };
    inspect(&[&Interaction { request, response: RecordedResponse::default() }]);
    for serializer in [Serializer::Yaml, Serializer::Json] {
        let Ok(Some(document)) = read(bytes, serializer, &limits) else { continue };
        inspect(&document.interactions.iter().collect::<Vec<_>>());
        for other in [Serializer::Yaml, Serializer::Json] {
            let Some(text) = written(&document, other) else {
                assert_eq!(other, Serializer::Json, "YAML holds any bytes");
                continue;
            };
            match read(text.as_bytes(), other, &limits) {
                Ok(again) => {
                    let again = again.unwrap_or_default();
                    assert_eq!(in_order(&again), in_order(&document), "{text}");
                    assert_eq!(written(&again, other).as_ref(), Some(&text));
                }
                // Written anew, it may be longer than a file may be.
                Err(refused) => assert!(refused.limit, "{}: {text}", refused.reason),
            }
        }
    }
}

/// The interactions, with their headers in the order in which they are written.
fn in_order(document: &Document) -> Vec<(Interaction, [Fields<'_>; 2])> {
    document.interactions.iter().map(told).collect()
}

/// The fields of a header, each with its values.
type Fields<'a> = Vec<(&'a str, &'a [HeaderValue])>;

fn told(one: &Interaction) -> (Interaction, [Fields<'_>; 2]) {
    let mut rest = one.clone();
    (rest.request.headers, rest.response.headers) = Default::default();
    (rest, [sorted(&one.request.headers), sorted(&one.response.headers)])
}

fn sorted(headers: &Headers) -> Fields<'_> {
    let mut fields: Fields<'_> = headers.iter().collect();
    fields.sort_by_key(|(name, _)| *name);
    fields
}

fn inspect(interactions: &[&Interaction]) {
    let gate = LeakGate { canaries: vec!["canary-4711".to_owned()], ..LeakGate::default() };
    for finding in gate.inspect(interactions, &Filters::default()) {
        assert!((1..=interactions.len()).contains(&finding.interaction), "{finding}");
        assert!(!finding.kind.is_empty() && !finding.place.is_empty(), "{finding}");
    }
}

fn written(document: &Document, serializer: Serializer) -> Option<String> {
    let interactions: Vec<&Interaction> = document.interactions.iter().collect();
    write(&interactions, &document.extra, serializer).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    fn files(folder: &Path, into: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { files(&path, into) } else { into.push(path) }
        }
    }

    #[test]
    fn what_holds_holds_for_all_seeds_and_for_their_beginnings() {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests");
        let mut seeds = Vec::new();
        for folder in ["fuzz-parsers/seeds/cassette", "cassette/vcrpy/data", "cassette/vcrpy/hostile"] {
            files(&tests.join(folder), &mut seeds);
        }
        assert!(seeds.len() > 12, "{seeds:?}");
        for seed in seeds {
            let seed = fs::read(seed).unwrap();
            (0..seed.len().min(2_000)).step_by(7).for_each(|end| cassette(&seed[..end]));
            cassette(&seed);
        }
    }
}
