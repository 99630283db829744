//! The document and the router say the same, and what the document says can be done can be done.

use std::collections::BTreeSet;
use std::path::Path;

use actix_web::http::{Method, header};
use actix_web::test::TestRequest;
use serde_json::{Value, json};

use super::super::BASE_PATH;
use super::super::tests::{Answer, ask, ask_past, in_memory};
use crate::access::{Gatekeeper, Scope, Scopes};
use crate::http::Lifecycle;
use crate::wiring::Ports;

const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "trace", "query"];

fn document() -> Value {
    serde_json::from_str(&super::render()).unwrap()
}

/// Each operation: its path, its method, and what is said of it.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().iter();
            methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
        })
        .collect()
}

async fn send(ports: &Ports, method: &str, path: &str, body: Option<(&str, &Value)>) -> Answer {
    let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
    let request = TestRequest::with_uri(&path.replace("{id}", "1")).method(method);
    let request = match body {
        None => request,
        Some((media_type, body)) => {
            let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
            request.insert_header((header::CONTENT_TYPE, media_type)).set_payload(body)
        }
    };
    ask(ports.clone(), Lifecycle::default(), request).await
}

#[actix_web::test]
async fn every_documented_operation_is_routed_with_and_without_a_trailing_slash() {
    let document = document();
    for (path, method, _) in operations(&document) {
        for path in [path.to_owned(), format!("{path}/")] {
            let answer = send(&in_memory(), method, &path, None).await;
            assert_ne!(answer.status, 405, "{method} {path}");
            let detail = answer.body["detail"].as_str().unwrap_or_default();
            assert!(!detail.starts_with("Nothing is at"), "{method} {path}: {}", answer.body);
        }
    }
}

#[actix_web::test]
async fn a_method_that_is_not_documented_is_not_routed() {
    let document = document();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in METHODS.iter().filter(|method| item.get(method).is_none()) {
            let answer = send(&in_memory(), method, path, None).await;
            assert_eq!(answer.status, 405, "{method} {path} is routed, and not documented");
        }
    }
}

/// What every file below `src/http` registers, as `web::resource("/livez")` or `protected("/users")`.
fn registered(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            registered(&path, found);
        } else if !path.ends_with("tests.rs") {
            let source = std::fs::read_to_string(&path).unwrap();
            assert!(!source.contains(concat!("web::resource", "([")), "{}: one path each", path.display());
            for by in [concat!("protected", "(\""), concat!("web::resource", "(\"")] {
                for resource in source.split(by).skip(1) {
                    found.extend(resource.split('"').next().map(str::to_owned));
                }
            }
        }
    }
}

