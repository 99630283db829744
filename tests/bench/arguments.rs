//! What is to be measured.

use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::kit::Backend;

#[derive(Parser)]
#[command(bin_name = "bench")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// What the service can do: requests, events, users in bulk
    Service(Service),
    /// What some requests cost in instructions, on SQLite, held against what is recorded
    Count(Count),
}

#[derive(Args)]
pub(super) struct Service {
    /// What to measure [default: all]
    #[arg(value_enum)]
    cases: Vec<Case>,
    /// On which database [default: both]
    #[arg(long, value_enum)]
    on: Option<On>,
    /// How many users there are; as many are imported and exported
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    users: u64,
    /// How long each load is kept up, in seconds, after a third of that to warm up
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// How often all is measured: the medians are told
    #[arg(long, default_value_t = 3)]
    pub(super) rounds: usize,
}

#[derive(Args)]
pub(super) struct Count {
    /// Record what is counted, and hold it against nothing
    #[arg(long)]
    pub(super) record: bool,
    /// Keep the profiles, for `callgrind_annotate`, in this folder
    #[arg(long, value_name = "FOLDER")]
    pub(super) profiles: Option<std::path::PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Case {
    /// A user by a random id, at 1, 32 and 128 connections
    Get,
    /// Twenty users from a random place on
    Page,
    /// A user who is new, at 1, 32 and 128 connections
    Create,
    /// A user whose e-mail another one has
    Taken,
    /// A user who breaks both rules
    Invalid,
    /// A change of a random user, with If-Match
    Patch,
    /// 90 % reads, 8 % creates, 2 % changes
    Mix,
    /// Import and export by the command line, and what is imported published
    Bulk,
    /// From a commit to the broker, at 200 a second
    Latency,
    /// Events of others, applied
    Inbound,
    /// A read and a page at ten times the users
    Growth,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum On {
    Sqlite,
    Postgres,
}

impl Service {
    pub(super) fn wants(&self, case: Case) -> bool {
        self.cases.is_empty() || self.cases.contains(&case)
    }

    pub(super) fn backends(&self) -> Vec<Backend> {
        match self.on {
            Some(On::Sqlite) => vec![Backend::Sqlite],
            Some(On::Postgres) => vec![Backend::Postgres],
            None => vec![Backend::Postgres, Backend::Sqlite],
        }
    }

    pub(super) fn users(&self) -> usize {
        usize::try_from(self.users).expect("a number of users that this machine can count")
    }

    pub(super) fn each(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}

/// As they were given; cargo adds one of its own.
pub(super) fn read() -> Command {
    Arguments::parse_from(std::env::args_os().filter(|argument| argument != "--bench")).command
}
