//! `roster dead-letters`: events of others that can never succeed, for whoever looks after them.

use anyhow::anyhow;
use clap::Subcommand;
use roster_domain::ports::DeadLetter;

use super::{print, run};
use crate::config::Config;
use crate::failure::Failure;
use crate::telemetry::logging;
use crate::wiring;

/// What can be done with dead letters.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub(crate) enum DeadLettersCommand {
    /// List them, oldest first: id, time, subject and reason
    List,
    /// Show one whole
    Show {
        /// The id, as `list` tells it
        id: u64,
    },
    /// Send them again to where they came from, and forget them here
    Retry {
        /// The ids, as `list` tells them
        #[arg(required = true)]
        ids: Vec<u64>,
    },
}

/// Does what is asked.
///
/// # Errors
///
/// Where the broker does not answer, or there is no such dead letter.
pub(crate) fn dead_letters(config: &Config, command: DeadLettersCommand) -> Result<(), Failure> {
    logging::start(&config.log, None);
    run(async {
        let letters = wiring::dead_letters(&config.events).await?;
        match command {
            DeadLettersCommand::List => {
                let letters = letters.list().await.map_err(anyhow::Error::from)?;
                Ok(print(&letters.iter().map(line).collect::<String>())?)
            }
            DeadLettersCommand::Show { id } => {
                let letter = letters.find(id).await.map_err(anyhow::Error::from)?;
                Ok(print(&whole(&letter.ok_or_else(|| nobody(id))?))?)
            }
            DeadLettersCommand::Retry { ids } => {
                for id in ids {
                    if !letters.retry(id).await.map_err(anyhow::Error::from)? {
                        return Err(nobody(id).into());
                    }
                    print(&format!("{id} is sent again\n"))?;
                }
                Ok(())
            }
        }
    })
}

fn nobody(id: u64) -> anyhow::Error {
    anyhow!("there is no dead letter {id}")
}

fn line(letter: &DeadLetter) -> String {
    format!("{}\t{}\t{}\t{}\n", letter.id, letter.at, letter.subject, letter.reason)
}

fn whole(letter: &DeadLetter) -> String {
    let DeadLetter { id, at, reason, subject, stream, sequence, deliveries, payload, is_cut } = letter;
    let payload = String::from_utf8_lossy(payload);
    let rest = if *is_cut { "… (too large to be kept whole)" } else { "" };
    format!(
        "id:         {id}\nsince:      {at}\nreason:     {reason}\nsubject:    {subject}\n\
         stream:     {stream}, message {sequence}\ndeliveries: {deliveries}\n\n{payload}{rest}\n"
    )
}
