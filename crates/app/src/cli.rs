//! The command line.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::commands::{DeadLettersCommand, ExportArgs, HealthArgs, ImportArgs, RepublishArgs, TokenCommand};
use crate::config::Config;
use crate::failure::report;

/// A users service over REST, on SQLite or PostgreSQL.
#[derive(Debug, Parser)]
#[command(name = "roster", version, disable_help_subcommand = true, subcommand_value_name = "COMMAND")]
pub(crate) struct Cli {
    /// What to do; to serve, where nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The settings, which every command takes.
    #[command(flatten)]
    pub config: Config,
}

/// What the program can do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Subcommand)]
pub(crate) enum Command {
    /// Serve the API over HTTP (the default)
    #[default]
    Serve,
    /// Bring the database's schema up to date, and end
    Migrate,
    /// Have events published again, for a broker that lost them
    Republish(RepublishArgs),
    /// Print the API's description (OpenAPI 3.1), and end
    #[command(name = "openapi")]
    OpenApi,
    /// See to events of others that can never succeed
    #[command(subcommand, arg_required_else_help = false)]
    DeadLetters(DeadLettersCommand),
    /// See to API tokens
    #[command(subcommand, arg_required_else_help = false)]
    Token(TokenCommand),
    /// Make users of the lines of a file, directly in the database
    Import(ImportArgs),
    /// Write all users to a file, directly from the database
    Export(ExportArgs),
    /// Look at all that the program stands on, and say what was found; nothing is changed
    Doctor,
    /// Ask the program that serves here how it is; for health checks of containers
    Health(HealthArgs),
}

impl Cli {
    /// Reads the arguments and the environment. Where there is nothing to run, help having been asked for
    /// or a setting being wrong, what there was to say has been said.
    ///
    /// # Errors
    ///
    /// The status to end with: 0 after help, 2 after a wrong setting.
    pub(crate) fn from_command_line() -> Result<Self, ExitCode> {
        Self::from_arguments(std::env::args_os()).map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                error.print().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
            }
            _ => {
                report(&one_line(&error));
                ExitCode::from(2)
            }
        })
    }

    /// A flag wins over its variable though that be wrong: a variable is read where there is no flag.
    fn from_arguments(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let arguments: Vec<_> = arguments.into_iter().collect();
        let flags = Self::command().mut_args(|argument| argument.env(None::<&str>));
        let flags = flags.try_get_matches_from(&arguments).ok();
        let is_flag = |id: &str| {
            let source = flags.as_ref().and_then(|flags| flags.value_source(id));
            source == Some(ValueSource::CommandLine)
        };
        let command = Self::command().mut_args(|argument| {
            if is_flag(argument.get_id().as_str()) { argument.env(None::<&str>) } else { argument }
        });
        Self::from_arg_matches(&command.try_get_matches_from(&arguments)?)
    }
}

/// What is wrong, with the setting's name first. A value is not repeated: it may hold a password.
fn one_line(error: &clap::Error) -> String {
    let cause = std::error::Error::source(error);
    if let (Some(flag), Some(cause)) = (error.get(ContextKind::InvalidArg), cause) {
        return format!("{}: {cause}", setting(&flag.to_string()));
    }
    let rendered = error.context().fold(error.render().to_string(), |text, (_, value)| match value {
        // A URL where none belongs, as one whose flag was forgotten.
        ContextValue::String(value) if value.contains("://") => text.replace(value, "…"),
        _ => text,
    });
    let lines = rendered.lines().take_while(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ").trim_start_matches("error: ").to_owned()
}

/// A flag, as clap shows it, with the name of its variable: `--listen (ROSTER_LISTEN)`.
fn setting(flag: &str) -> String {
    let name = flag.split([' ', '=', '[']).next().unwrap_or(flag);
    let command = Cli::command();
    let argument = command
        .get_arguments()
        .find(|argument| argument.get_long().is_some_and(|long| name.strip_prefix("--") == Some(long)));
    match argument.and_then(|argument| argument.get_env()) {
        Some(variable) => format!("{name} ({})", variable.to_string_lossy()),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Cli, String> {
        let all = ["roster"].iter().chain(arguments).map(OsString::from);
        Cli::from_arguments(all).map_err(|error| one_line(&error))
    }

    #[test]
    fn clap_finds_no_fault_in_the_command_line() {
        Cli::command().debug_assert();
    }

    #[test]
    fn to_serve_is_the_default_and_settings_stand_before_or_after_a_command() {
        assert_eq!(parse(&[]).unwrap().command, None);
        for arguments in [["--database-pool-size=7", "migrate"], ["migrate", "--database-pool-size=7"]] {
            let cli = parse(&arguments).unwrap();
            assert_eq!(cli.command, Some(Command::Migrate));
            assert_eq!(cli.config.database.pool_size.map(usize::from), Some(7));
        }
    }

    #[test]
    fn a_bad_setting_is_told_in_one_line_that_names_it() {
        for (arguments, expected) in [
            (
                ["--listen=nowhere"],
                "--listen (ROSTER_LISTEN): must be an address and a port, such as 127.0.0.1:8080",
            ),
            (
                ["--request-timeout=soon"],
                "--request-timeout (ROSTER_REQUEST_TIMEOUT): must be a number of seconds, such as 10 or 0.5, \
                 up to thirty years",
            ),
            (
                ["--database-pool-size=0"],
                "--database-pool-size (ROSTER_DATABASE_POOL_SIZE): must be a whole number from 1 to 1024",
            ),
        ] {
            assert_eq!(parse(&arguments).unwrap_err(), expected);
        }
        assert_eq!(parse(&["--colour"]).unwrap_err(), "unexpected argument '--colour' found");
        for (command, commands) in [("token", "new, list, revoke"), ("dead-letters", "list, show, retry")] {
            let told = format!(
                "'roster {command}' requires a subcommand but one was not provided   [subcommands: {commands}]"
            );
            assert_eq!(parse(&[command]).unwrap_err(), told);
        }
        assert!(
            parse(&["--log-format=xml"]).unwrap_err().starts_with("invalid value 'xml' for '--log-format")
        );
    }

    #[test]
    fn a_bad_database_url_is_told_without_its_password() {
        let told = parse(&["--database-url=mysql://ada:secret@db/users"]).unwrap_err();
        assert_eq!(
            told,
            "--database-url (DATABASE_URL): must begin with sqlite:, postgres:// or postgresql://"
        );
    }

    #[test]
    fn a_url_that_stands_where_none_belongs_is_not_told() {
        for arguments in [
            &["postgres://ada:hunter2@db/users"][..],
            &["postgres://ada:it's hunter2@db/users"],
            &["migrate", "postgres://ada:hunter2@db/users"],
            &["--database=postgres://ada:hunter2@db/users"],
            &["--log-format=postgres://ada:hunter2@db/users"],
            &["--allow-anonymous=postgres://ada:hunter2@db/users"],
        ] {
            let told = parse(arguments).unwrap_err();
            assert!(!told.contains("hunter2") && !told.contains("ada"), "{told}");
        }
        let told = parse(&["postgres://ada:hunter2@db/users"]).unwrap_err();
        assert_eq!(told, "unrecognized subcommand '…'");
    }
}
