//! How an operation is described: the parts that recur are named, and what every answer has is added.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use utoipa::openapi::content::{Content, ContentBuilder};
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, PathsBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Paths, Ref, RefOr, Required};

use crate::access::{Scope, Scopes};
use crate::http::BASE_PATH;
use crate::http::problem::{Code, Problem};

/// What the document calls the credentials that are asked for.
pub(super) const BEARER: &str = "bearer";

/// What every operation can end in.
const ALWAYS: [Code; 1] = [Code::Internal];

/// What every operation of the API can end in.
const LIMITED: [Code; 2] = [Code::RateLimited, Code::Unavailable];

/// What every answer of the API may have.
const LIMITS: [&str; 2] = ["RateLimit", "RateLimit-Policy"];

/// What a body can be refused for.
pub(super) const BODY: [Code; 5] = [
    Code::MalformedRequest,
    Code::RequestTimeout,
    Code::PayloadTooLarge,
    Code::UnsupportedMediaType,
    Code::Validation,
];

/// An operation that is being described.
pub(super) struct Described {
    operation: OperationBuilder,
    codes: Vec<Code>,
}

/// Describes what a client can do: under which name generated clients have it, and what that is.
pub(super) fn operation(id: &str, tag: &str, summary: &str) -> Described {
    let operation = OperationBuilder::new()
        .operation_id(Some(id))
        .tag(tag)
        .summary(Some(summary))
        .parameter_ref(Ref::new("#/components/parameters/X-Request-Id"));
    Described { operation, codes: ALWAYS.to_vec() }
}

impl Described {
    /// With more to be said.
    pub(super) fn about(self, description: &str) -> Self {
        Self { operation: self.operation.description(Some(description)), ..self }
    }

    /// For whoever has these scopes.
    pub(super) fn needing(self, scopes: impl Into<Scopes>) -> Self {
        let scopes = scopes.into();
        let named = scopes.iter().map(Scope::name);
        let operation = self.operation.security(SecurityRequirement::new(BEARER, named));
        Self { operation, ..self }.failing(&[Code::Unauthenticated, Code::Forbidden])
    }

    /// With parameters, by their names among the components.
    pub(super) fn taking(self, parameters: &[&str]) -> Self {
        let reference = |name: &&str| Ref::new(format!("#/components/parameters/{name}"));
        let operation =
            parameters.iter().map(reference).fold(self.operation, OperationBuilder::parameter_ref);
        Self { operation, ..self }
    }

    /// With a body, which is needed.
    pub(super) fn body<const N: usize>(self, contents: [(&str, Content); N]) -> Self {
        let body = RequestBodyBuilder::new().required(Some(Required::True));
        let body =
            contents.into_iter().fold(body, |body, (media_type, content)| body.content(media_type, content));
        Self { operation: self.operation.request_body(Some(body.build())), ..self }
    }

    /// With an answer.
    pub(super) fn answering(self, status: u16, answer: ResponseBuilder) -> Self {
        let answer = answer.header_ref("X-Request-Id", header("X-Request-Id"));
        Self { operation: self.operation.response(status.to_string(), answer), ..self }
    }

    /// With errors, beside those that every operation can end in.
    pub(super) fn failing(mut self, codes: &[Code]) -> Self {
        self.codes.extend(codes);
        self
    }

    fn build(self) -> Operation {
        let mut by_status = BTreeMap::<u16, Vec<Code>>::new();
        for code in Code::ALL.iter().filter(|code| self.codes.contains(code)) {
            by_status.entry(code.status().as_u16()).or_default().push(*code);
        }
        let described = by_status.into_iter().fold(self.operation, |operation, (status, codes)| {
            operation.response(status.to_string(), problem(&codes))
        });
        described.build()
    }
}

/// Says which headers answers of an operation may have.
fn tell<'a>(answers: impl Iterator<Item = &'a mut RefOr<Response>>, headers: &[&str]) {
    for answer in answers {
        if let RefOr::T(answer) = answer {
            answer.headers.extend(headers.iter().map(|name| ((*name).to_owned(), RefOr::Ref(header(name)))));
        }
    }
}

/// Puts an operation where it is.
pub(super) fn at(paths: &mut Paths, method: HttpMethod, path: &str, described: Described) {
    let is_limited = path.starts_with(BASE_PATH);
    let described = if is_limited { described.failing(&LIMITED) } else { described };
    let mut operation = described.build();
    let answers = &mut operation.responses.responses;
    if is_limited {
        tell(answers.values_mut(), &LIMITS);
    }
    if method == HttpMethod::Patch {
        tell(answers.get_mut("415").into_iter(), &["Accept-Patch"]);
    }
    paths.add_path_operation(path, vec![method], operation);
}

/// No paths yet.
pub(super) fn paths() -> Paths {
    PathsBuilder::new().build()
}

/// An answer without a body.
pub(super) fn empty(description: &str) -> ResponseBuilder {
    ResponseBuilder::new().description(description)
}

/// An answer of JSON, by the name of its schema.
pub(super) fn answer(description: &str, schema: &str) -> ResponseBuilder {
    empty(description).content("application/json", content(schema, None))
}

/// A body by the name of its schema, with an example.
pub(super) fn content(schema: &str, example: Option<Value>) -> Content {
    ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).example(example).build()
}

/// A header of an answer, by its name among the components.
pub(super) fn header(name: &str) -> Ref {
    Ref::new(format!("#/components/headers/{name}"))
}

/// The answer to whatever ends in one of the kinds of error of one status.
fn problem(codes: &[Code]) -> Response {
    let told = |code: &Code| format!("`{}`: {}", code.name(), code.explained().when);
    let description = codes.iter().map(told).collect::<Vec<_>>().join("\n\n");
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem")));
    let content = content.examples_from_iter(codes.iter().map(|code| (code.name(), example(*code))));
    let response = empty(&description).content("application/problem+json", content.build());
    let response = response.header_ref("X-Request-Id", header("X-Request-Id"));
    let told = |code: &Code| match code {
        Code::Unauthenticated | Code::Forbidden => &["WWW-Authenticate"][..],
        Code::UnsupportedMediaType => &["Accept-Encoding"],
        code if code.is_passing() => &["Retry-After"],
        _ => &[],
    };
    let headers: BTreeSet<_> = codes.iter().flat_map(told).collect();
    headers.into_iter().fold(response, |response, name| response.header_ref(*name, header(name))).build()
}

fn example(code: Code) -> ExampleBuilder {
    let problem = Problem::new(code, code.explained().example);
    let body = json!(problem.body("44abbdff-81f6-4dfc-8aad-f1b328792168"));
    ExampleBuilder::new().summary(code.title()).value(Some(body))
}
