//! `roster export`: all users, to a file or standard output.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};

use anyhow::Context;
use futures_util::TryStreamExt;
use roster_domain::ports::UserRepository;

use super::progress::Progress;
use super::{STANDARD, format, tell};
use crate::bulk::{Format, Writer, is_gzip};
use crate::config::Config;
use crate::failure::Failure;
use crate::gzip::Gzip;
use crate::runtime::runtime;
use crate::telemetry::logging;
use crate::wiring;

/// Where users are exported to, and how.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct ExportArgs {
    /// The file, or - for standard output; with .gz at the end of its name, compressed
    #[arg(default_value = STANDARD)]
    file: PathBuf,
    /// How to write: ndjson or csv [default: as the file's name says; ndjson for standard output]
    #[arg(long, value_enum, hide_possible_values = true, value_name = "FORMAT")]
    format: Option<Format>,
}

/// Writes all users, from one snapshot. A file of this name is there when it is whole, and not before.
///
/// # Errors
///
/// Where a setting is wrong, the file cannot be written, or the database fails. Where a reader of standard
/// output goes away, that is no news: it ends with 1, and says nothing.
pub fn export(config: &Config, args: &ExportArgs) -> Result<ExitCode, Failure> {
    logging::start(&config.log, None);
    let writer = Writer::new(format(args.format, &args.file)?);
    let gzip = is_gzip(&args.file).then(Gzip::default);
    let exported = runtime()?.block_on(async {
        let users = wiring::users_there(&config.database).await?;
        let mut target = Target::open(&args.file)?;
        let exported = write(&*users, &writer, gzip, &mut target).await;
        let count = exported.inspect_err(|_| target.give_up())?;
        target.end()?;
        anyhow::Ok(count)
    });
    match exported {
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

/// What is written to. A file has another name until it is whole.
struct Target {
    output: Box<dyn Write>,
    /// The name so far, and the name to be.
    names: Option<(PathBuf, PathBuf)>,
}

impl Target {
    fn open(path: &Path) -> io::Result<Self> {
        if path == Path::new(STANDARD) {
            return Ok(Self { output: Box::new(io::stdout()), names: None });
        }
        // A device or a pipe is not to be replaced by a file.
        if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            return Ok(Self { output: Box::new(File::options().write(true).open(path)?), names: None });
        }
        // Where it is a link, what it leads to is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let mut part = path.clone().into_os_string();
        part.push(format!(".{}.part", process::id()));
        let output = Box::new(File::create_new(&part)?);
        Ok(Self { output, names: Some((part.into(), path)) })
    }

    fn write(&mut self, gzip: &mut Option<Gzip>, plain: &[u8]) -> io::Result<()> {
        match gzip {
            Some(gzip) => self.output.write_all(&gzip.part(plain)?),
            None => self.output.write_all(plain),
        }
    }

    fn end(mut self) -> io::Result<()> {
        self.output.flush()?;
        self.names.map_or(Ok(()), |(part, whole)| fs::rename(part, whole))
    }

    fn give_up(&self) {
        if let Some((part, _)) = &self.names {
            // One that cannot be removed is known by its name to be a part.
            let _ = fs::remove_file(part);
        }
    }
}
