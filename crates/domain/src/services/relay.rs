use std::collections::HashSet;
use std::sync::Arc;

use crate::ports::{Clock, EventLogError, EventPublisher, Outbox, PublishError, SetAside, Unpublished};
use crate::{BoxError, Event, Position, Timestamp, chain};

/// How many events are read and published at once.
const BATCH: usize = 500;

/// Publishes what is recorded, in the order of positions.
#[derive(Clone)]
pub struct RelayService {
    outbox: Arc<dyn Outbox>,
    publisher: Arc<dyn EventPublisher>,
    clock: Arc<dyn Clock>,
}

/// What one call of [`RelayService::relay`] did.
#[derive(Debug, Default)]
#[must_use = "it may tell of a failure, or that there is more"]
#[non_exhaustive]
pub struct Relayed {
    /// How many events were published.
    pub published: usize,
    /// The events that the broker will never take.
    pub set_aside: Vec<SetAside>,
    /// What kept the rest from being published, for now.
    pub failure: Option<BoxError>,
    /// Whether there may be more to publish at once.
    pub more: bool,
    /// Up to where all events are published, or set aside; none where there were none to publish.
    pub up_to: Option<Position>,
    /// When the last event was made that was looked at: those that wait are no older.
    pub looked_at: Option<Timestamp>,
}

impl RelayService {
    /// A service on these ports.
    pub fn new(outbox: Arc<dyn Outbox>, publisher: Arc<dyn EventPublisher>, clock: Arc<dyn Clock>) -> Self {
        Self { outbox, publisher, clock }
    }

    /// Publishes the next events, and moves the mark over those that need not be published again. One relay
    /// does so at a time, who has the [lead](Outbox::lead); what two would do at once is published twice.
    ///
    /// The events of one user go out in their order: each waits until the broker keeps the one before. An event
    /// that the broker refuses for good is set aside, and those after it go on. Where the broker fails for the
    /// moment, the first event that it did not take is the next to be tried.
    pub async fn relay(&self) -> Result<Relayed, EventLogError> {
        self.relay_some(BATCH).await
    }

    /// The same of the next event alone: for a broker that failed a moment ago, which is not to be handed all of them
    /// again and again.
    pub async fn relay_one(&self) -> Result<Relayed, EventLogError> {
        self.relay_some(1).await
    }

    async fn relay_some(&self, most: usize) -> Result<Relayed, EventLogError> {
        let mut relayed = Relayed::default();
        let Some(Unpublished { mark, events }) = self.outbox.unpublished(most).await? else {
            return Ok(relayed);
        };
        relayed.more = events.len() == most;
        let mut up_to = None;
        for wave in waves(&events) {
            up_to = self.publish(wave, &mut relayed).await.or(up_to);
            if relayed.failure.is_some() {
                relayed.more = false;
                break;
            }
        }
        if let Some(up_to) = up_to {
            self.outbox.mark_published(mark, up_to, relayed.set_aside.clone()).await?;
        }
        let before_all = events.first().and_then(|first| Position::new(first.position.get() - 1));
        relayed.up_to = up_to.or(before_all);
        Ok(relayed)
    }

    /// Publishes events of different users, and tells the last before the first that failed for the moment.
    async fn publish(&self, wave: &[Event], relayed: &mut Relayed) -> Option<Position> {
        let mut last = None;
        let mut outcomes = self.publisher.publish(wave).await.into_iter();
        for event in wave {
            relayed.looked_at = Some(event.time);
            let untold = || Err(PublishError::Unavailable("what became of the event was not told".into()));
            match outcomes.next().unwrap_or_else(untold) {
                Ok(()) => relayed.published += 1,
                Err(PublishError::Refused(reason)) => relayed.set_aside.push(self.set_aside(event, &*reason)),
                Err(PublishError::Unavailable(cause)) => {
                    relayed.failure = Some(cause);
                    return last;
                }
            }
            last = Some(event.position);
        }
        last
    }

    fn set_aside(&self, event: &Event, reason: &(dyn std::error::Error + 'static)) -> SetAside {
        SetAside { position: event.position, reason: chain(reason), at: self.clock.now() }
    }
}

/// The events, cut wherever a user comes for a second time: what is in one wave may overtake what is in the same.
fn waves(events: &[Event]) -> impl Iterator<Item = &[Event]> {
    let mut subjects = HashSet::new();
    events.chunk_by(move |before, event| {
        subjects.insert(before.change.subject());
        let is_new = !subjects.contains(&event.change.subject());
        if !is_new {
            subjects.clear();
        }
        is_new
    })
}

#[cfg(test)]
mod tests;
