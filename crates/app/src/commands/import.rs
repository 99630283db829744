//! `roster import`: users from a file or standard input.

use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, anyhow};
use bytes::Bytes;
use futures_util::{Stream, TryStreamExt, stream};
use roster_domain::services::{ImportOptions, ImportService};

use super::progress::Progress;
use super::{STANDARD, format, run};
use crate::bulk::{self, Format, Outcomes, Reader, Report};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::failure::Failure;
use crate::telemetry::logging;
use crate::tell::tell;
use crate::wiring;

/// How much of a file is read at once.
const PART: usize = 64 * 1024;

/// What is imported, and how.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub(crate) struct ImportArgs {
    /// The file, or - for standard input; with .gz at the end of its name, compressed
    file: PathBuf,
    /// How the file is written: ndjson or csv [default: as its name says; ndjson for standard input]
    #[arg(
        long,
        env = "ROSTER_IMPORT_FORMAT",
        value_enum,
        hide_possible_values = true,
        value_name = "FORMAT"
    )]
    format: Option<Format>,
    /// Write nothing; tell which lines would fail
    #[arg(
        long, env = "ROSTER_IMPORT_DRY_RUN",
        action = clap::ArgAction::Set, default_value_t = false, hide_possible_values = true,
        num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL"
    )]
    dry_run: bool,
    /// Tell which lines fail, and why, in this file, a JSON object each, and not on standard error
    #[arg(long, env = "ROSTER_IMPORT_ERRORS", value_name = "FILE")]
    errors: Option<PathBuf>,
}

/// Makes users of the lines of a file. A line whose user is there already, with the same name, is none that
/// failed: so an import that was interrupted and is run again finishes the rest.
///
/// It ends with 1 where a line failed.
///
/// # Errors
///
/// Where a setting is wrong, the file cannot be read, or the database fails.
pub(crate) fn import(config: &Config, args: &ImportArgs) -> Result<ExitCode, Failure> {
    logging::start(&config.log, None);
    let format = format(args.format, &args.file)?;
    let reader = Reader::new(format, bulk::is_gzip(&args.file));
    let mut options = ImportOptions::default();
    (options.dry_run, options.resume) = (args.dry_run, true);
    let report = run(async {
        let unreadable = || format!("cannot read {}", args.file.display());
        let file = open(&args.file).with_context(unreadable)?;
        let imported = file.metadata().with_context(unreadable)?;
        refuse_to_overwrite(args.errors.as_deref(), &imported)?;
        let length = imported.is_file().then_some(imported.len());
        let users = if args.dry_run {
            wiring::users_there(&config.database).await?
        } else {
            wiring::users(&config.database).await?
        };
        // What an earlier import told is there until this one has begun.
        let failed = Failed::to(args.errors.as_deref())?;
        let import = ImportService::new(users, Arc::new(SystemClock)).begin(options);
        let read = Arc::new(AtomicU64::new(0));
        let outcomes = bulk::outcomes(import, reader, parts(file, read.clone()));
        tell_outcomes(outcomes, failed, Progress::of(length), &read, args).await
    })?;
    tell(io::stdout(), &words(&report, args.dry_run));
    Ok(if report.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn tell_outcomes(
    outcomes: impl Stream<Item = io::Result<Outcomes>>,
    mut failed: Failed,
    mut progress: Progress,
    read: &AtomicU64,
    args: &ImportArgs,
) -> Result<Report, Failure> {
    let mut outcomes = pin!(outcomes);
    let mut report = Report::of_errors();
    let unreadable = || format!("cannot read {}", args.file.display());
    while let Some(outcomes) = outcomes.try_next().await.with_context(unreadable)? {
        let told = report.tell(&outcomes);
        failed.tell(&told, &outcomes, &progress).context("cannot write the failed lines")?;
        if report.is_broken {
            progress.end();
            let done = report.created + report.there;
            return Err(
                anyhow!("the database failed; {done} lines are done: run it again for the rest").into()
            );
        }
        progress.is_at(read.load(Ordering::Relaxed));
        progress.tell(|| words(&report, args.dry_run));
    }
    progress.end();
    Ok(report)
}

fn words(report: &Report, is_dry_run: bool) -> String {
    let &Report { lines, created, there, failed, .. } = report;
    if is_dry_run {
        return format!("{lines} lines: {} are valid, {failed} failed; nothing was written", lines - failed);
    }
    format!("{lines} lines: {created} created, {there} there already, {failed} failed")
}

/// The file; for standard input, a handle of its own, as of any file.
fn open(path: &Path) -> io::Result<File> {
    if path == Path::new(STANDARD) {
        return Ok(io::stdin().as_fd().try_clone_to_owned()?.into());
    }
    File::open(path)
}

/// The file, part by part, and how much of it was read. Whoever waits for a part has nothing else to do.
fn parts(mut file: File, read: Arc<AtomicU64>) -> impl Stream<Item = io::Result<Bytes>> + Unpin {
    let mut next = move || loop {
        let mut part = vec![0; PART];
        match file.read(&mut part) {
            Ok(length) => {
                part.truncate(length);
                read.fetch_add(length as u64, Ordering::Relaxed);
                return Ok(Bytes::from(part));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    };
    let is_part = |part: &io::Result<Bytes>| part.as_ref().map_or(true, |part| !part.is_empty());
    stream::iter(std::iter::from_fn(move || Some(next()).filter(is_part)))
}

/// The file that is read is not to be the one in which lines that fail are told.
fn refuse_to_overwrite(errors: Option<&Path>, imported: &Metadata) -> Result<(), Failure> {
    let of = |file: &Metadata| (file.dev(), file.ino());
    let there = errors.and_then(|path| path.metadata().ok());
    if imported.is_file() && there.is_some_and(|there| of(&there) == of(imported)) {
        let why = anyhow!("must be another file than the one that is imported");
        return Err(Failure::setting("--errors", why));
    }
    Ok(())
}

/// Where lines that failed are told.
enum Failed {
    ToFile(File),
    ToStandardError,
}

impl Failed {
    fn to(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self::ToStandardError) };
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self::ToFile(file))
    }

    fn tell(&mut self, told: &[u8], outcomes: &Outcomes, progress: &Progress) -> io::Result<()> {
        match self {
            Self::ToFile(file) => file.write_all(told)?,
            Self::ToStandardError => {
                for outcome in outcomes {
                    if let Err(error) = &outcome.result {
                        progress.line(&format!("line {}: {}", outcome.line, error.told().1));
                    }
                }
            }
        }
        Ok(())
    }
}
