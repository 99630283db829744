//! The feed as server-sent events.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{Error, HttpResponse};
use futures_util::{Stream, StreamExt, stream};
use metrics::gauge;
use roster_domain::services::{FeedPage, FeedService};
use roster_domain::{DomainError, Event, FeedLimit, Position, chain};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tracing::error;

use super::problem::error::ApiError;
use super::request::position::ROSTER_POSITION;
use crate::background::NewestPosition;

pub(super) const MEDIA_TYPE: &str = "text/event-stream";

/// What a client ignores, so that nobody on the way takes the connection for dead.
const HEARTBEAT: &[u8] = b":\n\n";

/// How often a store that does not answer is asked again.
const OUTAGE: Duration = Duration::from_secs(1);

/// How long a stream says nothing at the most: proxies end one that says nothing for a minute.
const SILENCE: Duration = Duration::from_secs(15);

/// Asks nginx not to hold back what is sent until there is more.
const UNBUFFERED: (&str, &str) = ("x-accel-buffering", "no");

/// How long a client waits before it connects again, in milliseconds.
const RECONNECT: &[u8] = b"retry: 1000\n\n";

/// How streams of the feed are served.
#[derive(Clone)]
pub(crate) struct Streams {
    newest: NewestPosition,
    idle: Duration,
    held: Arc<Semaphore>,
}

/// How much of answers may be held for all clients together, which send meanwhile.
const MAX_HELD_BYTES: usize = 64 * 1024 * 1024;

impl Streams {
    /// `newest` tells when there is something to send. Nothing is sent for no longer than half of `idle`.
    pub(crate) fn new(newest: NewestPosition, idle: Duration) -> Self {
        Self { newest, idle, held: Arc::new(Semaphore::new(MAX_HELD_BYTES)) }
    }

    /// Room to hold so many bytes of an answer, until this is dropped; none where others have it.
    pub(super) fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        self.held.clone().try_acquire_many_owned(bytes.try_into().ok()?).ok()
    }

    /// How long a client may neither send what it has begun, nor read what it is sent.
    pub(super) fn idle(&self) -> Duration {
        self.idle
    }

    /// The events after a position, or from the oldest that is kept, for as long as the client stays, but no longer
    /// than until then.
    ///
    /// What goes wrong before the first of them has an answer of its own.
    pub(super) async fn answer(
        &self,
        feed: FeedService,
        after: Option<Position>,
        until: impl Future<Output = ()> + 'static,
    ) -> Result<HttpResponse, ApiError> {
        // Before the page is read, so that what comes while it is read counts as news.
        let mut news = self.newest.clone();
        news.mark_unchanged();
        let first = feed.read(after, FeedLimit::default()).await?;
        let newest = first.newest.to_string();
        let reader = Reader {
            feed,
            // Where nothing is kept, there is nothing before the newest to be told of.
            after: after.unwrap_or(first.newest),
            newest: news,
            is_up_to_date: false,
            heartbeat: SILENCE.min(self.idle / 2),
            _counted: Counted::new(),
        };
        let events = reader.events(first).take_until(until);
        Ok(HttpResponse::Ok()
            .insert_header((header::CONTENT_TYPE, MEDIA_TYPE))
            .insert_header((header::CACHE_CONTROL, "no-cache"))
            .insert_header((header::VARY, "accept"))
            .insert_header(UNBUFFERED)
            .insert_header((ROSTER_POSITION, newest))
            .streaming(events.map(Ok::<_, Error>)))
    }
}

/// One client's place in the feed. The next page is read when the one before was taken, so that a client that
/// is slow is waited for, and never more than a page is held for it.
struct Reader {
    feed: FeedService,
    after: Position,
    newest: NewestPosition,
    /// Nothing is known to come after what was sent.
    is_up_to_date: bool,
    heartbeat: Duration,
    _counted: Counted,
}

impl Reader {
    fn events(self, first: FeedPage) -> impl Stream<Item = Bytes> {
        let begin = stream::once(async { Bytes::from_static(RECONNECT) });
        begin.chain(stream::unfold((self, Some(first)), |(mut reader, first)| async move {
            let chunk = reader.next(first).await?;
            Some((chunk, (reader, None)))
        }))
    }

    /// What to send next; `None` where the client is to connect again, and be told why. It is never empty: that
    /// would be the end of the answer.
    async fn next(&mut self, mut first: Option<FeedPage>) -> Option<Bytes> {
        loop {
            // The store is asked where there is news, and now and then.
            if std::mem::take(&mut self.is_up_to_date) && !self.has_news().await {
                return Some(Bytes::from_static(HEARTBEAT));
            }
            let page = if let Some(page) = first.take() {
                Ok(page)
            } else {
                self.newest.mark_unchanged();
                self.feed.read(Some(self.after), FeedLimit::default()).await
            };
            match page {
                Ok(page) => {
                    self.is_up_to_date = !page.more;
                    if let Some(last) = page.events.last() {
                        self.after = last.position;
                        return Some(page.events.iter().map(render).collect::<String>().into());
                    }
                }
                Err(DomainError::Unavailable { .. }) => {
                    sleep(self.heartbeat.min(OUTAGE)).await;
                    return Some(Bytes::from_static(HEARTBEAT));
                }
                Err(DomainError::Gone { .. }) => return None,
                Err(cause) => {
                    error!(cause = chain(&cause), "a stream of events is broken off");
                    return None;
                }
            }
        }
    }

    /// Waits for an event, but no longer than until a sign of life is due.
    async fn has_news(&mut self) -> bool {
        let due = sleep(self.heartbeat);
        tokio::select! {
            Ok(()) = self.newest.changed() => true,
            () = due => false,
        }
    }
}

fn render(event: &Event) -> String {
    // JSON has no line breaks of its own, so one line holds it.
    let data = serde_json::to_string(event).unwrap_or_default();
    format!("id: {}\nevent: {}\ndata: {data}\n\n", event.position, event.change.event_type())
}

/// A stream that is open, in the measurements.
struct Counted;

impl Counted {
    fn new() -> Self {
        gauge!("roster_event_streams").increment(1.0);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        gauge!("roster_event_streams").decrement(1.0);
    }
}
