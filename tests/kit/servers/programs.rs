//! PostgreSQL as a temporary cluster of the programs on this machine.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process};

use super::{PLAIN, free_port, is_file, on_path};

const CLUSTER: &str = "postgres-";
const LOG: &str = "server.log";

/// The programs of one installation.
struct Programs(PathBuf);

/// A cluster in a folder of its own, and its server.
pub(super) struct Cluster {
    programs: Programs,
    folder: PathBuf,
    port: u16,
    settings: Vec<String>,
    /// Where the server finds languages that this machine has not set up.
    locales: Option<PathBuf>,
    server: Mutex<Option<Child>>,
}

impl Cluster {
    /// Makes a cluster in a new folder within `within`, and starts its server on a free port of the loopback
    /// address.
    pub(super) fn start(
        within: &Path,
        password: &str,
        settings: &[String],
        locales: Option<&Path>,
    ) -> Result<Self, String> {
        let cluster = Self::new(within, settings.to_vec(), locales.map(Path::to_owned))?;
        let secret = cluster.secret(password)?;
        let mut initdb = cluster.programs.command("initdb")?;
        initdb.args(["--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync", "--pwfile"]);
        initdb.arg(secret).arg(format!("--auth={PLAIN}")).arg("-D").arg(cluster.data());
        succeeds("initdb", &mut initdb)?;
        cluster.resume()?;
        Ok(cluster)
    }

    /// A copy of this one that follows it, as a standby, on a port of its own.
    pub(super) fn follower(&self, within: &Path, password: &str) -> Result<Self, String> {
        let standby = Self::new(within, self.settings.clone(), None)?;
        standby.secret(password)?;
        let mut copy = standby.programs.command("pg_basebackup")?;
        copy.args(["--host=127.0.0.1", "--username=postgres", "--checkpoint=fast", "--write-recovery-conf"]);
        copy.arg(format!("--port={}", self.port)).arg("--no-sync").arg("--pgdata").arg(standby.data());
        succeeds("pg_basebackup", copy.env("PGPASSWORD", password))?;
        standby.resume()?;
        Ok(standby)
    }

    fn new(within: &Path, settings: Vec<String>, locales: Option<PathBuf>) -> Result<Self, String> {
        let programs = Programs::find()?;
        let port = free_port();
        let folder = within.join(format!("{CLUSTER}{port}"));
        fs::create_dir(&folder).map_err(told)?;
        Ok(Self { programs, folder, port, settings, locales, server: Mutex::new(None) })
    }

    /// The port on the loopback address.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Starts the server, which has been stopped.
    pub(super) fn resume(&self) -> Result<(), String> {
        let log = fs::File::options().append(true).create(true).open(self.folder.join(LOG)).map_err(told)?;
        let mut server = self.programs.command("postgres")?;
        server.arg("-D").arg(self.data()).args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-k", ""]);
        server.args(&self.settings).stderr(log);
        if let Some(locales) = &self.locales {
            server.env("LOCPATH", locales);
        }
        *self.server() = Some(server.spawn().map_err(told)?);
        Ok(())
    }

    /// Stops the server, as an administrator would who does not wait for clients.
    pub(super) fn stop(&self) {
        self.end(Signal::INT);
    }

    /// Ends the server and whoever works for it, as a crash would.
    pub(super) fn kill(&self) {
        let server = self.server().as_ref().map(Child::id);
        let workers = server.map(children).unwrap_or_default();
        self.end(Signal::KILL);
        for worker in workers {
            // One that has noticed already is gone.
            let _ = kill_process(worker, Signal::KILL);
        }
    }

    /// Stops the server at once: its data are removed with the run's folder.
    pub(super) fn remove(&self) {
        self.end(Signal::QUIT);
    }

    /// The last lines of the server's log, where the server has ended by itself.
    pub(super) fn failure(&self) -> Option<String> {
        let ended = self.server().as_mut().and_then(|server| server.try_wait().ok().flatten())?;
        let log = fs::read_to_string(self.folder.join(LOG)).unwrap_or_default();
        let last: Vec<_> = log.lines().rev().take(3).collect();
        Some(format!("the server ended ({ended}): {}", last.join(" / ")))
    }

