//! What others tell us, as it comes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use serde_json::value::RawValue;

use super::members::Members;
use crate::{Email, InboundChange, InboundEvent, InboundId, Name, TraceContext, Violation, Violations};

impl InboundEvent {
    /// Reads an event as it is sent.
    ///
    /// # Errors
    ///
    /// Why it can never be read, in words for a person.
    pub fn from_json(json: &[u8]) -> Result<Self, String> {
        let event: &RawValue =
            serde_json::from_slice(json).map_err(|error| format!("it is not JSON: {error}"))?;
        Self::from_cloudevent(event).map_err(|broken| format!("it breaks rules: {broken}"))
    }

    /// Reads an event in the JSON format of `CloudEvents` 1.0, and checks what it says. Attributes that mean
    /// nothing here are ignored, whatever their values are.
    ///
    /// # Errors
    ///
    /// Every rule that the event breaks, each with the member that breaks it: `id`, `data.email`.
    pub fn from_cloudevent(event: &RawValue) -> Result<Self, Violations> {
        if !event.get().starts_with('{') {
            return Err(Violation::new("body", "Event must be a JSON object").into());
        }
        let unreadable =
            |error| Violation::new("body", format!("Event must be JSON that has a value: {error}"));
        let event = &Members::of(event.get().as_bytes()).map_err(unreadable)?;
        let mut broken = Violations::default();
        broken.take(check_attributes(event));
        let id = broken.take(InboundId::from_parsed(event.required("source"), event.required("id")));
        let change = broken.take(change(event));
        match (id, change) {
            (Some(id), Some(change)) => broken.or(Self { id, change, trace: trace(event) }),
            _ => Err(broken),
        }
    }
}

/// The attributes that do not tell what happened, and still have rules.
fn check_attributes(event: &Members) -> Result<(), Violations> {
    let mut broken = Violations::default();
    if let Some(version) = broken.take(event.required("specversion")) {
        broken.check(version == "1.0", || Violation::new("specversion", "Specversion must be 1.0"));
    }
    if let Some(time) = broken.take(event.optional("time")).flatten() {
        let is_time = DateTime::parse_from_rfc3339(&time).is_ok();
        broken.check(is_time, || Violation::new("time", "Time must be a time of RFC 3339"));
    }
    if let Some(media_type) = broken.take(event.optional("datacontenttype")).flatten() {
        let is_json = || Violation::new("datacontenttype", "Datacontenttype must be application/json");
        broken.check(is_json_type(&media_type), is_json);
    }
    broken.or(())
}

fn change(event: &Members) -> Result<InboundChange, Violations> {
    let mut broken = Violations::default();
    match (broken.take(event.required("type")), broken.take(data(event))) {
        (Some(event_type), Some(data)) => {
            let email = data.required("email").and_then(|email| Email::parse(&email));
            let within = |broken: Violations| broken.within("data");
            let name = || data.required("name").and_then(|name| Name::parse(&name)).map_err(within);
            InboundChange::from_parsed(&event_type, email.map_err(within), name)
        }
        _ => Err(broken),
    }
}

/// The attributes of the extension for distributed tracing. What is wrong with them harms no event.
fn trace(event: &Members) -> Option<TraceContext> {
    let text = |name| event.optional(name).ok().flatten();
    TraceContext::parse(&text("traceparent")?, text("tracestate").as_deref())
}

fn data(event: &Members) -> Result<Members, Violations> {
    let Some(data) = event.get("data") else { return encoded_data(event) };
    if !data.starts_with('{') {
        return Err(Violation::wrong_type("data", "an object").into());
    }
    let unreadable = |error| Violation::new("data", format!("Data must be JSON that has a value: {error}"));
    Ok(Members::of(data.as_bytes()).map_err(unreadable)?)
}

/// What a sender sends who has its data as bytes (JSON Event Format for `CloudEvents` 1.0 §3.1).
fn encoded_data(event: &Members) -> Result<Members, Violations> {
    let encoded = event.optional("data_base64")?.ok_or_else(|| Violation::required("data"))?;
    let data = STANDARD.decode(encoded).ok().and_then(|bytes| Members::of(&bytes).ok());
    Ok(data.ok_or_else(|| Violation::wrong_type("data_base64", "an object of JSON, in Base64"))?)
}

