//! A NATS server with `JetStream`: found in the environment, or started.

use std::env;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::{ConnectOptions, jetstream};
use reqwest::Url;
use testcontainers_modules::nats::Nats;
use testcontainers_modules::testcontainers::ImageExt;
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::docker::Container;
use super::{free_port, is_file, on_path};
use crate::kit::folder::Folder;
use crate::kit::process::Process;

/// A server to use, on which the tests make streams of their own, and remove them.
pub(crate) const URL: &str = "ROSTER_TEST_NATS_URL";
/// Which way of starting one to take, where not all are to be tried: `docker`, `programs` or `none`.
const WAY: &str = "ROSTER_TEST_NATS";

const STARTUP: Duration = Duration::from_secs(20);

/// Who it lets in, each server by a password of its own: a port that one has left may be another's next, and whoever still
/// looks for the first is a stranger to it.
const USER: &str = "roster";

/// A server that was started.
pub(crate) struct NatsServer {
    port: u16,
    password: String,
    origin: Origin,
}

enum Origin {
    Container(Box<Container<Nats>>),
    Program(Box<Program>),
}

impl NatsServer {
    /// A container; else the program on this machine; else why none of these.
    pub(crate) async fn start(folder: &Folder) -> Result<Self, String> {
        let way = env::var(WAY).ok();
        let wanted = |one: &str| way.as_deref().is_none_or(|way| way == one);
        let not_wanted = || format!("not tried, as {WAY} says");
        let docker = if wanted("docker") {
            match Self::container(folder).await {
                Ok(server) => return Ok(server),
                Err(reason) => reason,
            }
        } else {
            not_wanted()
        };
        let programs = if wanted("programs") { Self::program(folder).await } else { Err(not_wanted()) };
        programs.map_err(|programs| {
            format!(
                "They need NATS. {URL} is not set. Docker: {docker}. Programs on this machine: {programs}."
            )
        })
    }

    /// As the setting `--nats-url` names it.
    pub(crate) fn url(&self) -> String {
        format!("nats://{USER}:{}@127.0.0.1:{}", self.password, self.port)
    }

    /// Ends the server as a crash would; its data stay.
    pub(crate) async fn kill(&self) {
        match &self.origin {
            Origin::Container(container) => container.kill().await,
            Origin::Program(program) => program.kill().await,
        }
    }

    /// Starts the server again, on the same port and data, and waits until it answers.
    pub(crate) async fn resume(&self) {
        match &self.origin {
            Origin::Container(container) => container.resume().await,
            Origin::Program(program) => program.resume().await,
        }
        self.is_ready().await.expect("the server answers again");
    }

    /// Ends the server, and removes what it kept.
    pub(crate) async fn remove(&self) {
        match &self.origin {
            Origin::Container(container) => container.remove().await,
            Origin::Program(program) => program.kill().await,
        }
    }

    async fn container(folder: &Folder) -> Result<Self, String> {
        let password = new_password();
        let arguments = ["--jetstream", "--store_dir", "/data", "--user", USER, "--pass", &password];
        let image = Nats::default().with_tag("2").with_cmd(arguments);
        let container = Container::start(folder, image, 4222).await?;
        let port = container.port();
        Self { port, password, origin: Origin::Container(Box::new(container)) }.ready().await
    }

    async fn program(folder: &Folder) -> Result<Self, String> {
        let (port, password) = (free_port(), new_password());
        let data = folder.path().join(format!("nats-{port}"));
        let program = Program::find(data, port, password.clone())?;
        program.resume().await;
        Self { port, password, origin: Origin::Program(Box::new(program)) }.ready().await
    }

    /// Once it answers; or what was started is removed again.
    async fn ready(self) -> Result<Self, String> {
        match self.is_ready().await {
            Ok(()) => Ok(self),
            Err(reason) => {
                self.remove().await;
                Err(reason)
            }
        }
    }

    async fn is_ready(&self) -> Result<(), String> {
        let deadline = Instant::now() + STARTUP;
        loop {
            let Err(error) = has_jetstream(&self.url()).await else { return Ok(()) };
            if Instant::now() > deadline {
                return Err(format!("started, but does not answer: {error}"));
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

fn new_password() -> String {
    let random = || RandomState::new().hash_one(());
    format!("{:016x}{:016x}", random(), random())
}

/// To connect as the URL says.
pub(crate) fn options(url: &str) -> ConnectOptions {
    let url = Url::parse(url).expect("a URL");
    match (url.username(), url.password()) {
        ("", _) => ConnectOptions::new(),
        (token, None) => ConnectOptions::with_token(token.into()),
        (user, Some(password)) => ConnectOptions::with_user_and_password(user.into(), password.into()),
    }
}

/// Asks a server whether it has `JetStream`: where it has, it can tell that there is no such stream.
async fn has_jetstream(url: &str) -> Result<(), async_nats::Error> {
    let client = options(url).connect(url).await?;
    match jetstream::new(client).get_stream("NONE").await {
        Err(error) if !matches!(error.kind(), GetStreamErrorKind::JetStream(_)) => Err(error.into()),
        _ => Ok(()),
    }
}

/// The program of this machine, with a folder for its data.
struct Program {
    path: PathBuf,
    data: PathBuf,
    port: u16,
    password: String,
    process: Mutex<Option<Process>>,
}

impl Program {
    fn find(data: PathBuf, port: u16, password: String) -> Result<Self, String> {
        // Debian keeps it off the path of those who do not administer.
        let debian = Path::new("/usr/sbin/nats-server");
        let path = on_path("nats-server").or_else(|| is_file(debian).then(|| debian.to_owned()));
        let path = path.ok_or("there is no `nats-server` on the PATH or in /usr/sbin")?;
        Ok(Self { path, data, port, password, process: Mutex::default() })
    }

    async fn resume(&self) {
        let mut command = Command::new(&self.path);
        command.args(["--addr", "127.0.0.1", "--port", &self.port.to_string()]);
        command.args(["--user", USER, "--pass", &self.password, "--jetstream", "--store_dir"]);
        *self.process.lock().await = Some(Process::start(command.arg(&self.data)));
    }

    async fn kill(&self) {
        if let Some(process) = self.process.lock().await.take() {
            process.kill().await;
        }
    }
}