#[test]
fn every_resource_that_the_source_registers_is_documented() {
    let mut found = BTreeSet::new();
    registered(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http"), &mut found);
    let document = document();
    let documented = document["paths"].as_object().unwrap().keys();
    let documented = documented.map(|path| path.strip_prefix(BASE_PATH).unwrap_or(path).to_owned());
    // What a page of ours is made of is nobody else's business.
    assert!(found.remove("/docs/assets/{file}"));
    assert_eq!(documented.collect::<BTreeSet<_>>(), found);
}

#[actix_web::test]
async fn the_examples_of_bodies_are_taken() {
    let document = document();
    let mut taken = 0;
    for (path, method, operation) in operations(&document) {
        let contents = operation["requestBody"]["content"].as_object().into_iter().flatten();
        for (media_type, content) in contents {
            let ports = in_memory();
            if path.contains("{id}") {
                let ada = &document["paths"]["/api/v1/users"]["post"]["requestBody"]["content"];
                let ada = &ada["application/json"]["example"];
                send(&ports, "post", "/api/v1/users", Some(("application/json", ada))).await;
            }
            let answer = send(&ports, method, path, Some((media_type, &content["example"]))).await;
            // There is no directory here to make a user from.
            let expected =
                if path.ends_with("/from-directory") { [503].as_slice() } else { &[200, 201, 202] };
            assert!(expected.contains(&answer.status.as_u16()), "{method} {path}: {}", answer.body);
            if path.ends_with("/import") {
                assert_eq!(answer.body, json!({"line": 1, "id": 1}), "{media_type}");
            }
            taken += 1;
        }
    }
    assert_eq!(taken, 9, "every body has an example for each of its media types");
}

#[actix_web::test]
async fn lines_of_an_import_have_the_members_that_are_documented() {
    let document = document();
    let (valid, invalid) = (json!({"email": "ada@example.org", "name": "Ada"}), json!({"name": "Ada"}));
    for (query, line, schema) in [
        ("dry_run=true", &valid, "ImportOutcome"),
        ("", &valid, "ImportOutcome"),
        ("", &invalid, "ImportOutcome"),
        ("report=errors", &valid, "ImportSummary"),
    ] {
        let path = format!("/api/v1/users/import?{query}");
        let told = send(&in_memory(), "post", &path, Some(("application/x-ndjson", line))).await.body;
        let told = told.as_object().unwrap();
        let schema = &document["components"]["schemas"][schema];
        for member in told.keys() {
            assert!(schema["properties"][member].is_object(), "{member}");
        }
        for member in schema["required"].as_array().unwrap() {
            assert!(told.contains_key(member.as_str().unwrap()), "{member}");
        }
    }
}

#[actix_web::test]
async fn every_status_and_header_of_an_answer_is_documented() {
    let document = document();
    for (path, method, operation) in operations(&document) {
        let answer = send(&in_memory(), method, path, None).await;
        let response = &operation["responses"][answer.status.as_str()];
        assert!(response.is_object(), "{method} {path}: {} {}", answer.status, answer.body);
        let names =
            ["content-disposition", "etag", "location", "roster-position", "retry-after", "x-request-id"];
        for name in names {
            let is_documented = response["headers"].as_object().is_some_and(|headers| {
                headers.keys().any(|documented| documented.eq_ignore_ascii_case(name))
            });
            let is_sent = answer.headers.contains_key(name);
            assert_eq!(is_sent, is_documented, "{name} of {method} {path}: {}", answer.status);
        }
    }
}

#[test]
fn what_is_limited_tells_what_is_left_and_can_be_refused_for_a_while() {
    let document = document();
    for (path, method, operation) in operations(&document) {
        let is_limited = path.starts_with(BASE_PATH);
        let answers = operation["responses"].as_object().unwrap();
        for (status, answer) in answers {
            for name in ["RateLimit", "RateLimit-Policy"] {
                assert_eq!(answer["headers"][name].is_object(), is_limited, "{method} {path}: {status}");
            }
        }
        assert_eq!(answers.contains_key("429"), is_limited, "{method} {path}");
        assert_eq!(answers.contains_key("503"), is_limited || path == "/readyz", "{method} {path}");
    }
}

/// What an operation says that it takes; `None` where everyone may.
fn scopes(operation: &Value) -> Option<Vec<Scope>> {
    let [requirement] = operation["security"].as_array()?.as_slice() else {
        panic!("one credential will do")
    };
    let scopes = requirement["bearer"].as_array().unwrap().iter();
    Some(scopes.map(|scope| scope.as_str().unwrap().parse().unwrap()).collect())
}

async fn send_with(scopes: Option<Scopes>, method: &str, path: &str) -> Answer {
    let gatekeeper = Gatekeeper::knowing(&[("roster_mine", scopes.unwrap_or_default())]);
    let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
    // A body that is refused wherever it is read: too long, and of no type.
    let request =
        TestRequest::with_uri(&path.replace("{id}", "1")).method(method).set_payload(vec![b' '; 70_000]);
    let request = match scopes {
        Some(_) => request.insert_header((header::AUTHORIZATION, "Bearer roster_mine")),
        None => request,
    };
    ask_past(gatekeeper, in_memory(), Lifecycle::default(), request).await
}

#[actix_web::test]
async fn whatever_is_below_the_base_path_is_for_whoever_has_the_scope_that_is_documented() {
    let document = document();
    for (path, method, operation) in operations(&document) {
        let Some(needed) = scopes(operation) else {
            assert!(!path.starts_with(BASE_PATH), "{method} {path} is for everyone");
            assert_ne!(send_with(None, method, path).await.status, 401, "{method} {path}");
            continue;
        };
        let methods = [Some(method), (method == "get").then_some("head")];
        for method in methods.into_iter().flatten() {
            let nobody = send_with(None, method, path).await;
            assert_eq!(nobody.status, 401, "{method} {path}");
            assert_eq!(nobody.header("www-authenticate"), "Bearer realm=\"roster\"");
            for missing in &needed {
                let others = Scope::ALL.into_iter().filter(|scope| scope != missing).collect();
                let answer = send_with(Some(others), method, path).await;
                assert_eq!(answer.status, 403, "{method} {path} without {}", missing.name());
                let challenge = answer.header("www-authenticate").to_owned();
                let named = Scopes::from_iter(needed.clone()).join(" ");
                assert!(
                    challenge.ends_with(&format!(r#"error="insufficient_scope", scope="{named}""#)),
                    "{challenge}"
                );
            }
            let enough = send_with(Some(needed.iter().copied().collect()), method, path).await;
            assert!(![401, 403].contains(&enough.status.as_u16()), "{method} {path}: {}", enough.body);
        }
    }
}

#[test]
fn operations_have_ids_of_their_own_and_every_reference_leads_somewhere() {
    let document = document();
    let operations = operations(&document);
    let ids: BTreeSet<_> = operations.iter().map(|(.., one)| one["operationId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), operations.len());
    let mut pending = vec![&document];
    while let Some(value) = pending.pop() {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
        if let Some(next) = value.get("operationId").and_then(Value::as_str) {
            assert!(ids.contains(next), "{next}");
        }
        pending.extend(value.as_object().into_iter().flat_map(|members| members.values()));
        pending.extend(value.as_array().into_iter().flatten());
    }
}
