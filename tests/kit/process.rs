//! The program as a process of its own.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::conduct::show_on_failure;
use super::run::Run;

/// Generous: a debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// In the run's folder, a note for each process.
const STARTED: &str = "processes";

/// The processes that run now, for the case that the tests are interrupted.
static LIVE: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// What a process wrote so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Output {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The output of a process, as it grows.
#[derive(Clone)]
pub(crate) struct Log(watch::Receiver<Output>);

/// A process that is killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    id: u32,
    log: Log,
    readers: [JoinHandle<()>; 2],
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Exit {
    /// `None` where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Process {
    /// Starts `command`, which inherits no setting and no input of the tests.
    pub(crate) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("the program starts");
        let id = child.id().expect("a process that was just started has an id");
        begins(id);
        let (output, log) = watch::channel(Output::default());
        let stdout = child.stdout.take().expect("standard output is piped");
        let stderr = child.stderr.take().expect("standard error is piped");
        let readers = [
            tokio::spawn(read(stdout, output.clone(), |output| &mut output.stdout)),
            tokio::spawn(read(stderr, output, |output| &mut output.stderr)),
        ];
        let log = Log(log);
        show_on_failure(&log);
        Self { child, id, log, readers }
    }

    /// Waits until what was written lets `find` find something.
    pub(crate) async fn wait_for<T>(&mut self, what: &str, find: impl Fn(&Output) -> Option<T>) -> T {
        let mut log = self.log.0.clone();
        let told = async {
            log.wait_for(|output| find(output).is_some()).await.ok().and_then(|output| find(&output))
        };
        match timeout(PATIENCE, told).await {
            Ok(Some(found)) => found,
            Ok(None) => panic!("the program ended before {what}"),
            Err(elapsed) => panic!("{what}: {elapsed}, which was {} seconds", PATIENCE.as_secs()),
        }
    }

    /// Waits until the program serves or has ended, whichever it does.
    pub(crate) async fn serves_or_ends(&mut self) {
        let mut log = self.log.0.clone();
        // The log's end is the program's.
        let told = async { drop(log.wait_for(|output| output.stdout.contains("http://")).await) };
        timeout(PATIENCE, told).await.expect("the program serves or ends");
    }

    /// What was written so far.
    pub(crate) fn output(&self) -> Output {
        self.log.0.borrow().clone()
    }

    /// How much memory it has in use, and how much it had at the most, in KiB, as Linux tells it.
    pub(crate) fn memory(&self) -> (u64, u64) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id)).expect("this is Linux");
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("it is told");
            line.trim().trim_end_matches(" kB").trim().parse().expect("a number")
        };
        (of("VmRSS:"), of("VmHWM:"))
    }

    /// How much time of a processor it has taken so far, as Linux counts it: in hundredths of a second.
    pub(crate) fn cpu(&self) -> Duration {
        let told = |field| stat(self.id, field).and_then(|ticks| ticks.parse().ok()).unwrap_or(0);
        Duration::from_millis(10 * (told(14) + told(15)))
    }

    /// How many files and sockets it has open, as Linux tells it.
    pub(crate) fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.id)).expect("this is Linux").count()
    }

    /// Sends a signal to the process.
    pub(crate) fn signal(&self, signal: Signal) {
        let id = self.child.id().expect("the process has not ended");
        kill_process(pid(id), signal).expect("the process can be sent a signal");
    }

    /// Reads nothing more of its standard output, so that it is as if its reader were gone.
    pub(crate) async fn close_stdout(&mut self) {
        let [stdout, _] = &mut self.readers;
        stdout.abort();
        // What ended a task that was to be ended is no news.
        let _ = (&mut *stdout).await;
        *stdout = tokio::spawn(async {});
    }

    /// Ends the process at once, as a crash would, and waits until it is gone.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("the process can be killed");
    }

    /// Waits for the process to end by itself.
    pub(crate) async fn exit(self) -> Exit {
        self.exit_within(PATIENCE).await
    }

    /// The same, of one that takes its time.
    pub(crate) async fn exit_within(mut self, patience: Duration) -> Exit {
        let status = timeout(patience, self.child.wait()).await.expect("the program ends");
        let code = status.expect("the program's end can be waited for").code();
        for reader in &mut self.readers {
            reader.await.expect("the output can be read");
        }
        let Output { stdout, stderr } = self.output();
        Exit { code, stdout, stderr }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        ended(self.id);
    }
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let output = self.0.borrow();
        write!(f, "{}{}", output.stdout, output.stderr)
    }
}

/// Has a process end with the run, however that ends: one that is ours, or that one of ours has started.
pub(super) fn begins(id: u32) {
    live().insert(id);
    remember(id);
}

/// It has ended.
pub(super) fn ended(id: u32) {
    live().remove(&id);
    forget(id);
}

/// Ends all processes that still run.
pub(super) fn kill_all() {
    for id in std::mem::take(&mut *live()) {
        // One that ended meanwhile needs no ending.
        let _ = kill_process(pid(id), Signal::KILL);
    }
}

/// Notes in the run's folder which process this is, for the case that the tests are killed.
fn remember(id: u32) {
    let folder = Run::current().folder().path().join(STARTED);
    if let Some(start) = started_at(id) {
        // Without the note, all that a kill leaves is an idle process.
        let _ = fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join(id.to_string()), start));
    }
}

fn forget(id: u32) {
    let _ = fs::remove_file(Run::current().folder().path().join(STARTED).join(id.to_string()));
}

/// Ends what a dead run noted in its folder, if it is still the process that was noted: ids are used again.
pub(super) fn end_leftovers(folder: &Path) {
    for note in fs::read_dir(folder.join(STARTED)).into_iter().flatten().flatten() {
        let id = note.file_name().to_str().and_then(|id| id.parse().ok());
        if let Some(id) = id
            && started_at(id)
                .is_some_and(|start| fs::read_to_string(note.path()).is_ok_and(|noted| noted == start))
        {
            eprintln!("process {id}, which a dead run left, is ended");
            let _ = kill_process(pid(id), Signal::KILL);
        }
    }
}

/// When a process was started, as Linux tells it; elsewhere, nothing.
fn started_at(id: u32) -> Option<String> {
    stat(id, 22)
}

/// A field of what Linux tells of a process (`man 5 proc_pid_stat`), counted from 1; none of the first two.
fn stat(id: u32, field: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(field.checked_sub(3)?).map(str::to_owned)
}

fn live() -> std::sync::MutexGuard<'static, BTreeSet<u32>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pid(id: u32) -> Pid {
    i32::try_from(id).ok().and_then(Pid::from_raw).expect("a process id")
}

async fn read(from: impl AsyncRead + Unpin, to: watch::Sender<Output>, part: fn(&mut Output) -> &mut String) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        to.send_modify(|output| part(output).push_str(&String::from_utf8_lossy(&line)));
        line.clear();
    }
}
