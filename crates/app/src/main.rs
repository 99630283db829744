//! The program `roster`.

use std::process::ExitCode;

use mimalloc::MiMalloc;
use roster::cli::{Cli, Command};
use roster::telemetry::logging;
use roster::{commands, server};

/// A request takes some sixty small pieces of memory and gives them back: the system's allocator would be a tenth
/// of what it costs.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
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
