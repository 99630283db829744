//! What the service can do, measured from outside: `just bench`. And what some requests cost in instructions, held
//! against what is recorded: `just count`.
//!
//! It is a program of its own beside the tests, on the same kit: it finds or starts PostgreSQL and NATS as they do,
//! and takes down what it started. What it measures is the program as it ships, in its default settings, with its
//! log going nowhere.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a measurement of what does not work is none"
)]
#![expect(clippy::cast_precision_loss, reason = "what is counted is far below 2^52")]

mod arguments;
mod bulk;
mod count;
mod events;
mod generator;
#[path = "../kit/mod.rs"]
#[expect(dead_code, unused_imports, unused_macros, reason = "the tests take the rest of it")]
mod kit;
mod load;
mod requests;
mod seeded;
mod service;
mod table;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;

use arguments::Command;
use kit::{Ground, Run};

/// What a server that others would run has, too: nothing that is acknowledged is lost.
const POSTGRES: &[&str] =
    &["max_connections=200", "shared_buffers=512MB", "max_wal_size=4GB", "checkpoint_timeout=30min"];

fn main() -> ExitCode {
    let command = arguments::read();
    // The kit's client is built with what other crates of this workspace turn on in it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let launcher = match &command {
        Command::Service(_) => service::launcher(),
        Command::Count(_) => count::launcher(),
    };
    let run = Run::begin(Ground { program, launcher, postgres: POSTGRES });
    let measured = catch_unwind(AssertUnwindSafe(|| {
        run.handle().block_on(async {
            match command {
                Command::Service(arguments) => service::measure(&arguments).await,
                Command::Count(arguments) => count::measure(&arguments).await,
            }
        })
    }));
    run.end();
    match measured {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(why)) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
        Err(_) => ExitCode::FAILURE,
    }
}

/// The program as it ships, which is built before this one.
fn program() -> Result<PathBuf, String> {
    if let Some(given) = std::env::var_os("ROSTER_TEST_BINARY") {
        return Ok(given.into());
    }
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let built = this.ancestors().nth(3).map(|target| target.join("release/roster"));
    let built = built.filter(|program| program.is_file());
    built.ok_or_else(|| "there is no program to measure: cargo build --release --locked -p roster".to_owned())
}
