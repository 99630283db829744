//! Writing to whoever may have stopped to read, as a collector of logs that hangs: the program is not to hang with it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use metrics::counter;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long whoever reads is waited for where there is nothing else to write: while as many lines wait as may, nobody
/// notices.
const PAUSE: Duration = Duration::from_millis(200);

/// How long in the end.
const LAST: Duration = Duration::from_secs(1);

/// How much is kept for who reads nothing. What comes beyond that is dropped.
const ROOM: usize = 4 * 1024 * 1024;

/// What a pipe that has any room takes without waiting (`man 7 pipe`).
const AT_ONCE: usize = 4_096;

/// Writes what is read in time, and keeps some of the rest.
pub(super) struct Patient<W> {
    to: W,
    kept: VecDeque<u8>,
    /// Whether this is the end.
    is_ending: fn() -> bool,
}

impl<W: Write + AsFd> Patient<W> {
    pub(super) fn of(to: W, is_ending: fn() -> bool) -> Self {
        Self { to, kept: VecDeque::new(), is_ending }
    }

    /// Writes of what is kept as much as is read within some time.
    fn give(&mut self, within: Duration) {
        let late = Instant::now() + within;
        while !self.kept.is_empty() && self.is_read(late.saturating_duration_since(Instant::now())) {
            let (next, _) = self.kept.as_slices();
            match self.to.write(next.get(..AT_ONCE).unwrap_or(next)) {
                Ok(written) => drop(self.kept.drain(..written)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Nobody will read it any more, or there is no room on a disk.
                Err(_) => {
                    dropped(self.kept.make_contiguous());
                    self.kept.clear();
                }
            }
        }
    }

    /// Whether there is room, now or soon. Where that cannot be known, it is tried.
    fn is_read(&self, patience: Duration) -> bool {
        let patience = Timespec::try_from(patience).unwrap_or_default();
        poll(&mut [PollFd::new(&self.to, PollFlags::OUT)], Some(&patience)) != Ok(0)
    }
}

impl<W: Write + AsFd> Write for Patient<W> {
    /// Takes whole lines. It never fails: whoever writes would only try again.
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.give(Duration::ZERO);
        if self.kept.len() + lines.len() > ROOM {
            dropped(lines);
        } else {
            self.kept.extend(lines);
            self.give(Duration::ZERO);
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.give(if (self.is_ending)() { LAST } else { PAUSE });
        Ok(())
    }
}

/// Counts lines that nobody reads.
fn dropped(lines: &[u8]) {
    let count = lines.split(|byte| *byte == b'\n').count() - 1;
    counter!("roster_log_lines_dropped_total").increment(count as u64);
}

#[cfg(test)]
mod tests {
    use std::io::{PipeWriter, Read};
    use std::os::fd::BorrowedFd;
    use std::thread;

    use super::*;

    const LINE: &str = "a line of some length\n";

    /// Seen to fail, by no end, where it was written to whoever reads nothing.
    #[test]
    fn what_is_not_read_is_kept_as_far_as_there_is_room_and_the_rest_dropped() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut patient = Patient::of(writer, || true);
        let lines = LINE.repeat(1_000);
        for _ in 0..1_000 {
            patient.write_all(lines.as_bytes()).unwrap();
        }
        assert!(patient.kept.len() > ROOM - lines.len() && patient.kept.len() <= ROOM);

        let read = thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            text
        });
        while !patient.kept.is_empty() {
            patient.flush().unwrap();
        }
        patient.write_all(b"last\n").unwrap();
        drop(patient);

        let text = read.join().unwrap();
        let whole = text.strip_suffix("last\n").unwrap();
        assert!(whole.len() >= ROOM - lines.len());
        assert!(whole.lines().all(|line| line == LINE.trim_end()), "no line is cut");
    }

    /// A disk that is full at first.
    struct Full(PipeWriter, usize);

    impl AsFd for Full {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1 = self.1.saturating_sub(1);
            if self.1 > 0 { Err(ErrorKind::StorageFull.into()) } else { self.0.write(bytes) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Seen to fail, by a line a hundred times over, where whoever writes was told, and tried again.
    #[test]
    fn what_cannot_be_written_is_dropped_once() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut patient = io::BufWriter::new(Patient::of(Full(writer, 4), || true));
        for nth in 0..6 {
            writeln!(patient, "line {nth}").unwrap();
            patient.flush().unwrap();
        }
        drop(patient);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "line 3\nline 4\nline 5\n");
    }
}
