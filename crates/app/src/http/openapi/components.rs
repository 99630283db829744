//! What several operations have in common: headers and parameters, by the names that they are referred to.

use roster_domain::{FeedLimit, PageLimit};
use serde_json::json;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ComponentsBuilder, Object, ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{RefOr, Required, Schema};

use super::operation::BEARER;
use super::rules::{self, integer, text};
use crate::access::Scope;

/// The headers of answers, and the parameters of requests.
pub(super) fn shared(components: ComponentsBuilder) -> ComponentsBuilder {
    let mut components = components.build();
    for (name, header) in headers() {
        components.headers.insert(name.to_owned(), RefOr::T(header));
    }
    for (name, parameter) in parameters() {
        components.parameters.insert(name.to_owned(), RefOr::T(parameter));
    }
    components.add_security_scheme(BEARER, bearer());
    components.into()
}

/// An API token, or a JWT: `Authorization: Bearer TOKEN` (RFC 6750).
fn bearer() -> SecurityScheme {
    let scopes = Scope::ALL.map(|scope| format!("`{}`", scope.name())).join(", ");
    let about = format!(
        "An API token of this service, or a JWT of the issuer that it trusts, with scopes of {scopes}. \
         A service that is set to let everyone in asks for none."
    );
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(about));
    SecurityScheme::Http(bearer.build())
}

