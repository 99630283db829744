use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::ports::{EventPublisher, PublishError};
use crate::testing::contract::StagedBroker;
use crate::{Change, Event, EventId, Name};

/// A broker in memory, which keeps what is published to it. A clone is another handle of the same.
#[derive(Debug, Clone, Default)]
pub struct InMemoryBroker {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    kept: Vec<Event>,
    is_away: bool,
    refuses: Option<fn(&Event) -> bool>,
}

impl InMemoryBroker {
    /// What it keeps, in its order.
    pub fn published(&self) -> Vec<Event> {
        self.state().kept.clone()
    }

    /// Whether it is away from here on, and takes nothing for now.
    pub fn set_away(&self, is_away: bool) {
        self.state().is_away = is_away;
    }

    /// Refuses such events for good from here on.
    pub fn refuse(&self, refuses: fn(&Event) -> bool) {
        self.state().refuses = Some(refuses);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, event: &Event) -> Result<(), PublishError> {
        if self.is_away {
            return Err(PublishError::Unavailable("the broker is away".into()));
        }
        if self.refuses.is_some_and(|refuses| refuses(event)) {
            return Err(PublishError::Refused("the broker refuses such events".into()));
        }
        if self.kept.iter().all(|kept| kept.id != event.id) {
            self.kept.push(event.clone());
        }
        Ok(())
    }
}

#[async_trait]
impl EventPublisher for InMemoryBroker {
    async fn publish(&self, events: &[Event]) -> Vec<Result<(), PublishError>> {
        let mut state = self.state();
        events.iter().map(|event| state.take(event)).collect()
    }
}

#[async_trait]
impl StagedBroker for InMemoryBroker {
    fn publisher(&self) -> &dyn EventPublisher {
        self
    }

    async fn kept(&self) -> Vec<EventId> {
        self.published().iter().map(|event| event.id).collect()
    }

    async fn refuse_the_longest_names(&self) {
        self.refuse(|event| match &event.change {
            Change::UserCreated(user) | Change::UserUpdated(user) | Change::UserDeleted(user) => {
                user.name.as_str().len() == 4 * Name::MAX_CHARS
            }
        });
    }

    async fn take_away(&self) {
        self.set_away(true);
    }

    async fn bring_back(&self) {
        self.set_away(false);
    }
}
