//! The users service: it reads its settings, wires adapters to the domain, and serves HTTP.
//!
//! Begin at `wiring`, the only place that names an adapter, and at `http`, where each resource has one file with its
//! bodies, handlers and routes.

mod access;
mod asked_once;
mod background;
mod bulk;
mod cli;
mod clock;
mod commands;
mod config;
mod failure;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod gzip;
mod http;
mod no_broker;
mod no_directory;
mod outage;
mod outgoing;
mod replacement;
mod runtime;
mod server;
mod signals;
mod telemetry;
mod tell;
mod wiring;

#[cfg(measuring)]
pub use http::parts;

use std::process::ExitCode;

use cli::{Cli, Command};
use telemetry::logging;

/// Does what the command line says, and tells how that ended.
pub fn run() -> ExitCode {
    let cli = match Cli::from_command_line() {
        Ok(cli) => cli,
        Err(exit) => return exit,
    };
    let log = logging::Finished;
    let done = match cli.command.unwrap_or_default() {
        Command::Serve => server::serve(cli.config).map(|()| ExitCode::SUCCESS),
        Command::Migrate => commands::migrate(cli.config).map(|()| ExitCode::SUCCESS),
        Command::OpenApi => commands::openapi().map(|()| ExitCode::SUCCESS),
        Command::Import(args) => commands::import(&cli.config, &args),
        Command::Export(args) => commands::export(&cli.config, &args),
        Command::Doctor => commands::doctor(&cli.config),
        Command::Health(args) => commands::health(&cli.config, &args),
        Command::Republish(args) => commands::republish(&cli.config, &args).map(|()| ExitCode::SUCCESS),
        Command::Token(command) => commands::token(&cli.config.access, &command).map(|()| ExitCode::SUCCESS),
        Command::DeadLetters(command) => {
            commands::dead_letters(&cli.config, command).map(|()| ExitCode::SUCCESS)
        }
    };
    drop(log);
    done.unwrap_or_else(|failure| failure.report())
}