fn headers() -> [(&'static str, Header); 13] {
    [
        (
            "WWW-Authenticate",
            header(
                "What credential is asked for, and what is wrong with the one that was sent (RFC 6750).",
                text("").pattern(Some("^Bearer realm=\"roster\"")).build(),
            ),
        ),
        (
            "ETag",
            header(
                "The version of the user, in quotes: a strong entity tag.",
                text("").pattern(Some("^\"[1-9][0-9]*\"$")).build(),
            ),
        ),
        (
            "Location",
            header(
                "Where the user is: relative to this service.",
                text("").pattern(Some("^/api/v1/users/[1-9][0-9]*$")).build(),
            ),
        ),
        (
            "Link",
            header(
                "Where the next page is: relative, with `rel=\"next\"`. The last page has none.",
                text("").pattern(Some("^<[^<>]+>; rel=\"next\"$")).build(),
            ),
        ),
        (
            "Roster-Position",
            header("The newest position of the feed, to follow on from.", integer("", 0).build()),
        ),
        (
            "Retry-After",
            header("After how many seconds the same request may succeed.", integer("", 1).build()),
        ),
        (
            "Accept-Encoding",
            header("How a body may be coded, where it is refused for its coding.", text("").build()),
        ),
        (
            "Accept-Patch",
            header("As what a patch may come, where it is refused for its type.", text("").build()),
        ),
        (
            "RateLimit",
            header(
                "How many requests are left, and in how many seconds all are again; only where a limit is set (draft-ietf-httpapi-ratelimit-headers-09).",
                text("").pattern(Some("^\"client\";r=[0-9]+;t=[0-9]+$")).build(),
            ),
        ),
        (
            "RateLimit-Policy",
            header(
                "How many requests may be sent in a window of so many seconds; only where a limit is set (draft-ietf-httpapi-ratelimit-headers-09).",
                text("").pattern(Some("^\"client\";q=[0-9]+;w=[0-9]+$")).build(),
            ),
        ),
        (
            "Idempotency-Replayed",
            header(
                "Whether this is what the first request with the same key brought about.",
                rules::exactly("true").build(),
            ),
        ),
        (
            "Content-Disposition",
            header(
                "What a file of it may be called (RFC 6266).",
                text("").pattern(Some("^attachment; filename=\"users[.](ndjson|csv)\"$")).build(),
            ),
        ),
        (
            "X-Request-Id",
            header(
                "What the request is called in the log: as its sender called it, or a new UUID.",
                text("").pattern(Some("^[!-~]{1,128}$")).build(),
            ),
        ),
    ]
}

fn header(description: &str, mut schema: Object) -> Header {
    schema.description = None;
    HeaderBuilder::new().description(Some(description)).schema(Some(schema)).build()
}

fn parameters() -> Vec<(&'static str, Parameter)> {
    let limit =
        |max: u16, default: u16| integer("", 1).maximum(Some(max)).default(Some(json!(default))).build();
    let (of_page, of_feed) = (PageLimit::default().get().into(), FeedLimit::default().get());
    let all = [
        ("UserId", path("id", "The user's id.")),
        ("PersonId", path("id", "The person's id in the directory.")),
        (
            "Limit",
            query(
                "limit",
                "How many users there are on a page at the most.",
                limit(PageLimit::MAX.into(), of_page),
            ),
        ),
        (
            "After",
            query(
                "after",
                "Where the page begins: the `next` of the page before, good for the same `order` and filters alone.",
                text("").pattern(Some("^[A-Za-z0-9_-]+$")).build(),
            ),
        ),
        (
            "Order",
            query(
                "order",
                "In which order of ids.",
                rules::one_of(["asc", "desc"]).default(Some(json!("asc"))).build(),
            ),
        ),
        (
            "Email",
            query(
                "email",
                "Only the user with exactly this e-mail, once it is trimmed and lowercased.",
                text("").build(),
            ),
        ),
        ("Name", query("name", "Only users whose names begin so; case does not matter.", rules::prefix())),
        (
            "Count",
            query(
                "count",
                "Whether to count the users of all pages, which takes longer.",
                rules::exactly("exact").build(),
            ),
        ),
        (
            "FeedAfter",
            query(
                "after",
                "After which position to begin; without it, at the oldest event that is kept.",
                integer("", 0).build(),
            ),
        ),
        (
            "FeedLimit",
            query(
                "limit",
                "How many events there are at the most; a stream has no such limit.",
                limit(FeedLimit::MAX, of_feed),
            ),
        ),
        (
            "DryRun",
            query(
                "dry_run",
                "Whether to check the lines alone, and write nothing.",
                ObjectBuilder::new().schema_type(Type::Boolean).default(Some(json!(false))).build(),
            ),
        ),
        (
            "Report",
            query(
                "report",
                "Which outcomes to tell: of all lines, or of those that failed and, last, how many there were.",
                rules::one_of(["all", "errors"]).default(Some(json!("all"))).build(),
            ),
        ),
    ];
    all.into_iter().chain(header_parameters()).collect()
}

/// Bare, or as a string (RFC 8941 §3.3.3), in which a quote or a backslash comes after a backslash.
const IDEMPOTENCY_KEY: &str = r#"^([!#-~][!-~]{0,254}|"([!#-\[\]-~]|\\["\\]){1,255}")$"#;

fn header_parameters() -> [(&'static str, Parameter); 6] {
    [
        (
            "Idempotency-Key",
            of_header(
                "Idempotency-Key",
                "What the client calls this request, so that sending it again makes nothing new: for 24 hours the answer is that of the first.",
                text("").pattern(Some(IDEMPOTENCY_KEY)).build(),
            ),
        ),
        (
            "Content-Encoding",
            of_header(
                "Content-Encoding",
                "How the body is compressed, where it is.",
                text("").enum_values(Some(["gzip", "identity"])).build(),
            ),
        ),
        (
            "If-Match",
            of_header(
                "If-Match",
                "Do it only where the user has one of these versions. Weak tags never match.",
                rules::entity_tags(),
            ),
        ),
        (
            "If-None-Match",
            of_header(
                "If-None-Match",
                "Answer with the user, or do what is asked, only where it has none of these versions.",
                rules::entity_tags(),
            ),
        ),
        (
            "Last-Event-ID",
            of_header(
                "Last-Event-ID",
                "The `id` of the last event that came, of a stream that shall go on from there; it counts more than `after`, and a page does not look at it.",
                text("").build(),
            ),
        ),
        (
            "X-Request-Id",
            of_header(
                "X-Request-Id",
                "What to call the request: 1 … 128 visible ASCII characters. Anything else is replaced.",
                text("").build(),
            ),
        ),
    ]
}

fn path(name: &str, description: &str) -> Parameter {
    let id = integer("", 1).build();
    let parameter = parameter(name, ParameterIn::Path, description, id).required(Required::True);
    parameter.example(Some(json!(1))).build()
}

fn query(name: &str, description: &str, schema: Object) -> Parameter {
    parameter(name, ParameterIn::Query, description, schema).build()
}

fn of_header(name: &str, description: &str, schema: Object) -> Parameter {
    parameter(name, ParameterIn::Header, description, schema).build()
}

fn parameter(name: &str, place: ParameterIn, description: &str, mut schema: Object) -> ParameterBuilder {
    schema.description = None;
    let parameter = ParameterBuilder::new().name(name).parameter_in(place).required(Required::False);
    parameter.description(Some(description)).schema(Some(Schema::Object(schema)))
}
