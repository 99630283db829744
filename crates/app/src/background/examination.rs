//! A look at the events that are to be published.

use std::sync::Arc;

use async_trait::async_trait;
use roster_domain::chain;
use roster_domain::ports::{EventLog, EventLogError, Examination, Finding, Outbox, SetAside};

/// What a person is told of.
const EVENTS: &str = "events";

/// How many of those that were set aside are counted.
const MOST: usize = 1_000;

/// How far events were told to others.
pub(crate) struct OutboxExamination {
    pub(crate) events: Arc<dyn EventLog>,
    pub(crate) outbox: Arc<dyn Outbox>,
    /// Whether there is a broker to tell.
    pub(crate) are_told: bool,
}

impl OutboxExamination {
    async fn look(&self) -> Result<Finding, EventLogError> {
        let newest = self.events.newest().await?;
        let published = self.outbox.published().await?;
        let told = match newest.get().saturating_sub(published.get()) {
            _ if !self.are_told => format!("{newest} were recorded, for the feed alone"),
            ..=0 => format!("none of {newest} waits to be published"),
            waiting => format!("{waiting} of {newest} wait to be published"),
        };
        let set_aside = self.outbox.set_aside(MOST).await?;
        Ok(match set_aside.as_slice() {
            [] => Finding::ok(EVENTS, told),
            [first, ..] => Finding::warning(EVENTS, format!("{told}; {}", refused(first, set_aside.len()))),
        })
    }
}

/// What the broker refused, and how it is tried again.
fn refused(SetAside { position, reason, .. }: &SetAside, count: usize) -> String {
    let count = if count < MOST { count.to_string() } else { format!("{MOST} or more") };
    format!(
        "set aside, as the broker refused them: {count}, the first at position {position}: {reason}; \
         once it takes them: roster republish --after {}",
        position.get() - 1
    )
}

#[async_trait]
impl Examination for OutboxExamination {
    async fn examine(&self) -> Vec<Finding> {
        vec![self.look().await.unwrap_or_else(|error| Finding::failed(EVENTS, chain(&error)))]
    }
}
