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
        let arguments: Vec<_> = std::env::args_os().collect();
        Self::from_arguments(&arguments).map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                error.print().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
            }
            _ => {
                report(&one_line(&error, &arguments));
                ExitCode::from(2)
            }
        })
    }

    /// A flag wins over its variable though that be wrong: a variable is read where there is no flag.
    fn from_arguments(arguments: &[OsString]) -> Result<Self, clap::Error> {
        let flags = Self::command().mut_args(|argument| argument.env(None::<&str>));
        let flags = flags.try_get_matches_from(arguments).ok();
        let is_flag = |id: &str| {
            let source = flags.as_ref().and_then(|flags| flags.value_source(id));
            source == Some(ValueSource::CommandLine)
        };
        let command = Self::command().mut_args(|argument| {
            if is_flag(argument.get_id().as_str()) { argument.env(None::<&str>) } else { argument }
        });
        Self::from_arg_matches(&command.try_get_matches_from(arguments)?)
    }
}

/// What is wrong, with the setting's name first. A URL is not repeated: it may hold a password.
fn one_line(error: &clap::Error, arguments: &[OsString]) -> String {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    let values = match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) if error.kind() == ErrorKind::InvalidValue => {
            Some(format!("must be {}", values.join(" or "))).filter(|_| !values.is_empty())
        }
        _ => None,
    };
    if let (Some(flag), Some(wrong)) = (error.get(ContextKind::InvalidArg), cause.or(values)) {
        return format!("{}: {wrong}", setting(&flag.to_string(), arguments));
    }
    let rendered = error.context().fold(error.render().to_string(), |text, (_, value)| match value {
        // A URL where none belongs, as one whose flag was forgotten.
        ContextValue::String(value) if value.contains("://") => text.replace(value, "…"),
        _ => text,
    });
    // What is wrong, what may have been meant, and then what clap says of every fault.
    let told = rendered.trim_start_matches("error: ").split("\n\n").take_while(|part| {
        !["Usage:", "For more"].iter().any(|beginning| part.trim_start().starts_with(beginning))
    });
    let told = told.map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    let told = told.collect::<Vec<_>>().join("; ");
    match value_apart(error) {
        Some(value) => format!("{told}; to give a setting that value, write {value} after an equals sign"),
        None => told,
    }
}

/// A truth that stands where none belongs, as that of a setting which may also stand alone.
fn value_apart(error: &clap::Error) -> Option<&str> {
    let stray = error.get(ContextKind::InvalidArg).or_else(|| error.get(ContextKind::InvalidSubcommand));
    match stray {
        Some(ContextValue::String(stray)) => {
            Some(&**stray).filter(|stray| matches!(*stray, "true" | "false"))
        }
        _ => None,
    }
}

/// A flag, as clap shows it, with the name of its variable: `--listen (ROSTER_LISTEN)`.
fn setting(flag: &str, arguments: &[OsString]) -> String {
    let name = flag.split([' ', '=', '[']).next().unwrap_or(flag);
    let all = Cli::command();
    let mut commands = vec![&all];
    for argument in arguments {
        let within = commands.last().and_then(|command| command.find_subcommand(argument));
        commands.extend(within);
    }
    let mut known = commands.iter().rev().flat_map(|command| command.get_arguments());
    let argument =
        known.find(|argument| argument.get_long().is_some_and(|long| name.strip_prefix("--") == Some(long)));
    match argument.and_then(|argument| argument.get_env()) {
        Some(variable) => format!("{name} ({})", variable.to_string_lossy()),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Cli, String> {
        let all: Vec<_> = ["roster"].iter().chain(arguments).map(OsString::from).collect();
        Cli::from_arguments(&all).map_err(|error| one_line(&error, &all))
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
                 more than 0 and up to thirty years",
            ),
            (
                ["--database-pool-size=0"],
                "--database-pool-size (ROSTER_DATABASE_POOL_SIZE): must be a whole number from 1 to 1024",
            ),
        ] {
            assert_eq!(parse(&arguments).unwrap_err(), expected);
        }
        for (command, commands) in [("token", "new, list, revoke"), ("dead-letters", "list, show, retry")] {
            let told = format!(
                "'roster {command}' requires a subcommand but one was not provided [subcommands: {commands}]"
            );
            assert_eq!(parse(&[command]).unwrap_err(), told);
        }
        for (arguments, expected) in [
            (&["--colour"][..], "unexpected argument '--colour' found"),
            (&["sevre"], "unrecognized subcommand 'sevre'; tip: a similar subcommand exists: 'serve'"),
            (&["--log-format=xml"], "--log-format (ROSTER_LOG_FORMAT): must be text or json"),
            (&["export", "--format=xml"], "--format (ROSTER_EXPORT_FORMAT): must be ndjson or csv"),
            (
                &["token", "new", "--name=c d", "--scope=users:read"],
                "--name (ROSTER_TOKEN_NAME): a name must be 1 to 64 of letters, digits, \".\", \"_\" and \"-\"",
            ),
            (
                &["--allow-anonymous=hunter2"],
                "--allow-anonymous (ROSTER_ALLOW_ANONYMOUS): must be true or false",
            ),
            (&["--migrate=perhaps"], "--migrate (ROSTER_MIGRATE): must be true or false"),
            (
                &["republish", "--after=-1"],
                "--after (ROSTER_REPUBLISH_AFTER): must be a position of the feed, or 0",
            ),
            (
                &["--migrate", "false"],
                "unrecognized subcommand 'false'; to give a setting that value, write false after an equals sign",
            ),
            (
                &["serve", "--migrate", "false"],
                "unexpected argument 'false' found; to give a setting that value, write false after an equals sign",
            ),
        ] {
            assert_eq!(parse(arguments).unwrap_err(), expected);
        }
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
