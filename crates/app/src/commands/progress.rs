//! How far a command is, for whoever watches it.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::tell::tell;

/// How often a line is written where there is no terminal.
const EVERY: Duration = Duration::from_secs(5);

/// Tells on standard error how far something is: by a bar on a terminal, else by a line now and then.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    told: Instant,
}

impl Progress {
    /// How much there is to do, in bytes, where that is known.
    pub(super) fn of(total: Option<u64>) -> Self {
        let bar = stderr().is_terminal().then(|| bar(total));
        Self { bar, told: Instant::now() }
    }

    /// So many bytes are done now.
    pub(super) fn is_at(&self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(bytes);
        }
    }

    /// Tells how far it is, if it is time to.
    pub(super) fn tell(&mut self, words: impl FnOnce() -> String) {
        if let Some(bar) = &self.bar {
            bar.set_message(words());
        } else if self.told.elapsed() >= EVERY {
            self.told = Instant::now();
            tell(stderr(), &words());
        }
    }

    /// Writes a line of its own.
    pub(super) fn line(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => tell(stderr(), line),
        }
    }

    /// Leaves the terminal as it was.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(total: Option<u64>) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (ProgressBar::new(total), "{wide_bar} {percent}% {msg} ({eta})"),
        None => (ProgressBar::new_spinner(), "{spinner} {msg} ({elapsed})"),
    };
    // A template that could not be read would leave the bar as it comes.
    ProgressStyle::with_template(template).map_or(bar.clone(), |style| bar.with_style(style))
}
