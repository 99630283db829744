//! Tests of Roster that touch a process, a database or the network.
//!
//! This is one program without the standard harness, because it owns servers: it finds or starts the
//! PostgreSQL that its tests need, gives each test a database of its own there, and takes down what it
//! started when it ends. `cargo test -p roster-tests -- users::create` runs some of the tests.
//!
//! PostgreSQL is what `ROSTER_TEST_POSTGRES_URL` names, by the URL of a user who may create databases; else a
//! container; else a temporary cluster of the programs on this machine. `ROSTER_TEST_POSTGRES` can be `docker`,
//! `programs` or `none`, to try that alone. Where there is none, the end of the run says what was not tested;
//! where `CI` is set, that is a failure. NATS servers, one for each test that needs one, are had in the same ways:
//! `ROSTER_TEST_NATS_URL`, `ROSTER_TEST_NATS`.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "an assertion of a test fails by a panic"
)]
#![expect(clippy::float_cmp, reason = "what is counted is a whole number, in the form that Prometheus has")]

mod access;
mod architecture;
mod bulk;
mod clients;
mod compression;
mod cross_origin;
mod directory;
mod docs;
mod errors;
mod events;
mod fuzz;
mod headers;
mod health;
mod kit;
mod limits;
mod methods;
mod nats;
mod people;
mod program;
mod repository;
mod request_id;
mod resilience;
mod secrets;
mod servers;
mod telemetry;
mod users;

use std::process::ExitCode;
use std::thread::available_parallelism;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Tests wait more than they work: for a process to start, for a disk, for a server to come back.
    let threads = available_parallelism().map_or(4, |cores| cores.get() * 3);
    arguments.test_threads.get_or_insert(threads);
    if arguments.list {
        return libtest_mimic::run(&arguments, trials()).exit_code();
    }
    // What the tests ask is plain HTTP. Still, their client is built with what other crates of this workspace
    // turn on in it, and then wants to know whose cryptography to take.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let run = kit::Run::begin(kit::Ground::of_tests());
    kit::catch_panics();
    let conclusion = libtest_mimic::run(&arguments, trials());
    run.end();
    if run.report_untested() && std::env::var_os("CI").is_some() {
        eprintln!("CI is set: what was not tested is a failure.");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}

/// All tests; those that take longest begin first.
fn trials() -> Vec<Trial> {
    [
        fuzz::suite(),
        bulk::suite(),
        people::suite(),
        resilience::suite(),
        nats::suite(),
        program::suite(),
        limits::suite(),
        repository::suite(),
        telemetry::suite(),
        servers::suite(),
        events::suite(),
        access::suite(),
        users::suite(),
        architecture::suite(),
        directory::suite(),
        docs::suite(),
        clients::suite(),
        compression::suite(),
        cross_origin::suite(),
        headers::suite(),
        methods::suite(),
        errors::suite(),
        request_id::suite(),
        health::suite(),
        secrets::suite(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
