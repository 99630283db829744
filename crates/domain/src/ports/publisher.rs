use async_trait::async_trait;
use thiserror::Error;

use crate::{BoxError, Event};

/// Tells others of events, by way of a broker.
///
/// # When this port changes
///
/// A new kind of [`Change`](crate::Change) is published like any other, by its
/// [type](crate::Change::event_type) and [subject](crate::Change::subject): a publisher that looks into changes
/// has to know what to do with one that it does not know. A new [`PublishError`] tells the relay a new way to go
/// on; a publisher that never returns it is as right as before.
/// `publisher_contract!` holds it to all that is promised here.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait EventPublisher: Send + Sync {
    /// Hands events to the broker, in their order, and tells what became of each, in their order. `Ok` is an
    /// event that the broker keeps: now, or since an earlier call, as an event may be published again.
    ///
    /// One that fails does not keep later ones of the same call from being published: what must not overtake
    /// something else belongs in a call of its own.
    async fn publish(&self, events: &[Event]) -> Vec<Result<(), PublishError>>;
}

/// Why an event was not published.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The broker does not answer, or has no room; it may later.
    #[error("the broker does not take events")]
    Unavailable(#[source] BoxError),
    /// The broker will never take this event.
    #[error("the broker refused the event")]
    Refused(#[source] BoxError),
}
