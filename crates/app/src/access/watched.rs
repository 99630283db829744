//! A file whose content counts from when it changes: credentials come and go without a restart.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tracing::info;

use crate::outage::Outage;

/// How often a file is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// The most bytes that are read of a file.
const MAX_BYTES: u64 = 1024 * 1024;

/// Reads a file, and from then on whatever becomes of it; what cannot be used is told in the log, and leaves things
/// as they are. It is read whole each time: the time of a change, which file systems round, would not tell of two
/// in a row.
///
/// # Errors
///
/// Where the file as it is now cannot be used.
pub(super) fn watch<T, E>(
    path: &Path,
    parse: fn(&str) -> Result<T, E>,
    what: &'static str,
) -> anyhow::Result<watch::Receiver<Arc<T>>>
where
    T: Send + Sync + 'static,
    E: Display + 'static,
{
    let text = read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let parsed = parse(&text).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
    let (tell, told) = watch::channel(Arc::new(parsed));
    tokio::spawn(follow(path.to_owned(), text, parse, tell, what));
    Ok(told)
}

async fn follow<T, E: Display>(
    path: PathBuf,
    text: String,
    parse: fn(&str) -> Result<T, E>,
    tell: watch::Sender<Arc<T>>,
    what: &'static str,
) {
    let mut known = Some(text);
    let mut outage = Outage::of(what);
    let mut every = interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !tell.is_closed() {
        every.tick().await;
        let at = path.clone();
        let read = tokio::task::spawn_blocking(move || read(&at)).await.map_err(io::Error::other).flatten();
        if read.as_ref().ok() == known.as_ref() {
            continue;
        }
        known = match read.map_err(|error| error.to_string()).map(|text| (parse(&text), text)) {
            Ok((Ok(parsed), text)) => {
                tell.send_replace(Arc::new(parsed));
                outage.is_over();
                info!(file = %path.display(), "read again: {what}");
                Some(text)
            }
            Ok((Err(error), text)) => {
                outage.failed(format!("{}: {error}", path.display()));
                Some(text)
            }
            Err(error) => {
                outage.failed(format!("{}: {error}", path.display()));
                None
            }
        };
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(io::Error::other("it is longer than 1 MiB"));
    }
    Ok(text)
}
