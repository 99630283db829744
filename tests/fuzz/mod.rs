//! The service is held to its own description by schemathesis (<https://schemathesis.io>): it is sent data that fit
//! the description and data that do not, and what it answers is compared. What schemathesis is told beside is in
//! `schemathesis.toml`.
//!
//! `just fuzz-api` asks for more: `ROSTER_TEST_TIMES` is how many data it makes up for an operation, and
//! `ROSTER_FUZZ_SEEDS` from which numbers; `random` is a new one.

mod report;

use std::ffi::OsStr;
use std::path::Path;
use std::process;

use libtest_mimic::Trial;

use crate::kit::{Backend, Database, Program, Python, Reply, StandIn, deadline, new_token, times, trial};
use report::Report;

const PACKAGES: [&str; 1] = ["schemathesis==4.32.5"];

/// A test for each seed, on each database.
pub(crate) fn suite() -> Vec<Trial> {
    let seeds = std::env::var("ROSTER_FUZZ_SEEDS").unwrap_or_else(|_| "1".to_owned());
    let examples = times(10).to_string();
    let seeds = seeds
        .split(',')
        .map(|seed| if seed == "random" { process::id().to_string() } else { seed.to_owned() });
    let of_seed = |seed: String| {
        let examples = &examples;
        Backend::ALL.iter().map(move |&on| {
            let (seed, examples) = (seed.clone(), examples.clone());
            trial(
                format!("fuzz::the_service_is_as_its_description_says::seed_{seed} [{on}]"),
                move || async move { the_service_is_as_its_description_says(on, &seed, &examples).await },
            )
        })
    };
    seeds.flat_map(of_seed).collect()
}

async fn the_service_is_as_its_description_says(
    on: Backend,
    seed: &str,
    examples: &str,
) -> Result<(), String> {
    let python = Python::with(&PACKAGES).await?;
    let database = Database::migrated(on).await?;
    let directory = StandIn::by(look_up).await;
    let (tokens, token) = new_token("users:read,users:write,events:read,events:write,directory:read").await;
    let program = Program::serving(&database).and(["--log", "warn", "--directory-url", &directory.url()]);
    let mut roster = program.and(["--tokens-file".as_ref(), tokens.as_os_str()]).serve().await;

    let document = roster.get("/openapi.json").await.json(200);
    let served = format!("http://{}/openapi.json", roster.address());
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    std::fs::copy(here.join("hooks.py"), python.folder().join("hooks.py")).expect("a file can be copied");
    let (configuration, seed_of_run) = (here.join("schemathesis.toml"), format!("--seed={seed}"));
    let (authorization, examples) =
        (format!("--header=Authorization: Bearer {token}"), format!("--max-examples={examples}"));
    let arguments: [&dyn AsRef<OsStr>; 13] = [
        &"--config-file",
        &configuration,
        &"run",
        &served,
        &authorization,
        &seed_of_run,
        &examples,
        &"--phases=examples,coverage,fuzzing,stateful",
        &"--generation-database=none",
        &"--no-color",
        &"--report=json,ndjson",
        &"--report-json-path=report.json",
        &"--report-ndjson-path=report.ndjson",
    ];
    let run = python.run("schemathesis", &arguments, deadline()).await;
    let report = Report::read(python.folder(), &document);
    println!("{on}, seed {seed}: {report}");
    assert_eq!((run.code, report.failed), (Some(0), 0), "schemathesis found nothing");
    assert_eq!(report.never_done(), [""; 0], "each operation is done at least once");
    assert!(report.cases >= 1_000, "{} cases are too few to tell", report.cases);
    let log = roster.process().output().stderr;
    assert!(!log.contains("could not answer"), "a request failed");
    Ok(())
}

/// A directory that knows the first thousand people.
fn look_up(head: &str) -> Reply {
    let id = head
        .strip_prefix("GET /users/")
        .and_then(|rest| rest.split(' ').next())
        .and_then(|id| id.parse().ok());
    match id {
        Some(id @ 0..1000_u64) => Reply::json(
            200,
            &format!(
                r#"{{"id": {id}, "name": "Leanne Graham", "username": "Bret", "email": "person{id}@example.org"}}"#
            ),
        ),
        _ => Reply::json(404, "{}"),
    }
}
