//! The program under test, built from the same sources as the tests.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Builds the program and tells where it is. With `ROSTER_TEST_BINARY`, that program is tested instead.
///
/// What is built is what `cargo test --workspace` builds, with the same features, so that nothing is
/// compiled a second time.
pub(crate) fn build() -> Result<PathBuf, String> {
    if let Some(given) = env::var_os("ROSTER_TEST_BINARY") {
        return Ok(given.into());
    }
    let mut cargo = cargo();
    cargo.args([
        "build",
        "--locked",
        "--workspace",
        "--bins",
        "--tests",
        "--message-format=json-render-diagnostics",
    ]);
    cargo.args(same_profile()?).arg("--quiet");
    let built = cargo.stderr(Stdio::inherit()).output().map_err(|error| format!("cargo: {error}"))?;
    if !built.status.success() {
        return Err(format!("the program does not build: {}", built.status));
    }
    let messages = String::from_utf8_lossy(&built.stdout);
    let executable = messages.lines().filter_map(program).next_back();
    executable.ok_or_else(|| "cargo built no program named `roster`".to_owned())
}

/// The cargo that runs these tests, at the workspace.
fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace());
    for (name, _) in env::vars_os().filter(|(name, _)| is_of_this_package(name)) {
        cargo.env_remove(name);
    }
    cargo
}

fn workspace() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&package).join("..")
}

/// These tests are at `TARGET/PROFILE/deps/roster-…`; the program goes beside them.
fn same_profile() -> Result<[OsString; 4], String> {
    let tests = env::current_exe().map_err(|error| error.to_string())?;
    let mut folders = tests.ancestors().skip(2);
    let profile =
        folders.next().and_then(Path::file_name).ok_or("the tests lie outside of a target folder")?;
    let target = folders.next().ok_or("the tests lie outside of a target folder")?;
    let profile = if profile == "debug" { "dev".into() } else { profile.to_owned() };
    Ok(["--profile".into(), profile, "--target-dir".into(), target.into()])
}

/// Variables that cargo sets for the tests: build scripts that look at them would run again.
fn is_of_this_package(name: &OsString) -> bool {
    let name = name.to_string_lossy();
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_PACKAGE"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

/// The path in a message of cargo that tells of the finished program.
fn program(message: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    let target = &message["target"];
    let is_program = message["reason"] == "compiler-artifact"
        && target["name"] == "roster"
        && target["kind"][0] == "bin"
        && message["profile"]["test"] == false;
    message["executable"].as_str().filter(|_| is_program).map(PathBuf::from)
}
