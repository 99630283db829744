//! `roster republish`: for a broker that lost what it was told.

use anyhow::anyhow;
use roster_domain::Position;

use super::{print, run};
use crate::config::Config;
use crate::failure::Failure;
use crate::telemetry::logging;
use crate::wiring;

/// Which events are published again.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub(crate) struct RepublishArgs {
    /// The position after which all are; 0 for all that are kept
    #[arg(long, env = "ROSTER_REPUBLISH_AFTER", value_parser = position, value_name = "POSITION")]
    after: Position,
}

fn position(text: &str) -> Result<Position, &'static str> {
    text.parse().ok().and_then(Position::new).ok_or("must be a position of the feed, or 0")
}

/// Has all events after a position published again, by whatever program serves, or will.
///
/// # Errors
///
/// Where the database does not answer, no longer has all of them, or is not that far.
pub(crate) fn republish(config: &Config, args: &RepublishArgs) -> Result<(), Failure> {
    logging::start(&config.log, None);
    run(async {
        let (events, outbox) = wiring::events_there(&config.database).await?;
        let after = args.after;
        let pruned = events.pruned().await.map_err(anyhow::Error::from)?;
        if after < pruned {
            return Err(anyhow!("events up to position {pruned} are no longer kept: begin after that").into());
        }
        let newest = events.newest().await.map_err(anyhow::Error::from)?;
        if after > newest {
            let why = anyhow!("must be at most {newest}, the newest position: nothing comes after {after}");
            return Err(Failure::setting("--after (ROSTER_REPUBLISH_AFTER)", why));
        }
        outbox.rewind(after).await.map_err(anyhow::Error::from)?;
        let told = if after == newest {
            format!("There are no events after {after}: none will be published again\n")
        } else {
            format!(
                "The events after {after}, up to {newest}, will be published again by whoever serves with --nats-url\n"
            )
        };
        Ok(print(&told)?)
    })
}
