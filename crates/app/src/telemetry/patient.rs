//! Writing to whoever may have stopped to read, as a collector of logs that hangs: the program is not to hang with it.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use metrics::counter;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long whoever reads may read nothing before it is waited for no longer.
const PATIENCE: Duration = Duration::from_secs(1);

/// How much is kept for who reads nothing. What comes beside is dropped.
const ROOM: usize = 4 * 1024 * 1024;

/// What a pipe that has any room takes without waiting (`man 7 pipe`).
const AT_ONCE: usize = 4_096;

/// Writes what is read in time, and keeps some of the rest.
pub(super) struct Patient<W> {
    to: W,
    kept: VecDeque<u8>,
    /// Whether this is the end, at which it is waited for once more.
    is_ending: fn() -> bool,
}

impl<W: Write + AsFd> Patient<W> {
    pub(super) fn of(to: W, is_ending: fn() -> bool) -> Self {
        Self { to, kept: VecDeque::new(), is_ending }
    }

    /// Writes of what is kept as much as is read.
    fn give(&mut self, patience: Duration) -> io::Result<()> {
        while !self.kept.is_empty() && self.is_read(patience) {
            let (next, _) = self.kept.as_slices();
            let written = self.to.write(next.get(..AT_ONCE).unwrap_or(next))?;
            drop(self.kept.drain(..written));
        }
        Ok(())
    }

    /// Whether there is room, now or soon. Where that cannot be known, it is tried.
    fn is_read(&self, patience: Duration) -> bool {
        let patience = Timespec::try_from(patience).unwrap_or_default();
        poll(&mut [PollFd::new(&self.to, PollFlags::OUT)], Some(&patience)) != Ok(0)
    }
}

impl<W: Write + AsFd> Write for Patient<W> {
    /// Takes whole lines.
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let patience = if self.kept.is_empty() { PATIENCE } else { Duration::ZERO };
        if self.kept.len() + lines.len() > ROOM {
            self.give(patience)?;
        }
        if self.kept.len() + lines.len() > ROOM {
            let dropped = lines.split(|byte| *byte == b'\n').count() - 1;
            counter!("roster_log_lines_dropped_total").increment(dropped as u64);
        } else {
            self.kept.extend(lines);
            self.give(patience)?;
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.give(if (self.is_ending)() { PATIENCE } else { Duration::ZERO })?;
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::thread;
    use std::time::Instant;

    use super::*;

    const LINE: &str = "a line of some length\n";

    /// Seen to fail, by no end, where it was written to whoever reads nothing.
    #[test]
    fn what_is_not_read_is_kept_as_far_as_there_is_room_and_the_rest_dropped() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut patient = Patient::of(writer, || true);
        let (lines, began) = (LINE.repeat(1_000), Instant::now());
        for _ in 0..1_000 {
            patient.write_all(lines.as_bytes()).unwrap();
        }
        assert!(began.elapsed() < 5 * PATIENCE, "{:?}", began.elapsed());
        assert!(patient.kept.len() > ROOM - lines.len() && patient.kept.len() <= ROOM);

        let read = thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            text
        });
        patient.flush().unwrap();
        patient.write_all(b"last\n").unwrap();
        drop(patient);

        let text = read.join().unwrap();
        let whole = text.strip_suffix("last\n").unwrap();
        assert!(whole.len() >= ROOM - lines.len());
        assert!(whole.lines().all(|line| line == LINE.trim_end()), "no line is cut");
    }
}
