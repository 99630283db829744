//! `/events`: the feed of what happened here, and what others tell us.

use roster_domain::{InboundChange, InboundId};
use serde_json::{Value, json};
use utoipa::openapi::content::{Content, ContentBuilder};
use utoipa::openapi::path::HttpMethod::{Get, Post};
use utoipa::openapi::schema::{ArrayBuilder, ComponentsBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{Object, Paths, Ref, SchemaFormat};

use super::operation::{BODY, at, content, empty, header, operation};
use super::rules::{self, exactly, text};
use crate::access::Scope;
use crate::http::events::{BATCH, STRUCTURED};
use crate::http::problem::Code;

const TAG: &str = "events";

/// What happened here: the types of events, and the names of their schemas.
const OUT: [(&str, &str); 3] = [
    ("roster.user.created", "UserCreated"),
    ("roster.user.updated", "UserUpdated"),
    ("roster.user.deleted", "UserDeleted"),
];
/// The same of what others tell us.
const IN: [(&str, &str); 2] =
    [(InboundChange::PERSON_SAVED, "PersonSaved"), (InboundChange::PERSON_REMOVED, "PersonRemoved")];

pub(super) fn schemas(mut components: ComponentsBuilder) -> ComponentsBuilder {
    for (kind, name) in OUT {
        components = components.schema(name, event_out(kind));
    }
    for ((kind, name), data) in IN.into_iter().zip([&["email", "name"][..], &["email"]]) {
        components = components.schema(name, event_in(kind, data));
    }
    components
        .schema("CloudEvent", rules::by_type("What happened here (CloudEvents 1.0).", &OUT))
        .schema("InboundEvent", rules::by_type("What happened in the directory (CloudEvents 1.0).", &IN))
}

pub(super) fn paths(paths: &mut Paths) {
    let feed = empty("Events, in the order of their positions")
        .content(BATCH, list("CloudEvent", Some(json!([told()]))))
        .content("text/event-stream", ContentBuilder::new().schema(Some(text("Each event has its position as `id`, its type as `event`, and is `data`, in JSON. The stream goes on for as long as the client stays."))).build())
        .header_ref("Link", header("Link"))
        .header_ref("Roster-Position", header("Roster-Position"));
    at(
        paths,
        Get,
        "/api/v1/events",
        operation("listEvents", TAG, "Read the feed of events, or follow it")
            .needing(Scope::EventsRead)
            .about("A page of events, unless `Accept` asks for `text/event-stream`: then they come as they happen. An event may come again, always with the same `id`.")
            .taking(&["FeedAfter", "FeedLimit", "Last-Event-ID"])
            .answering(200, feed)
            .failing(&[Code::MalformedRequest, Code::NotAcceptable, Code::Gone, Code::Validation]),
    );
    at(
        paths,
        Post,
        "/api/v1/events",
        operation("sendEvents", TAG, "Tell of events in the directory")
            .needing(Scope::EventsWrite)
            .about("Each takes effect once, by its `source` and `id`, however often it is sent. A batch is checked whole before any of it takes effect; of the rules that it breaks, the first hundred are told. Data that a sender has as bytes may be `data_base64`. Where an event has a `traceparent` (W3C Trace Context), what it brings about is part of that trace.")
            .body([
                (STRUCTURED, content("InboundEvent", Some(grace()))),
                (BATCH, list("InboundEvent", Some(json!([grace()])))),
            ])
            .answering(202, empty("All of them have taken effect"))
            .failing(&BODY),
    );
}

fn list(schema: &str, example: Option<Value>) -> Content {
    let list = ArrayBuilder::new().items(Ref::from_schema_name(schema));
    ContentBuilder::new().schema(Some(list)).example(example).build()
}

fn event_out(kind: &str) -> Object {
    let event = ObjectBuilder::new()
        .property("specversion", exactly("1.0"))
        .property("id", text("A UUID of version 7.").format(Some(SchemaFormat::Custom("uuid".to_owned()))))
        .property("source", exactly("/roster"))
        .property("type", exactly(kind))
        .property("subject", text("`users/` and the user's id.").pattern(Some("^users/[1-9][0-9]*$")))
        .property("time", rules::time())
        .property("datacontenttype", exactly("application/json"))
        .property("position", rules::position())
        .property(
            "traceparent",
            text("Which trace the change is part of, where it is part of one (W3C Trace Context)."),
        )
        .property("tracestate", text("What goes with the `traceparent`, where there is anything."))
        .property("data", Ref::from_schema_name("User"));
    let names =
        ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "position", "data"];
    names.into_iter().fold(event, ObjectBuilder::required).build()
}

fn event_in(kind: &str, members: &[&str]) -> Object {
    let known = [("email", rules::new_email()), ("name", rules::new_name())];
    let data = known.into_iter().filter(|(name, _)| members.contains(name));
    let data = data.fold(ObjectBuilder::new(), |data, (name, rule)| data.property(name, rule).required(name));
    let limited = |description, max| {
        text(description).min_length(Some(1)).max_length(Some(max)).pattern(Some(rules::TEXT))
    };
    let event = ObjectBuilder::new()
        .property("specversion", exactly("1.0"))
        .property("id", limited("What its source calls it.", InboundId::MAX_ID_CHARS))
        .property("source", limited("Who tells of it.", InboundId::MAX_SOURCE_CHARS))
        .property("type", exactly(kind))
        .property("time", rules::or_null(text("When it happened.").format(Some(rules::date_time()))))
        .property("datacontenttype", rules::or_null(text("What `data` is: JSON.").pattern(Some(JSON))))
        .property(
            "traceparent",
            anything("Which trace it is part of (W3C Trace Context); else it is ignored."),
        )
        .property("tracestate", anything("What goes with the `traceparent`."))
        .property("data", data.schema_type(Type::Object));
    ["specversion", "id", "source", "type", "data"].into_iter().fold(event, ObjectBuilder::required).build()
}

fn anything(description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::AnyValue).description(Some(description))
}

/// A media type of JSON.
const JSON: &str = r"^[^;/]*/([^;]*\+)?[jJ][sS][oO][nN]\s*(;|$)";

fn told() -> Value {
    json!({
        "specversion": "1.0", "id": "019ab0c3-2f40-7c55-9d5a-3f1c3a5e7b10", "source": "/roster",
        "type": "roster.user.created", "subject": "users/1", "time": "2026-11-23T10:00:00.000000Z",
        "datacontenttype": "application/json", "position": 1,
        "data": {
            "id": 1, "email": "ada@example.org", "name": "Ada Lovelace", "version": 1,
            "created_at": "2026-11-23T10:00:00.000000Z", "updated_at": "2026-11-23T10:00:00.000000Z",
        },
    })
}

fn grace() -> Value {
    json!({
        "specversion": "1.0", "id": "1", "source": "/hr", "type": "directory.person.saved",
        "data": {"email": "grace@example.org", "name": "Grace Hopper"},
    })
}
