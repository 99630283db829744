//! Programs from Python's package registry, which use the service as others would.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use super::process::{Exit, Process};
use super::run::Run;
use super::venv;

/// Python, with packages.
pub(crate) struct Python {
    programs: PathBuf,
    folder: PathBuf,
}

impl Python {
    /// With these packages (`name==version`), the first of which gives the environment its name; or why they
    /// cannot be had.
    pub(crate) async fn with(packages: &'static [&'static str]) -> Result<Self, String> {
        let name = packages[0].split('=').next().unwrap_or_default();
        let made = tokio::task::spawn_blocking(move || venv::environment(name, packages)).await;
        let programs = made.expect("an environment is made, or not").map_err(|reason| {
            format!(
                "They need {} from Python's package registry, and Python 3 with venv: {reason}",
                packages[0]
            )
        })?;
        Ok(Self { programs, folder: Run::current().folder().new_folder() })
    }

    /// A folder for what its programs write.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs one of its programs to its end, for which it has this long.
    pub(crate) async fn run(
        &self,
        program: &str,
        arguments: &[&dyn AsRef<OsStr>],
        patience: Duration,
    ) -> Exit {
        let mut command = Command::new(self.programs.join(program));
        command.args(arguments.iter().map(AsRef::as_ref)).current_dir(&self.folder);
        command.env("PYTHONPATH", &self.folder).env("PYTHONDONTWRITEBYTECODE", "1");
        Process::start(&mut command).exit_within(patience).await
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // A folder that cannot be removed now is removed with the run's.
        drop(std::fs::remove_dir_all(&self.folder));
    }
}
