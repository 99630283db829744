//! What the program does other than serve, each command in a file of its own.

mod dead_letters;
mod doctor;
mod export;
mod health;
mod import;
mod migrate;
mod openapi;
mod progress;
mod republish;
mod token;

pub(crate) use dead_letters::{DeadLettersCommand, dead_letters};
pub(crate) use doctor::doctor;
pub(crate) use export::{ExportArgs, export};
pub(crate) use health::{HealthArgs, health};
pub(crate) use import::{ImportArgs, import};
pub(crate) use migrate::migrate;
pub(crate) use openapi::openapi;
pub(crate) use republish::{RepublishArgs, republish};
pub(crate) use token::{TokenCommand, token};

use std::io::{Write, stdout};
use std::path::Path;

use anyhow::{Context, anyhow};

use crate::bulk::Format;
use crate::failure::Failure;
use crate::runtime::runtime;
use crate::signals::Signals;

/// What is written instead of a file's name for standard input or output.
const STANDARD: &str = "-";

/// The format that is asked for, else the one that the file's name tells, else, where there is no name, NDJSON.
fn format(asked: Option<Format>, path: &Path) -> Result<Format, Failure> {
    let standard = || (path == Path::new(STANDARD)).then_some(Format::Ndjson);
    let format = asked.or_else(standard).or_else(|| Format::of_file(path));
    let why = || anyhow!("must be ndjson or csv, as the name {} does not tell which it is", path.display());
    format.ok_or_else(|| Failure::setting("--format", why()))
}

/// Does what a command is to do, to its end or until a signal ends the program.
fn run<T, E: From<anyhow::Error>>(work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    run_with_cleanup(work, || {})
}

/// The same; before a signal ends the program, what is left of the work is put away.
fn run_with_cleanup<T, E: From<anyhow::Error>>(
    work: impl Future<Output = Result<T, E>>,
    clean_up: impl FnOnce() + Send + 'static,
) -> Result<T, E> {
    runtime()?.block_on(async {
        Signals::new()?.end_with_next(clean_up);
        work.await
    })
}

/// Writes to standard output.
fn print(text: &str) -> anyhow::Result<()> {
    stdout().write_all(text.as_bytes()).context("cannot write to standard output")
}
