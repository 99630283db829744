//! `roster export`: all users, to a file or standard output.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use anyhow::Context;
use futures_util::TryStreamExt;
use roster_domain::ports::UserRepository;
use uuid::Uuid;

use super::progress::Progress;
use super::{STANDARD, format, run_with_cleanup};
use crate::bulk::{Format, Writer, is_gzip};
use crate::config::Config;
use crate::failure::Failure;
use crate::gzip::Gzip;
use crate::replacement::{Replacement, USUAL};
use crate::telemetry::logging;
use crate::tell::tell;
use crate::wiring;

/// Where users are exported to, and how.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub(crate) struct ExportArgs {
    /// The file, or - for standard output; with .gz at the end of its name, compressed
    #[arg(default_value = STANDARD)]
    file: PathBuf,
    /// How to write: ndjson or csv [default: as the file's name says; ndjson for standard output]
    #[arg(
        long,
        env = "ROSTER_EXPORT_FORMAT",
        value_enum,
        hide_possible_values = true,
        value_name = "FORMAT"
    )]
    format: Option<Format>,
}

/// Writes all users, from one snapshot. A file of this name is there when it is whole, and not before.
///
/// # Errors
///
/// Where a setting is wrong, the file cannot be written, or the database fails. Where a reader of standard
/// output goes away, that is no news: it ends with 1, and says nothing.
pub(crate) fn export(config: &Config, args: &ExportArgs) -> Result<ExitCode, Failure> {
    logging::start(&config.log, None);
    let writer = Writer::new(format(args.format, &args.file)?);
    let gzip = is_gzip(&args.file).then(Gzip::default);
    let part = Arc::new(OnceLock::<PathBuf>::new());
    let left = part.clone();
    let remove = move || {
        if let Some(left) = left.get() {
            // One that cannot be removed is known by its name to be a part.
            let _ = fs::remove_file(left);
        }
    };
    let export = async {
        let users = wiring::users_there(&config.database).await?;
        let mut target = Target::open(&args.file)?;
        if let Some(path) = target.part() {
            part.get_or_init(|| path.to_owned());
        }
        let count = write(&*users, &writer, gzip, &mut target).await?;
        target.end()?;
        anyhow::Ok(count)
    };
    match run_with_cleanup(export, remove) {
        Ok(count) => {
            tell(io::stderr(), &format!("{count} users exported"));
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => match error.downcast::<Failure>() {
            Ok(failure) => Err(failure),
            Err(error) if is_broken_pipe(&error) => Ok(ExitCode::FAILURE),
            Err(error) => Err(error.context(format!("cannot export to {}", args.file.display())).into()),
        },
    }
}

/// Writes all users, and tells how many.
async fn write(
    users: &dyn UserRepository,
    writer: &Writer,
    mut gzip: Option<Gzip>,
    target: &mut Target,
) -> anyhow::Result<u64> {
    let (mut count, mut progress) = (0, Progress::of(None));
    target.write(&mut gzip, &writer.begin()?)?;
    let mut batches = users.export();
    while let Some(batch) = batches.try_next().await.context("the database failed")? {
        count += batch.len() as u64;
        target.write(&mut gzip, &writer.users(batch)?)?;
        progress.tell(|| format!("{count} users"));
    }
    if let Some(gzip) = gzip {
        target.write(&mut None, &gzip.end()?)?;
    }
    progress.end();
    Ok(count)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// What is written to.
enum Target {
    /// Standard output, a device or a pipe: none of them is to be replaced by a file.
    Stream(Box<dyn Write>),
    File(Replacement),
}

impl Target {
    fn open(path: &Path) -> anyhow::Result<Self> {
        if path == Path::new(STANDARD) {
            return Ok(Self::Stream(Box::new(io::stdout())));
        }
        if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            return Ok(Self::Stream(Box::new(File::options().write(true).open(path)?)));
        }
        // A name of its own each time: somebody else may export to the same file.
        let end = format!(".{}.part", Uuid::new_v4().simple());
        Replacement::of(path, &end, USUAL).map(Self::File)
    }

    /// Where the file is that is not whole yet, if it is one.
    fn part(&self) -> Option<&Path> {
        match self {
            Self::Stream(_) => None,
            Self::File(file) => Some(file.beside()),
        }
    }

    fn write(&mut self, gzip: &mut Option<Gzip>, plain: &[u8]) -> io::Result<()> {
        let output: &mut dyn Write = match self {
            Self::Stream(stream) => stream,
            Self::File(file) => file,
        };
        match gzip {
            Some(gzip) => output.write_all(&gzip.part(plain)?),
            None => output.write_all(plain),
        }
    }

    fn end(self) -> io::Result<()> {
        match self {
            Self::Stream(mut stream) => stream.flush(),
            Self::File(file) => file.end(),
        }
    }
}
