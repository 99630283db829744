//! `roster token`: API tokens, in the file that the server knows them by.

use std::path::Path;

use anyhow::{Context, anyhow};
use clap::Subcommand;
use roster_domain::ports::Clock;

use super::print;
use crate::access::{Scopes, parse_name, parse_scopes, tokens_file};
use crate::clock::SystemClock;
use crate::config::AccessConfig;
use crate::failure::Failure;

/// What can be done with API tokens.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make one, and print it: it is shown this once, and kept nowhere
    New {
        /// What to call it, and whoever uses it: 1 to 64 of letters, digits, ".", "_" and "-"
        #[arg(long, env = "ROSTER_TOKEN_NAME", value_parser = parse_name, value_name = "NAME")]
        name: String,
        /// What it is good for: of users:read, users:write, events:read, events:write and directory:read
        #[arg(long = "scope", env = "ROSTER_TOKEN_SCOPE", value_parser = parse_scopes, value_name = "SCOPE,...")]
        scopes: Scopes,
    },
    /// List them: name, scopes, and when each was made
    List,
    /// Take one back: a server that runs refuses it within seconds
    Revoke {
        /// The name, as `list` tells it
        #[arg(long, env = "ROSTER_TOKEN_REVOKE", value_parser = parse_name, value_name = "NAME")]
        name: String,
    },
}

/// Does what is asked.
///
/// # Errors
///
/// Where no tokens file is set, or it cannot be read or written.
pub(crate) fn token(config: &AccessConfig, command: &TokenCommand) -> Result<(), Failure> {
    let none = || anyhow!("is needed: it is where tokens are known by");
    let path = config.tokens_file.as_deref();
    let path = path.ok_or_else(|| Failure::setting(AccessConfig::TOKENS_FILE, none()))?;
    Ok(run(path, command).with_context(|| path.display().to_string())?)
}

fn run(path: &Path, command: &TokenCommand) -> anyhow::Result<()> {
    match command {
        TokenCommand::New { name, scopes } => {
            print(&format!("{}\n", tokens_file::add(path, name, *scopes, SystemClock.now())?))
        }
        TokenCommand::List => {
            let tokens = tokens_file::list(path)?;
            let line = |token: &crate::access::Token| {
                format!("{}\t{}\t{}\n", token.name, token.scopes.join(","), token.created)
            };
            print(&tokens.iter().map(line).collect::<String>())
        }
        TokenCommand::Revoke { name } => tokens_file::revoke(path, name),
    }
}
