//! The program, and a service that it runs.

use std::ffi::{OsStr, OsString};
use std::ops::Deref;
use std::path::{Path, PathBuf};

use roster_domain::Event;
use rustix::process::Signal;
use tokio::process::Command;

use super::database::{Backend, Database, patient_url};
use super::http::Http;
use super::process::{Exit, Output, Process};
use super::run::Run;
use super::suite::Given;

/// Variables that would change what the program does.
const SETTINGS: [&str; 6] = ["ROSTER_", "DATABASE_URL", "NATS_URL", "DIRECTORY_", "RUST_LOG", "OTEL_"];

/// Who is nobody, on Linux.
const NOBODY: u32 = 65_534;

/// How the program is to be started.
#[derive(Clone, Default)]
pub(crate) struct Program {
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    folder: Option<PathBuf>,
    is_nobody: bool,
    /// Of a shell, what starts it: in place of the shell, with `exec "$0" "$@"`.
    shell: Option<String>,
    database: Option<Database>,
}

impl Program {
    /// With these arguments.
    pub(crate) fn with<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Self {
        Self::default().and(arguments)
    }

    /// To serve what is in this database, on a free port.
    pub(crate) fn serving(database: &Database) -> Self {
        Self::serving_at(database, database.url())
    }

    /// The same by another way to it.
    pub(crate) fn serving_at(database: &Database, url: &str) -> Self {
        // A machine that is busy with other tests is no reason to turn a request away.
        let program = Self::by_default(&patient_url(url))
            .env("ROSTER_DATABASE_POOL_WAIT", "10")
            .env("ROSTER_DATABASE_STATEMENT_TIMEOUT", "20")
            .env("ROSTER_REQUEST_TIMEOUT", "30");
        Self { database: Some(database.clone()), ..program }
    }

    /// To serve what is at this URL, with all else as it is by default: for what is to be told soon of a database that
    /// does not answer.
    pub(crate) fn by_default(url: &str) -> Self {
        Self::with(["serve", "--listen", "127.0.0.1:0", "--database-url", url])
    }

    /// With these arguments too.
    #[must_use]
    pub(crate) fn and<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// With this variable in its environment.
    #[must_use]
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// In this folder.
    #[must_use]
    pub(crate) fn within(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// As a user who may write nothing that is not everybody's: also where the tests are root's, who may.
    #[must_use]
    pub(crate) fn by_nobody(mut self) -> Self {
        self.is_nobody = true;
        self
    }

    /// With so many files and sockets open at the most; and so many where it asks for more.
    #[must_use]
    pub(crate) fn with_open_files(self, soft: u32, hard: u32) -> Self {
        self.by_shell(&format!("ulimit -Sn {soft} && ulimit -Hn {hard} && exec \"$0\" \"$@\""))
    }

    /// In this folder, with a log that nobody reads until there is a file `read`, or many minutes have passed.
    #[must_use]
    pub(crate) fn with_unread_log(self, folder: &Path) -> Self {
        let waits = "n=0; until [ -e read ] || [ $((n += 1)) -gt 6000 ]; do sleep 0.1; done";
        let reads = format!("mkfifo log && {{ (exec <log; {waits}; exec cat >&2) & }}");
        self.by_shell(&format!("{reads} && exec \"$0\" \"$@\" 2>log")).within(folder)
    }

    /// By a shell that does what else there is to do, and then becomes it with `exec "$0" "$@"`.
    #[must_use]
    pub(crate) fn by_shell(mut self, text: &str) -> Self {
        self.shell = Some(text.to_owned());
        self
    }

    /// Starts it.
    pub(crate) async fn start(&self) -> Process {
        let run = Run::current();
        let (program, first) = run.launcher().await;
        let mut command = match &self.shell {
            None => Command::new(program),
            Some(text) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", text]).arg(program);
                shell
            }
        };
        let of_the_tests = std::env::vars_os().map(|(name, _)| name).filter(|name| is_setting(name));
        for name in of_the_tests {
            command.env_remove(name);
        }
        let folder = self.folder.as_deref().unwrap_or(run.folder().path());
        // One that is told no address takes a free one, and not the one that somebody else may have.
        command.env("ROSTER_LISTEN", "127.0.0.1:0");
        command.args(first).args(&self.arguments).envs(self.environment.iter().cloned()).current_dir(folder);
        if self.is_nobody && rustix::process::getuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        Process::start(&mut command)
    }

    /// Runs it to its end.
    pub(crate) async fn run(&self) -> Exit {
        self.start().await.exit().await
    }

    /// Starts it, and waits until it serves.
    pub(crate) async fn serve(&self) -> Roster {
        let mut process = self.start().await;
        let base = process.wait_for("it listened", address).await;
        Roster { http: Http::new(&base), process, database: self.database.clone() }
    }
}

/// A service that runs. It is asked over HTTP, as a client would: `roster.get("/livez").await`.
pub(crate) struct Roster {
    http: Http,
    process: Process,
    database: Option<Database>,
}

impl Roster {
    /// The database that it was started on.
    pub(crate) fn database(&self) -> &Database {
        self.database.as_ref().expect("the test chose a database")
    }

    /// The events that its database has recorded.
    pub(crate) async fn events(&self) -> Vec<Event> {
        self.database().ports().recorded().await
    }

    /// Asks it to stop, as a process manager does.
    pub(crate) fn terminate(&self) {
        self.process.signal(Signal::TERM);
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) async fn stop(self) -> Exit {
        self.terminate();
        self.exit().await
    }

    /// Waits until it has stopped.
    pub(crate) async fn exit(self) -> Exit {
        let Self { process, http, .. } = self;
        // With the connections that it keeps: the service waits for whoever may ask once more.
        drop(http);
        process.exit().await
    }

    /// Ends it as a crash would.
    pub(crate) async fn kill(self) {
        self.process.kill().await;
    }

    /// What it tells of itself at an address of its own, if it was told to.
    pub(crate) async fn ops(&mut self) -> Http {
        let told = |output: &Output| {
            let (_, after) = output.stdout.split_once("Health and measurements are at http://")?;
            let (address, _) = after.split_once('\n')?;
            Some(address.replace("0.0.0.0", "127.0.0.1"))
        };
        Http::new(&format!("http://{}", self.process.wait_for("it told where its health is", told).await))
    }

    /// Its process.
    pub(crate) fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

impl Deref for Roster {
    type Target = Http;

    fn deref(&self) -> &Http {
        &self.http
    }
}

impl Given for Roster {
    const BACKENDS: &'static [Backend] = Backend::ALL;

    async fn given(on: Backend) -> Result<Self, String> {
        let database = Database::migrated(on).await?;
        Ok(Program::serving(&database).serve().await)
    }
}

fn is_setting(name: &OsStr) -> bool {
    SETTINGS.iter().any(|prefix| name.to_string_lossy().starts_with(prefix))
}

/// The base URL in what the program says when it starts.
fn address(output: &Output) -> Option<String> {
    let (_, after) = output.stdout.split_once("http://127.0.0.1:")?;
    let port: String = after.chars().take_while(char::is_ascii_digit).collect();
    // The line may not be whole yet.
    after.contains('\n').then(|| format!("http://127.0.0.1:{port}"))
}