/// Whether a media type is JSON, with or without parameters: `application/json`, `text/json`, `…+json`.
fn is_json_type(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.split_once('/').is_some_and(|(_, subtype)| subtype == "json" || subtype.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use serde_json::value::to_raw_value;
    use serde_json::{Value, json};

    use super::*;

    fn read(event: &Value) -> Result<InboundEvent, Violations> {
        InboundEvent::from_cloudevent(&to_raw_value(event).unwrap())
    }

    fn saved() -> Value {
        json!({
            "specversion": "1.0", "id": "e-1", "source": "/hr", "type": "directory.person.saved",
            "time": "2026-11-23T10:00:00Z", "datacontenttype": "application/json", "dataschema": 7,
            "data": {"email": " Ada@Example.org ", "name": "Ada Lovelace", "room": [1]},
        })
    }

    fn without(member: &str) -> Value {
        let mut event = saved();
        event.as_object_mut().unwrap().remove(member).unwrap();
        event
    }

    fn with(member: &str, value: Value) -> Value {
        let mut event = saved();
        event[member] = value;
        event
    }

    fn broken(event: &Value) -> Vec<String> {
        let broken = read(event).unwrap_err();
        broken.iter().map(|one| format!("{}: {}", one.field, one.message)).collect()
    }

    #[test]
    fn data_may_be_bytes_in_base64() {
        let event = |encoded: Value| {
            let mut event = saved();
            let data = event.as_object_mut().unwrap().remove("data").unwrap();
            let encoded = if encoded.is_null() { json!(STANDARD.encode(data.to_string())) } else { encoded };
            event["data_base64"] = encoded;
            read(&event)
        };
        assert_eq!(event(Value::Null), read(&saved()));
        for encoded in [json!("!"), json!(""), json!(STANDARD.encode("[1]")), json!(1), json!({})] {
            let broken = event(encoded.clone()).unwrap_err();
            assert_eq!(
                broken.iter().map(|rule| &*rule.field).collect::<Vec<_>>(),
                ["data_base64"],
                "{encoded}"
            );
        }
    }

    #[test]
    fn a_person_who_was_saved_or_removed_is_read() {
        let event = read(&saved()).unwrap();
        assert_eq!((event.id.source(), event.id.id()), ("/hr", "e-1"));
        let InboundChange::PersonSaved(person) = event.change else { panic!("{event:?}") };
        assert_eq!((person.email.as_str(), person.name.as_str()), ("ada@example.org", "Ada Lovelace"));

        let mut removed = with("type", json!("directory.person.removed"));
        removed["data"] = json!({"email": "ada@example.org"});
        let event = read(&removed).unwrap();
        assert_eq!(event.change, InboundChange::PersonRemoved(Email::parse("ada@example.org").unwrap()));
    }

    #[test]
    fn why_an_event_cannot_be_read_is_told() {
        for (json, expected) in [
            ("", "it is not JSON: EOF while parsing a value at line 1 column 0"),
            ("[]", "it breaks rules: Event must be a JSON object"),
            (
                r#"{"specversion": "1.0", "id": "1", "source": "/a", "type": "a.b", "data": {}}"#,
                "it breaks rules: Type must be directory.person.saved or directory.person.removed",
            ),
        ] {
            assert_eq!(InboundEvent::from_json(json.as_bytes()).unwrap_err(), expected);
        }
        assert_eq!(InboundEvent::from_json(saved().to_string().as_bytes()).unwrap().id.id(), "e-1");
    }

    /// As of `POST /users`; seen to fail where all of an event was read as values.
    #[test]
    fn what_means_nothing_here_may_be_whatever_json_can_say() {
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        for anything in [r#""Hi \ud83d""#, "1e999", &deep] {
            let plain = saved().to_string();
            let event =
                plain.replace("[1]", anything).replace(r#""dataschema":7"#, &format!(r#""x":{anything}"#));
            assert_eq!(
                InboundEvent::from_json(event.as_bytes()).as_ref(),
                Ok(&read(&saved()).unwrap()),
                "{anything}"
            );
        }
        let named = saved().to_string().replace("\"room\"", "\"\\ud83d\"");
        let refused = InboundEvent::from_json(named.as_bytes()).unwrap_err();
        assert!(refused.contains("Data must be JSON that has a value: unexpected end of hex"), "{refused}");
        let half = saved().to_string().replace("Lovelace", "\\ud83d");
        let refused = InboundEvent::from_json(half.as_bytes()).unwrap_err();
        assert_eq!(refused, "it breaks rules: Name must be valid Unicode");
    }

    #[test]
    fn an_event_tells_its_trace_and_a_bad_one_does_no_harm() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let mut event = with("traceparent", json!(parent));
        event["tracestate"] = json!("a=1");
        let trace = read(&event).unwrap().trace;
        assert_eq!(trace, TraceContext::parse(parent, Some("a=1")));
        for bad in [json!("none"), json!(7), Value::Null] {
            assert_eq!(read(&with("traceparent", bad)).unwrap().trace, None);
        }
    }

    #[test]
    fn what_may_be_left_out_may() {
        for member in ["time", "datacontenttype", "dataschema"] {
            assert!(read(&without(member)).is_ok(), "{member}");
            assert!(read(&with(member, Value::Null)).is_ok(), "{member}");
        }
    }

    #[test]
    fn each_broken_rule_is_told_with_its_member() {
        for (event, expected) in [
            (without("specversion"), "specversion: Specversion is required"),
            (with("specversion", json!("0.3")), "specversion: Specversion must be 1.0"),
            (without("id"), "id: Id is required"),
            (with("id", json!("")), "id: Id is required"),
            (with("id", json!(7)), "id: Id must be a string"),
            (with("id", json!("x".repeat(257))), "id: Id must be at most 256 characters"),
            (with("source", json!("a\u{0}")), "source: Source must not contain control characters"),
            (with("time", json!("noon")), "time: Time must be a time of RFC 3339"),
            (
                with("datacontenttype", json!("text/xml")),
                "datacontenttype: Datacontenttype must be application/json",
            ),
            (
                with("type", json!("directory.person.eaten")),
                "type: Type must be directory.person.saved or directory.person.removed",
            ),
            (without("data"), "data: Data is required"),
            (with("data", json!([])), "data: Data must be an object"),
            (with("data", json!({"email": 7, "name": "Ada"})), "data.email: Email must be a string"),
            (with("data", json!({"email": "ada", "name": "Ada"})), "data.email: Invalid email format"),
        ] {
            assert_eq!(broken(&event), [expected]);
        }
        assert_eq!(broken(&json!([])), ["body: Event must be a JSON object"]);
        assert_eq!(
            broken(&json!({"specversion": "1.0", "type": "directory.person.saved", "data": {}})),
            [
                "id: Id is required",
                "source: Source is required",
                "data.email: Email is required",
                "data.name: Name is required"
            ]
        );
        let mut event = without("id");
        event["source"] = json!("");
        assert_eq!(broken(&event), ["id: Id is required", "source: Source is required"]);
    }
}
