//! `/events`: the feed of what happened here, and what others tell us; bodies, handlers and routes.

use actix_web::body;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, web};
use metrics::counter;
use roster_domain::services::FeedPage;
use roster_domain::{Event, FeedLimit, InboundEvent, Position, Violation, Violations, Written};
use serde_json::value::RawValue;

use super::BASE_PATH;
use super::middleware::access::{principal, protected};
use super::middleware::lifecycle::Lifecycle;
use super::problem::error::ApiError;
use super::request::accept;
use super::request::json::{self, Body, Json};
use super::request::position::{self, ROSTER_POSITION};
use super::request::query::Query;
use super::sse::{self, Streams};
use crate::access::{Gatekeeper, Principal, Scope};
use crate::wiring::Services;

pub(super) const BATCH: &str = "application/cloudevents-batch+json";
pub(super) const STRUCTURED: &str = "application/cloudevents+json";

/// The most broken rules of a batch that are told: there can be more of them than it has bytes.
const MOST_TOLD: usize = 100;

/// The forms of the feed, the one first that is chosen where a client does not care.
const FORMS: [&str; 3] = [BATCH, "application/json", sse::MEDIA_TYPE];

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(protected("/events").in_forms_of_its_own().on(Method::GET, Scope::EventsRead, feed).on(
        Method::POST,
        Scope::EventsWrite,
        take,
    ));
}

async fn feed(
    services: web::Data<Services>,
    streams: web::Data<Streams>,
    lifecycle: web::Data<Lifecycle>,
    gatekeeper: web::Data<Gatekeeper>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let form = accept::choose(request.headers(), &FORMS);
    let form =
        form.ok_or(ApiError::NotAcceptable("application/cloudevents-batch+json or text/event-stream"))?;
    let mut asked = FeedRequest::of(&request)?;
    if form == sse::MEDIA_TYPE {
        asked.after = last_event_id(request.headers())?.or(asked.after);
        let until = over(lifecycle, gatekeeper, principal(&request)?);
        let stream = streams.answer(services.feed.clone(), asked.after, until).await?;
        // Whoever asks for the head alone is sent nothing more; a stream would go on beside it for ever.
        let head_only = request.method() == Method::HEAD;
        return Ok(if head_only { stream.set_body(body::None::new()).map_into_boxed_body() } else { stream });
    }
    let page = services.feed.read(asked.after, asked.limit).await?;
    Ok(answer(&page, &asked))
}

/// Ends once the program is told to stop, or whoever follows the feed may do so no longer.
async fn over(lifecycle: web::Data<Lifecycle>, gatekeeper: web::Data<Gatekeeper>, follower: Principal) {
    tokio::select! {
        () = lifecycle.stopping() => {}
        () = gatekeeper.revoked(&follower) => {}
    }
}

/// Lets events of others take effect, one after the other.
async fn take(
    services: web::Data<Services>,
    Json(InboundRequest(events)): Json<InboundRequest>,
) -> Result<HttpResponse, ApiError> {
    for event in &events {
        let outcome = match services.inbound.apply(event).await? {
            Written::Now(()) => "applied",
            Written::Before(()) => "repeated",
        };
        counter!("roster_inbound_events_total", "outcome" => outcome).increment(1);
    }
    Ok(HttpResponse::Accepted().finish())
}

/// What a client asks of the feed.
struct FeedRequest {
    after: Option<Position>,
    limit: FeedLimit,
    parameters: Query,
}

impl FeedRequest {
    fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        let parameters = Query::of(request);
        let mut broken = Violations::default();
        let after = parameters.value("after").map(position::parse).transpose().map_err(Violations::from);
        let limit = parameters.value("limit").map_or(Ok(FeedLimit::default()), limit);
        match (broken.take(after), broken.take(limit)) {
            (Some(after), Some(limit)) => Ok(Self { after, limit, parameters }),
            _ => Err(broken.into()),
        }
    }
}

fn limit(text: &str) -> Result<FeedLimit, Violations> {
    // A number that is no i64 is out of range as well.
    Ok(FeedLimit::new(text.parse().unwrap_or(0))?)
}

/// Where a client of a stream left off: it counts more than what its URL says, as that stays the same.
fn last_event_id(headers: &HeaderMap) -> Result<Option<Position>, ApiError> {
    let Some(id) = headers.get("last-event-id").filter(|id| !id.is_empty()) else { return Ok(None) };
    let position = id.to_str().ok().and_then(|id| position::parse(id.trim()).ok());
    let malformed = || ApiError::Malformed("Last-Event-ID is no position of the feed".to_owned());
    position.map(Some).ok_or_else(malformed)
}

fn answer(page: &FeedPage, asked: &FeedRequest) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((ROSTER_POSITION, page.newest.to_string()));
    response.insert_header((header::CONTENT_TYPE, BATCH));
    response.insert_header((header::VARY, "accept"));
    if let Some(last) = page.events.last().filter(|_| page.more) {
        let link =
            asked.parameters.next(&format!("{BASE_PATH}/events"), &["limit"], &last.position.to_string());
        response.insert_header((header::LINK, link));
    }
    response.body(render(&page.events))
}

fn render(events: &[Event]) -> Vec<u8> {
    // What is rendered has no maps with odd keys, so that it cannot fail.
    serde_json::to_vec(events).unwrap_or_default()
}

/// The body of a `POST`: events, each of which is well-formed.
struct InboundRequest(Vec<InboundEvent>);

impl Body for InboundRequest {
    const MEDIA_TYPES: &'static [&'static str] = &[STRUCTURED, BATCH];

    fn read(media_type: &str, body: &[u8]) -> Result<Self, ApiError> {
        let body: &RawValue = json::parse(body)?;
        if media_type != BATCH {
            return Ok(Self(vec![InboundEvent::from_cloudevent(body)?]));
        }
        let events = serde_json::from_str::<Vec<&RawValue>>(body.get());
        let no_array = |_| Violation::new("body", "Request body must be a JSON array of events");
        Ok(Self(batch(&events.map_err(no_array)?)?))
    }
}

/// All events of a batch; or the rules that they break, each with the index of its event, counted from 0.
fn batch(events: &[&RawValue]) -> Result<Vec<InboundEvent>, Violations> {
    let (mut broken, mut read) = (Violations::default(), Vec::with_capacity(events.len()));
    for (index, json) in events.iter().enumerate() {
        let event = InboundEvent::from_cloudevent(json);
        read.extend(broken.take(event.map_err(|broken| broken.of_nth("Event", index))));
        if broken.iter().len() > MOST_TOLD {
            break;
        }
    }
    broken.first(MOST_TOLD, "body").or(read)
}
