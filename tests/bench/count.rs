//! What requests cost in instructions: counted by callgrind, which other programs on the machine disturb far less than
//! they do a clock.
//!
//! Each is made N times and, in another run, 2 N times; the difference is that of N requests without the start. The
//! threads that answer count, and no others: what runs beside requests does so as often as time passes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::arguments::Count;
use crate::generator::Generator;
use crate::kit::{Backend, Program, Run};
use crate::requests::{Creates, Get, Pages};
use crate::seeded::Seeded;

/// What is counted, and in how many threads it is done: the one that answers and, of a write, the one that writes. They
/// do more than any other.
const CASES: [(&str, usize); 3] = [("GET a user", 1), ("GET a page", 1), ("POST a user", 2)];

/// How many requests are counted.
const REQUESTS: usize = 1_000;

/// How many users there are.
const USERS: usize = 10_000;

/// How much more than what is recorded is a failure, in hundredths.
const MORE: f64 = 5.0;

/// Under valgrind, all takes fifty times as long, and nothing is to end for that.
const PATIENT: [&str; 8] =
    ["--head-timeout", "3600", "--body-timeout", "3600", "--request-timeout", "3600", "--keep-alive", "3600"];

/// Where callgrind writes; it puts a number after it for each thread.
const PROFILE: &str = "callgrind";

/// Has glibc fill and copy memory by its vector instructions. Of a string instruction valgrind counts each step, which
/// are some thousand each time that the server looks for a head; and how often it looks in vain depends on the moment.
const BY_VECTORS: &str = "GLIBC_TUNABLES=glibc.cpu.x86_rep_stosb_threshold=1073741824:\
                          glibc.cpu.x86_rep_movsb_threshold=1073741824";

/// Whoever starts the program: on one processor, so that the server has one worker.
pub(super) fn launcher() -> Vec<OsString> {
    let profile = format!("--callgrind-out-file={PROFILE}");
    let valgrind =
        ["valgrind", "--quiet", "--tool=callgrind", "--separate-threads=yes", "--cache-sim=no", &profile];
    let silent = ["sh", "-c", "exec \"$@\" 2>/dev/null", "sh"];
    [&silent[..], &["env", BY_VECTORS, "taskset", "--cpu-list", "0"], &valgrind]
        .concat()
        .into_iter()
        .map(OsString::from)
        .collect()
}

pub(super) async fn measure(of: &Count) -> Result<(), String> {
    let seeded = Seeded::new(Backend::Sqlite, USERS).await?;
    let mut counted = BTreeMap::new();
    for (case, threads) in CASES {
        let once = run(&seeded, case, threads, REQUESTS, of.profiles.as_deref()).await?;
        let twice = run(&seeded, case, threads, 2 * REQUESTS, of.profiles.as_deref()).await?;
        counted.insert(case.to_owned(), (twice - once) / REQUESTS as u64);
    }
    if of.record {
        let recorded = counted.iter().fold(String::new(), |mut text, (case, count)| {
            let _ = writeln!(text, "{case}: {count}");
            text
        });
        fs::write(recorded_at(), recorded).map_err(|error| error.to_string())?;
    }
    hold(&counted, &recorded()?)
}

/// Tells how what was counted differs from what is recorded, and whether that is as it may be.
fn hold(counted: &BTreeMap<String, u64>, recorded: &BTreeMap<String, u64>) -> Result<(), String> {
    let mut worse = Vec::new();
    for (case, count) in counted {
        let before =
            *recorded.get(case).ok_or_else(|| format!("{case} is not recorded: just count --record"))?;
        let more = (*count as f64 / before as f64 - 1.0) * 100.0;
        println!("{case:<12} {count:>9} instructions, recorded {before:>9}: {more:+.1} %");
        if more > MORE {
            worse.push(case.as_str());
        }
    }
    if worse.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{} costs over {MORE} % more than is recorded. Where a toolchain or what is done for it makes that right: \
         just count --record",
        worse.join(", ")
    ))
}

/// The instructions of the busiest threads of a service that starts, answers so many requests, and stops.
async fn run(
    seeded: &Seeded,
    case: &str,
    threads: usize,
    requests: usize,
    kept: Option<&Path>,
) -> Result<u64, String> {
    let copy = seeded.copy().await;
    let folder = Run::current().folder().new_folder();
    let program = Program::with(["serve", "--listen", "127.0.0.1:0", "--database-url", &copy.url]);
    let roster = program.and(PATIENT).within(&folder).serve().await;
    match case {
        "GET a user" => ask(Generator::of(&roster, Get(seeded.users)), requests).await,
        "GET a page" => {
            let pages = Pages::of(&roster, seeded.users).await;
            ask(Generator::of(&roster, pages), requests).await;
        }
        _ => ask(Generator::of(&roster, Creates("new".to_owned())), requests).await,
    }
    let exit = roster.stop().await;
    if exit.code != Some(0) {
        return Err(format!("the program did not stop as it should: {exit:?}"));
    }
    copy.remove().await;
    let files = fs::read_dir(&folder).map_err(|error| error.to_string())?.flatten();
    let mut profiles: Vec<_> = files.filter_map(|file| Profile::read(&file.path())).collect();
    profiles.sort_by_key(|profile| std::cmp::Reverse(profile.total));
    let busiest = profiles.get(..threads).ok_or("callgrind wrote nothing: is valgrind installed?")?;
    if let Some(kept) = kept {
        for (nth, profile) in busiest.iter().enumerate() {
            let name = format!("{}-{requests}-{nth}.callgrind", case.replace(' ', "-"));
            fs::write(kept.join(name), &profile.text).map_err(|error| error.to_string())?;
        }
    }
    Ok(busiest.iter().map(|profile| profile.total).sum())
}

/// What callgrind tells of a thread.
struct Profile {
    text: String,
    total: u64,
}

impl Profile {
    /// None where the file is none of a thread.
    fn read(path: &Path) -> Option<Self> {
        path.file_name()?.to_str()?.strip_prefix(PROFILE)?.strip_prefix('-')?;
        let text = fs::read_to_string(path).ok()?;
        let total = text.lines().find_map(|line| line.strip_prefix("totals: "))?.trim().parse().ok()?;
        Some(Self { text, total })
    }
}

/// One request after the other, on one connection.
async fn ask(generator: Generator, requests: usize) {
    for _ in 0..requests {
        let outcomes = generator.one().await;
        assert_eq!((outcomes.failed, outcomes.done.len()), (Vec::new(), 1));
    }
}

fn recorded() -> Result<BTreeMap<String, u64>, String> {
    let text = fs::read_to_string(recorded_at()).map_err(|error| error.to_string())?;
    let line = |line: &str| {
        let (case, count) = line.split_once(": ")?;
        Some((case.to_owned(), count.parse().ok()?))
    };
    Ok(text.lines().filter_map(line).collect())
}

fn recorded_at() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/instructions.txt")
}
