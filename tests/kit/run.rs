//! One run of the tests: what its tests share, and how it ends.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use tokio::runtime::{Handle, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::OnceCell;

use super::binary;
use super::folder::{Folder, run_of};
use super::process::{end_leftovers, kill_all};
use super::servers::{self, PostgresServer};

/// Above and below what is not to be overlooked.
const RULE: &str = "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!";

static RUN: OnceLock<Run> = OnceLock::new();

/// What the tests of this process share. It owns the servers, so they end with it: when all tests are
/// done, or when the process is told to stop. What a killed process leaves is swept by the next one.
pub(crate) struct Run {
    runtime: Runtime,
    folder: Folder,
    ground: Ground,
    program: OnceCell<Result<PathBuf, String>>,
    postgres: OnceCell<Result<PostgresServer, String>>,
    untested: Mutex<BTreeMap<String, Vec<String>>>,
    pending: Mutex<Vec<tokio::task::JoinHandle<()>>>,
    interrupted: AtomicBool,
}

/// What a run is made for, and so stands on.
pub(crate) struct Ground {
    /// Builds the program, and tells where it is.
    pub(crate) program: fn() -> Result<PathBuf, String>,
    /// What the program is started by, with its own arguments, where it is not started by itself.
    pub(crate) launcher: Vec<OsString>,
    /// Settings of a PostgreSQL that is started.
    pub(crate) postgres: &'static [&'static str],
}

impl Ground {
    /// That of tests.
    pub(crate) fn of_tests() -> Self {
        Self { program: binary::build, launcher: Vec::new(), postgres: PostgresServer::OF_TESTS }
    }
}

impl Run {
    /// Sweeps what dead runs left, and begins this one. Starts no server: the first test that needs one does.
    pub(crate) fn begin(ground: Ground) -> &'static Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime starts");
        let mut dead = Mutex::new(Vec::new());
        let folder = Folder::create(|leftover| {
            end_leftovers(leftover);
            servers::stop_clusters(leftover);
            dead.lock().unwrap_or_else(PoisonError::into_inner).push(run_of(leftover));
        });
        let folder = folder.expect("a folder for this run can be made");
        let dead = std::mem::take(dead.get_mut().unwrap_or_else(PoisonError::into_inner));
        runtime.block_on(servers::sweep(&dead));
        let run = RUN.get_or_init(|| Self {
            runtime,
            folder,
            ground,
            program: OnceCell::new(),
            postgres: OnceCell::new(),
            untested: Mutex::default(),
            pending: Mutex::default(),
            interrupted: AtomicBool::new(false),
        });
        run.runtime.spawn(run.end_on_signal());
        run
    }

    /// Removes containers of runs that have ended without doing so, as each run does when it begins.
    pub(crate) async fn sweep() {
        servers::sweep(&[]).await;
    }

    /// The run of this process.
    pub(crate) fn current() -> &'static Self {
        RUN.get().expect("the run has begun")
    }

    /// Where its asynchronous work is done.
    pub(crate) fn handle(&self) -> &Handle {
        self.runtime.handle()
    }

    /// The folder of this run.
    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The program under test, built once.
    pub(crate) async fn program(&self) -> PathBuf {
        let build = || async {
            let built = tokio::task::spawn_blocking(self.ground.program).await;
            built.unwrap_or_else(|error| Err(error.to_string()))
        };
        match self.program.get_or_init(build).await {
            Ok(path) => path.clone(),
            Err(reason) => panic!("{reason}"),
        }
    }

    /// What starts it, and its arguments, before those that are its own.
    pub(crate) async fn launcher(&self) -> (OsString, Vec<OsString>) {
        let program = self.program().await.into_os_string();
        match self.ground.launcher.split_first() {
            Some((launcher, arguments)) => (launcher.clone(), [arguments, &[program]].concat()),
            None => (program, Vec::new()),
        }
    }

    /// The PostgreSQL of this run, found or started once; or why there is none.
    pub(crate) async fn postgres(&self) -> Result<&PostgresServer, &str> {
        let found =
            self.postgres.get_or_init(|| PostgresServer::find(&self.folder, self.ground.postgres)).await;
        found.as_ref().map_err(String::as_str)
    }

    /// Notes that a test could not be run.
    pub(crate) fn is_untested(&self, test: &str, reason: &str) {
        let mut untested = self.untested.lock().unwrap_or_else(PoisonError::into_inner);
        untested.entry(reason.to_owned()).or_default().push(test.to_owned());
    }

    /// Work that nobody waits for before the run ends.
    pub(crate) fn before_the_end(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.push(self.runtime.spawn(work));
    }

    /// Stops and removes whatever the run started or made.
    pub(crate) fn end(&self) {
        if self.interrupted.load(Ordering::SeqCst) {
            // Whoever took the signal cleans up, and ends this process.
            loop {
                std::thread::park();
            }
        }
        self.runtime.block_on(self.clean_up());
    }

    /// Says loudly what was not tested, and why; whether there was anything.
    pub(crate) fn report_untested(&self) -> bool {
        let untested = self.untested.lock().unwrap_or_else(PoisonError::into_inner);
        for (reason, tests) in untested.iter() {
            eprintln!("{RULE}\nNOT TESTED: {} tests did not run. {reason}\n", tests.len());
            for test in tests {
                eprintln!("    {test}");
            }
            eprintln!("{RULE}");
        }
        !untested.is_empty()
    }

    async fn clean_up(&self) {
        kill_all();
        let pending = std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        futures_util::future::join_all(pending).await;
        if let Some(Ok(postgres)) = self.postgres.get() {
            postgres.remove().await;
        }
        if self.interrupted.load(Ordering::SeqCst) {
            // Tests of this process may still hold servers of their own, or be starting one.
            servers::remove_all(&self.folder).await;
        }
        if let Err(error) = self.folder.remove() {
            eprintln!("{} is left: {error}", self.folder.path().display());
        }
    }

    /// An interrupted run, too, leaves nothing behind.
    async fn end_on_signal(&self) {
        let mut interrupted = signal(SignalKind::interrupt()).expect("signals can be waited for");
        let mut terminated = signal(SignalKind::terminate()).expect("signals can be waited for");
        let code = tokio::select! {
            _ = interrupted.recv() => 130,
            _ = terminated.recv() => 143,
        };
        self.interrupted.store(true, Ordering::SeqCst);
        eprintln!("interrupted: the servers are being stopped");
        self.clean_up().await;
        std::process::exit(code);
    }
}
