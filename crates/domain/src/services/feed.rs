use std::sync::Arc;

use crate::ports::{EventLog, EventLogError};
use crate::{DomainError, Position};

/// What can be read of the feed of events.
#[derive(Clone)]
pub struct FeedService {
    events: Arc<dyn EventLog>,
}

impl FeedService {
    /// A service on this port.
    pub fn new(events: Arc<dyn EventLog>) -> Self {
        Self { events }
    }

    /// The position of the newest event. Who reads it, then a list, then the events after it, misses nothing.
    pub async fn newest(&self) -> Result<Position, DomainError> {
        Ok(self.events.newest().await?)
    }
}

impl From<EventLogError> for DomainError {
    fn from(error: EventLogError) -> Self {
        match error {
            EventLogError::Unavailable(source) => Self::unavailable(source),
            EventLogError::Internal(source) => Self::Internal(source),
        }
    }
}
