//! What a fuzzer finds inputs for: each function takes any bytes, and asserts what holds for them. `just fuzz-parsers`
//! runs them; here they are held to the inputs that it begins with, and to those that it once found.

use roster_domain::{InboundChange, InboundEvent, TraceContext};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::bulk::{self, Format};
use crate::http::fuzzing as http;

/// The cursor of a list.
pub fn cursor(bytes: &[u8]) {
    http::cursors(bytes);
}

/// `If-Match`, `If-None-Match` and `Idempotency-Key`.
pub fn headers(bytes: &[u8]) {
    http::entity_tags(bytes);
    http::idempotency_keys(bytes);
}

/// The body that makes a user.
pub fn new_user(bytes: &[u8]) {
    http::new_users(bytes);
}

/// Lines of NDJSON; the first byte says in what parts they come.
pub fn ndjson(bytes: &[u8]) {
    bulk::fuzzing::imports(Format::Ndjson, bytes);
}

/// Records of CSV; the first byte says in what parts they come.
pub fn csv(bytes: &[u8]) {
    bulk::fuzzing::imports(Format::Csv, bytes);
}

/// An event of others: one that is taken is the same when it is written again, whatever else it says.
///
/// # Panics
///
/// Where that does not hold.
pub fn cloudevent(bytes: &[u8]) {
    let Ok(json) = serde_json::from_slice::<&RawValue>(bytes) else { return };
    match InboundEvent::from_cloudevent(json) {
        Ok(event) => assert_eq!(InboundEvent::from_json(written(&event).to_string().as_bytes()), Ok(event)),
        Err(broken) => assert!(broken.iter().next().is_some(), "it is refused for no reason: {json}"),
    }
}

fn written(event: &InboundEvent) -> Value {
    let (kind, data) = match &event.change {
        InboundChange::PersonSaved(new) => (
            InboundChange::PERSON_SAVED,
            json!({"email": new.email.as_str(), "name": new.name.as_str(), "x": 1}),
        ),
        InboundChange::PersonRemoved(email) => {
            (InboundChange::PERSON_REMOVED, json!({"email": email.as_str(), "name": null}))
        }
        other => unreachable!("what is {other:?}?"),
    };
    let trace = event.trace.as_ref();
    json!({
        "specversion": "1.0", "id": event.id.id(), "source": event.id.source(), "type": kind, "data": data,
        "datacontenttype": "application/json; charset=utf-8", "time": null, "subject": "x", "extension": 7,
        "traceparent": trace.map(TraceContext::traceparent), "tracestate": trace.and_then(TraceContext::tracestate),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The seeds of a target, which are there.
    fn seeds(target: &str) -> Vec<Vec<u8>> {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz-parsers/seeds").join(target);
        let files = fs::read_dir(folder).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap());
        let seeds: Vec<_> = files.collect();
        assert!(seeds.len() > 2, "{target} has seeds");
        seeds
    }

    type Target = fn(&[u8]);

    #[test]
    fn what_holds_holds_for_all_seeds_and_for_their_beginnings() {
        let targets: [(&str, Target); 6] = [
            ("cursor", cursor),
            ("headers", headers),
            ("new_user", new_user),
            ("ndjson", ndjson),
            ("csv", csv),
            ("cloudevent", cloudevent),
        ];
        for (name, target) in targets {
            for seed in seeds(name) {
                (0..=seed.len().min(300)).for_each(|end| target(&seed[..end]));
                target(&seed);
            }
        }
    }
}
