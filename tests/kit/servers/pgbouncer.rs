//! `PgBouncer`, the program on this machine, in front of a PostgreSQL.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Url;
use tokio::process::Command;
use tokio::time::{Instant, sleep};
use tokio_postgres::NoTls;

use super::programs::unprivileged;
use super::{free_port, is_file, on_path};
use crate::kit::process::Process;

const STARTUP: Duration = Duration::from_secs(20);

/// A proxy that pools by transaction. It ends when this is dropped.
pub(crate) struct PgBouncer {
    url: String,
    _process: Process,
}

impl PgBouncer {
    /// In front of the server of this URL, with so many connections to it.
    pub(crate) async fn to(url: &str, connections: usize, folder: &Path) -> Result<Self, String> {
        let program = find()?;
        let port = free_port();
        let mut proxied = Url::parse(url).map_err(|error| error.to_string())?;
        let settings = folder.join(format!("pgbouncer-{port}.ini"));
        fs::write(&settings, ini(&proxied, port, connections)).map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.arg(&settings);
        // It refuses to be run by root.
        if let Some((user, group)) = unprivileged()? {
            chown(&settings, Some(user), Some(group)).map_err(|error| error.to_string())?;
            command.uid(user).gid(group);
        }
        proxied.set_port(Some(port)).map_err(|()| "the URL has no port".to_owned())?;
        let proxy = Self { url: proxied.into(), _process: Process::start(&mut command) };
        proxy.is_ready().await?;
        Ok(proxy)
    }

    /// The URL of the same database, by way of this proxy.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    async fn is_ready(&self) -> Result<(), String> {
        let deadline = Instant::now() + STARTUP;
        while let Err(error) = tokio_postgres::connect(&self.url, NoTls).await {
            if Instant::now() > deadline {
                return Err(format!("PgBouncer was started, but does not answer: {error}"));
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

/// The program; Debian keeps it off the path of those who do not administer.
fn find() -> Result<PathBuf, String> {
    let debian = Path::new("/usr/sbin/pgbouncer");
    let program = on_path("pgbouncer").or_else(|| is_file(debian).then(|| debian.to_owned()));
    program.ok_or_else(|| {
        "They need PgBouncer, and there is no `pgbouncer` on the PATH or in /usr/sbin.".to_owned()
    })
}

fn ini(server: &Url, port: u16, connections: usize) -> String {
    let host = server.host_str().unwrap_or_default();
    let to = server.port().unwrap_or(5432);
    let (user, password) = (server.username(), server.password().unwrap_or_default());
    format!(
        "[databases]\n* = host={host} port={to} user={user} password={password}\n\
         [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
         pool_mode = transaction\ndefault_pool_size = {connections}\nmax_client_conn = 500\n"
    )
}
