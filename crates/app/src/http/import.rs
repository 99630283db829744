//! `/users/import`: users in bulk, each line with an outcome of its own, which is told while lines come in.

use std::io;
use std::time::Duration;

use actix_web::http::Method;
use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use roster_domain::services::ImportOptions;
use roster_domain::{Violation, Violations, chain};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tracing::{Span, info};

use super::middleware::access::protected;
use super::middleware::coding;
use super::middleware::limits::Receiving;
use super::problem::error::ApiError;
use super::request::accept;
use super::request::json::{is_utf8, not_taken, not_whole};
use super::request::query::Query;
use super::sse::Streams;
use crate::access::Scope;
use crate::bulk::{self, Format, Outcomes, Reader, Report};
use crate::wiring::Services;

/// How much of an answer of errors alone is held while the client sends: some ten thousand lines that failed.
const MAX_HELD_BYTES: usize = 1024 * 1024;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(protected("/users/import").in_forms_of_its_own().on(
        Method::POST,
        Scope::UsersWrite,
        import,
    ));
}

async fn import(
    services: web::Data<Services>,
    streams: web::Data<Streams>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let asked = ImportRequest::of(&request)?;
    let reader = Reader::new(asked.format, asked.is_gzip);
    let received = received(payload, streams.idle());
    let outcomes = bulk::outcomes(services.import.begin(asked.options), reader, received);
    let most = if asked.report.only_errors { MAX_HELD_BYTES } else { 1 };
    let mut told = Box::pin(told(outcomes, asked.report));
    let held = Receiving::of(&request).stream(held(&streams, &mut told, most)).await?;
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, Format::Ndjson.media_type()));
    let held = stream::iter(held).map(|(part, _room)| Ok(part));
    Ok(coding::respond(&mut response, request.headers(), held.chain(told)))
}

/// A part of an answer, and the room that it takes.
type Held = (Vec<u8>, Option<OwnedSemaphorePermit>);

/// The beginning of an answer, held until it has so many bytes, or is whole: what goes wrong before can still have an
/// answer of its own. Errors alone are held until the client has sent all, while they are little: many a client, and a
/// proxy, sends no more of a body once an answer has begun.
async fn held(
    streams: &Streams,
    told: &mut (impl Stream<Item = io::Result<Vec<u8>>> + Unpin),
    most: usize,
) -> Result<Vec<Held>, ApiError> {
    let (mut held, mut bytes) = (Vec::new(), 0);
    while bytes < most {
        let Some(part) = told.try_next().await.map_err(|cause| not_received(&cause))? else { break };
        bytes += part.len();
        let room = streams.room(part.len());
        let is_last = room.is_none();
        held.push((part, room));
        if is_last {
            break;
        }
    }
    Ok(held)
}

fn not_received(cause: &io::Error) -> ApiError {
    if cause.kind() == io::ErrorKind::TimedOut { ApiError::BodyTimedOut } else { not_whole() }
}

/// What a client asks of an import.
struct ImportRequest {
    format: Format,
    is_gzip: bool,
    options: ImportOptions,
    report: Report,
}

impl ImportRequest {
    fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        if accept::choose(request.headers(), &[Format::Ndjson.media_type()]).is_none() {
            return Err(ApiError::NotAcceptable(Format::Ndjson.media_type()));
        }
        let (format, is_gzip) = (format(request)?, is_gzip(request)?);
        let parameters = Query::of(request);
        let mut broken = Violations::default();
        let dry_run = broken.take(parameters.value("dry_run").map_or(Ok(false), dry_run));
        let report = broken.take(parameters.value("report").map_or_else(|| Ok(Report::default()), report));
        match (dry_run, report) {
            (Some(dry_run), Some(report)) => {
                let mut options = ImportOptions::default();
                options.dry_run = dry_run;
                Ok(Self { format, is_gzip, options, report })
            }
            _ => Err(broken.into()),
        }
    }
}

fn format(request: &HttpRequest) -> Result<Format, ApiError> {
    if !request.headers().contains_key(header::CONTENT_TYPE) {
        return Err(not_taken("A body without Content-Type", &Format::MEDIA_TYPES));
    }
    let media_type = request.content_type().trim();
    match Format::of_media_type(media_type) {
        Some(format) if is_utf8(request) => Ok(format),
        Some(_) => Err(not_taken("Text that is not UTF-8", &Format::MEDIA_TYPES)),
        None => Err(not_taken(&format!("Content-Type {media_type}"), &Format::MEDIA_TYPES)),
    }
}

fn is_gzip(request: &HttpRequest) -> Result<bool, ApiError> {
    match coding::codings(request.headers()).as_slice() {
        [] => Ok(false),
        [coding] if matches!(coding.as_str(), "gzip" | "x-gzip") => Ok(true),
        _ => Err(ApiError::UnsupportedContentCoding("gzip")),
    }
}

fn dry_run(text: &str) -> Result<bool, Violations> {
    text.parse().map_err(|_| Violation::new("dry_run", "Dry run must be true or false").into())
}

fn report(text: &str) -> Result<Report, Violations> {
    match text {
        "all" => Ok(Report::default()),
        "errors" => Ok(Report::of_errors()),
        _ => Err(Violation::new("report", "Report must be all or errors").into()),
    }
}

/// What the client sends. It may take as long as it likes, but not send nothing for longer than `idle`.
fn received(payload: web::Payload, idle: Duration) -> impl Stream<Item = io::Result<Bytes>> + Unpin {
    Box::pin(stream::unfold(payload, move |mut payload| async move {
        let part = match timeout(idle, payload.next()).await {
            Ok(part) => part?.map_err(io::Error::other),
            Err(elapsed) => Err(io::Error::new(io::ErrorKind::TimedOut, elapsed)),
        };
        Some((part, payload))
    }))
}

/// What the client is told. In the log, an import has the request's id.
fn told(
    outcomes: impl Stream<Item = io::Result<Outcomes>>,
    report: Report,
) -> impl Stream<Item = io::Result<Vec<u8>>> {
    let state = (Box::pin(outcomes), Some(report));
    let span = Span::current();
    stream::try_unfold(state, move |(mut outcomes, report)| {
        let span = span.clone();
        async move {
            let Some(mut report) = report else { return Ok(None) };
            let next = outcomes.try_next().await;
            span.in_scope(|| log(&report, &next));
            match next? {
                Some(next) => Ok(Some((span.in_scope(|| report.tell(&next)), (outcomes, Some(report))))),
                None => Ok(Some((report.end(), (outcomes, None)))),
            }
        }
    })
}

/// Tells how an import ended.
fn log(report: &Report, next: &io::Result<Option<Outcomes>>) {
    let &Report { lines, created, failed, .. } = report;
    match next {
        Ok(Some(_)) => {}
        Ok(None) => info!(lines, created, failed, "imported"),
        Err(cause) => info!(lines, created, failed, cause = chain(cause), "an import was broken off"),
    }
}
