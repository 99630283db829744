//! The real vcrpy, in an environment that is made once and kept under Cargo's target folder.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use super::venv::{environment, shown};

const PACKAGES: [&str; 3] = ["vcrpy==9.4.2", "requests", "httpx"];

/// Python with vcrpy, requests and httpx; `None`, said loudly, where they cannot be installed. Under `CI`
/// that is a failure.
pub(crate) fn python() -> Option<&'static Path> {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match PYTHON.get_or_init(install) {
        Ok(python) => Some(python),
        Err(reason) => {
            assert!(
                std::env::var_os("CI").is_none(),
                "vcrpy is needed in CI and cannot be installed: {reason}"
            );
            // Straight to the stream: the test harness swallows what is printed by a test that passes.
            let test = std::thread::current().name().unwrap_or_default().to_owned();
            let _ = writeln!(std::io::stderr(), "\n*** SKIPPED {test}: no vcrpy: {reason}\n");
            None
        }
    }
}

fn install() -> Result<PathBuf, String> {
    environment("vcrpy", &PACKAGES).map(|programs| programs.join("python"))
}

/// Runs a program text with arguments and returns what it printed; fails where it fails.
pub(crate) fn script(python: &Path, text: &str, arguments: &[&Path]) -> String {
    checked(Command::new(python).arg("-c").arg(text).args(arguments))
}

/// Runs a command that must succeed, and returns what it printed.
pub(crate) fn checked(command: &mut Command) -> String {
    let output = command.env_remove("CI").env("PYTHONDONTWRITEBYTECODE", "1").output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", shown(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// `server.py` on a port of its own, until dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) port: u16,
}

impl Server {
    pub(crate) fn start() -> Self {
        // The script announces nothing, so a line of its own is wrapped around it.
        let script = "import sys, runpy; from http.server import ThreadingHTTPServer as S; \
                      m = runpy.run_path(sys.argv[1]); s = S(('127.0.0.1', 0), m['H']); \
                      print(s.server_port, flush=True); s.serve_forever()";
        let mut process = Command::new("python3")
            .args(["-c", script])
            .arg(super::fixtures().join("server.py"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { process, port: line.trim().parse().unwrap() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
