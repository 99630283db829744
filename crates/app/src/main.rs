//! The program `roster`.

use std::process::ExitCode;

use roster::cli::{Cli, Command};
use roster::{dead_letters, republish, server, setup};

fn main() -> ExitCode {
    let cli = match Cli::from_command_line() {
        Ok(cli) => cli,
        Err(exit) => return exit,
    };
    let done = match cli.command.unwrap_or_default() {
        Command::Serve => server::serve(cli.config),
        Command::Migrate => setup::migrate(cli.config),
        Command::Republish { after } => republish::run(after, &cli.config),
        Command::DeadLetters(command) => dead_letters::run(command, &cli.config),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
