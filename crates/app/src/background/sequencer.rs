use std::sync::Arc;
use std::time::Duration;

use roster_domain::ports::EventLog;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, info};

/// How often committed events are looked for.
const POLL: Duration = Duration::from_millis(100);

/// Gives committed events their positions in the feed, until it is dropped. It may run in any number of
/// programs on one database.
pub async fn sequence_events(events: Arc<dyn EventLog>) {
    let mut polls = interval(POLL);
    polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        polls.tick().await;
        match events.sequence().await {
            Ok(_) if failing => info!("events get their positions again"),
            Err(error) if !failing => error!(cause = %error, "events get no positions"),
            _ => continue,
        }
        failing = !failing;
    }
}
