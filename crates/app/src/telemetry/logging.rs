//! The log: what the program says of itself on standard error, a line each.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::panic::{self, PanicHookInfo};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use chrono::Utc;
use json_subscriber::JsonLayer;
use roster_domain::Timestamp;
use tracing::error;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt, registry};

use super::patient::Patient;
use super::plain::Plain;
use crate::config::{LogConfig, LogFormat};

/// How many lines wait at the most to be written. Whoever has one more to say waits, too: for no more than a fraction of
/// a second, as lines that nobody reads are kept elsewhere, or dropped.
const WAITING: usize = 4_096;

/// How much of what waits is written at once.
const AT_ONCE: usize = 64 * 1024;

/// How long lines gather after some were written: to wake the thread that writes them costs more than a line does.
const GATHERING: Duration = Duration::from_millis(5);

/// Whoever writes what waits; until the end, where there is a log.
static WRITER: Mutex<Option<WorkerGuard>> = Mutex::new(None);

/// Whether nothing more is to come.
static IS_ENDING: AtomicBool = AtomicBool::new(false);

/// What the log's lines go to, or spans.
pub(super) type Sink = Box<dyn Layer<Registry> + Send + Sync>;

/// Sends what is logged from here on to standard error, and spans to `spans`, where they are sent anywhere.
pub(crate) fn start(config: &LogConfig, spans: Option<Sink>) {
    let to = writer();
    let lines = match config.log_format {
        LogFormat::Text => text(to),
        LogFormat::Json => json(to),
    };
    match spans {
        Some(spans) => registry().with(vec![spans, lines.with_filter(config.log.clone()).boxed()]).init(),
        // What is for lines alone is judged once for each place in the code, and not each time that it is passed.
        None => registry().with(lines).with(config.log.clone()).init(),
    }
    panic::set_hook(Box::new(panicked));
}

/// Writes what is left, as far as that can be done in a second: the program is about to end.
pub(crate) fn finish() {
    IS_ENDING.store(true, Ordering::Relaxed);
    drop(WRITER.lock().unwrap_or_else(PoisonError::into_inner).take());
}

/// Writes what is left when this is dropped, also by a panic.
pub(crate) struct Finished;

impl Drop for Finished {
    fn drop(&mut self) {
        finish();
    }
}

/// Standard error, written to by a thread of its own: a request does not wait until its line is, and lines that
/// wait are written together.
fn writer() -> NonBlocking {
    let standard_error = Gathered(BufWriter::with_capacity(
        AT_ONCE,
        Patient::of(io::stderr(), || IS_ENDING.load(Ordering::Relaxed)),
    ));
    let (lines, guard) = NonBlockingBuilder::default()
        .lossy(false)
        .buffered_lines_limit(WAITING)
        .thread_name("log")
        .finish(standard_error);
    WRITER.lock().unwrap_or_else(PoisonError::into_inner).replace(guard);
    lines
}

/// What is written now and then, and waits to become more.
struct Gathered<W>(W);

impl<W: Write> Write for Gathered<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    /// Called where nothing more waits. Where it cannot be written there is nobody to tell that, and whoever writes
    /// would take it for a reason not to end.
    fn flush(&mut self) -> io::Result<()> {
        let _ = self.0.flush();
        thread::sleep(GATHERING);
        Ok(())
    }
}

/// Tells of a panic, where it was and what it said, within the span of the request that it ended.
pub(crate) fn panicked(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let payload = panic.payload();
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let said = text.or_else(|| payload.downcast_ref().copied()).unwrap_or("unknown");
    error!(place, said, "the code panicked");
}

/// The time that a line has: as all times of the service are written.
struct Now;

impl FormatTime for Now {
    fn format_time(&self, to: &mut Writer<'_>) -> std::fmt::Result {
        write!(to, "{}", Timestamp::from(Utc::now()))
    }
}

/// In colours for a person; elsewhere the same text without.
fn text(to: NonBlocking) -> Sink {
    let lines = fmt::layer().with_writer(to).with_target(false).with_timer(Now);
    if io::stderr().is_terminal() {
        return lines.with_ansi(true).boxed();
    }
    lines.with_ansi(false).fmt_fields(Plain).boxed()
}

/// An object a line, with the members of a line beside those of what surrounds it, as a request's `request_id`.
fn json(to: NonBlocking) -> Sink {
    let mut lines = JsonLayer::new(to);
    lines
        .with_timer("timestamp", Now)
        .with_level("level")
        .with_target("target")
        .with_flattened_event()
        .with_top_level_flattened_span_list();
    lines.boxed()
}

/// What tests have said to a log of their own.
#[cfg(test)]
#[derive(Clone, Default)]
pub(crate) struct Said(std::sync::Arc<Mutex<Vec<u8>>>);

#[cfg(test)]
impl Said {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[cfg(test)]
impl Write for Said {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
