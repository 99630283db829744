//! What becomes of one event of others.

use async_nats::jetstream::Message;
use roster_domain::services::{Attempt, InboundService};
use roster_domain::{InboundEvent, Written, chain};
use tokio::time::sleep;
use tracing::{error, info, warn};

use crate::NatsConfig;
use crate::batch::Stop;
use crate::config::LONGEST_PAUSE;
use crate::trace;

/// How often an event may be delivered, and be the first to be handled, before it counts as one that ends whoever
/// handles it. Those behind it are delivered as often, and have done nothing.
const DELIVERIES: i64 = 50;

/// What became of an event.
pub(crate) enum Judged {
    /// It took effect now.
    Applied,
    /// It took effect before.
    Repeated,
    /// It can never succeed, for this reason.
    Dead(String),
    /// Whoever handles events was told to stop.
    Stopped,
}

impl From<Written<()>> for Judged {
    fn from(written: Written<()>) -> Self {
        match written {
            Written::Now(()) => Self::Applied,
            Written::Before(()) => Self::Repeated,
        }
    }
}

/// Lets events take effect.
pub(crate) struct Judge<'a> {
    pub(crate) inbound: &'a InboundService,
    pub(crate) config: &'a NatsConfig,
    pub(crate) stop: &'a Stop,
    /// Whether the event is among the first to be handled of those that were fetched with it.
    pub(crate) is_first: bool,
}

impl Judge<'_> {
    /// Lets an event take effect, in as many attempts as that takes.
    pub(crate) async fn judge(&self, message: &Message, event: Result<&InboundEvent, &String>) -> Judged {
        if self.is_first && message.info().is_ok_and(|info| info.delivered > DELIVERIES) {
            return Judged::Dead(format!("it was delivered more than {DELIVERIES} times, and never settled"));
        }
        match event {
            Ok(event) => self.apply(event).await,
            Err(reason) => Judged::Dead(reason.clone()),
        }
    }

    async fn apply(&self, event: &InboundEvent) -> Judged {
        let mut pauses = self.config.pauses();
        let (mut failures, mut is_held) = (0, false);
        loop {
            match self.inbound.attempt(event, failures).await {
                Attempt::Applied(written) => {
                    if is_held {
                        info!("events take effect again");
                    }
                    return written.into();
                }
                Attempt::Held(error) => {
                    if !std::mem::replace(&mut is_held, true) {
                        error!(cause = chain(&error), "events are held until this one takes effect");
                    }
                }
                Attempt::Failed(error) => {
                    failures += 1;
                    warn!(cause = chain(&error), failures, "an event failed");
                }
                Attempt::Dead(reason) => return Judged::Dead(reason),
            }
            tokio::select! {
                () = sleep(pauses.next().unwrap_or(LONGEST_PAUSE)) => {}
                () = self.stop.clone() => return Judged::Stopped,
            }
        }
    }
}

/// The event that a message holds. Which trace it is part of, the message's headers say, or else the event itself.
pub(crate) fn read(message: &Message) -> Result<InboundEvent, String> {
    let mut event = InboundEvent::from_json(&message.payload)?;
    let told = message.headers.as_ref().and_then(trace::told);
    event.trace = told.or(event.trace);
    Ok(event)
}