    /// Gives the folder to whoever runs the server, with the password in a file that is theirs alone.
    fn secret(&self, password: &str) -> Result<PathBuf, String> {
        let secret = self.folder.join("password");
        fs::write(&secret, password).map_err(told)?;
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).map_err(told)?;
        if let Some((user, group)) = unprivileged()? {
            for path in [&self.folder, &secret] {
                chown(path, Some(user), Some(group)).map_err(told)?;
            }
        }
        Ok(secret)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn end(&self, signal: Signal) {
        let Some(mut server) = self.server().take() else { return };
        if let Some(id) = i32::try_from(server.id()).ok().and_then(Pid::from_raw) {
            // It was not waited for yet, so the id is still its own.
            let _ = kill_process(id, signal);
        }
        let _ = server.wait();
    }

    fn server(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Programs {
    /// Those beside the `postgres` on the `PATH`, or those that Debian keeps off it.
    fn find() -> Result<Self, String> {
        let postgres = on_path("postgres").or_else(of_debian);
        let postgres =
            postgres.ok_or("there is no `postgres` on the PATH or in /usr/lib/postgresql/*/bin")?;
        let folder = postgres.canonicalize().map_err(told)?.parent().map(Path::to_owned).unwrap_or_default();
        for program in ["initdb", "pg_ctl", "pg_basebackup"] {
            if !is_file(&folder.join(program)) {
                return Err(format!("there is no `{program}` beside {}", postgres.display()));
            }
        }
        Ok(Self(folder))
    }

    /// A program in a process group of its own, so that an interrupt from the keyboard does not stop a server
    /// before its tests. PostgreSQL refuses to be run by root, so then it is run by somebody else.
    fn command(&self, program: &str) -> Result<Command, String> {
        let mut command = Command::new(self.0.join(program));
        command.process_group(0).current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((user, group)) = unprivileged()? {
            command.uid(user).gid(group);
        }
        Ok(command)
    }
}

/// Runs a program to its end.
fn succeeds(name: &str, program: &mut Command) -> Result<(), String> {
    let done = program.stderr(Stdio::piped()).output().map_err(told)?;
    if done.status.success() {
        Ok(())
    } else {
        Err(format!("{name}: {}", String::from_utf8_lossy(&done.stderr)))
    }
}

/// The processes that a process has started, as Linux tells it (`man 5 proc_pid_stat`, field 4).
fn children(of: u32) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|process| process.file_name().to_str()?.parse::<i32>().ok());
    let is_child = |id: &i32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let after_name = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
        after_name.split_whitespace().nth(1) == Some(of.to_string().as_str())
    };
    ids.filter(is_child).filter_map(Pid::from_raw).collect()
}

/// Stops the servers of the clusters in a run's folder, which tells their ids.
pub(crate) fn stop_clusters(folder: &Path) {
    let clusters = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_cluster =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(CLUSTER));
    for cluster in clusters.filter(is_cluster) {
        let Ok(mut stop) = Programs::find().and_then(|programs| programs.command("pg_ctl")) else { return };
        eprintln!("a cluster is removed: {}", cluster.display());
        // Where the server has ended already, there is nothing to stop.
        let _ = stop.args(["stop", "-m", "immediate", "-D"]).arg(cluster.join("data")).status();
    }
}

/// The newest of those in their folders by version.
fn of_debian() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten().map(|entry| entry.path());
    let version = |folder: &PathBuf| folder.file_name()?.to_str()?.parse::<u32>().ok();
    let installed = versions.filter(|folder| is_file(&folder.join("bin/postgres")));
    installed.max_by_key(version).map(|folder| folder.join("bin/postgres"))
}

/// Whoever runs the programs where root must not: the user and group `postgres`, or else `nobody`.
pub(super) fn unprivileged() -> Result<Option<(u32, u32)>, String> {
    if !rustix::process::getuid().is_root() {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").map_err(told)?;
    let ids = ["postgres", "nobody"].iter().find_map(|name| {
        let mut fields = users.lines().find(|line| line.split(':').next() == Some(name))?.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    });
    ids.map(Some)
        .ok_or_else(|| "root must not run PostgreSQL, and there is no user `postgres` or `nobody`".to_owned())
}

#[expect(clippy::needless_pass_by_value, reason = "so that it can be passed to `map_err`")]
fn told(error: std::io::Error) -> String {
    error.to_string()
}
