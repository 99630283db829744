//! More is asked than the service can do: it goes on to do as much as it can, and tells the rest so at once.
//!
//! `just overload` measures; the test is a short form of it that holds to what does not depend on how busy this
//! machine is.

mod generator;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::kit::{Database, Gateway, Http, OnPostgres, Program, Roster, suite};
use generator::{Generator, Outcomes};

suite![
    a_service_that_is_asked_too_much_does_what_it_can,
    a_service_whose_database_is_slow_does_as_much_when_more_is_asked,
];

/// How long the way to a slow database is, and the way back.
const SLOW: Duration = Duration::from_millis(100);

/// A refusal that takes longer is slow, as is an answer about health.
const AT_ONCE: Duration = Duration::from_millis(50);

/// Each takes all the processors that there are: two at once would measure each other.
static TURN: Mutex<()> = Mutex::const_new(());

/// The clients take the processors, too: what they send may come late, and it is not that which is tried here.
const PATIENT: [&str; 4] = ["--head-timeout", "60", "--body-timeout", "60"];

/// How long each load is kept up, where somebody wants to know how well the service bears it.
fn measured() -> Option<Duration> {
    let told = std::env::var("ROSTER_TEST_OVERLOAD").ok()?;
    Some(Duration::from_secs(told.parse().expect("ROSTER_TEST_OVERLOAD is a number of seconds")))
}

/// What is scarce here is the processors, which the clients need, too: how long they wait says little of the service.
async fn a_service_that_is_asked_too_much_does_what_it_can(database: Database) {
    let _turn = TURN.lock().await;
    let (mut roster, generator) = serving(&database, database.url()).await;
    let peak = peak(&roster, &generator).await;
    for factor in [0.8, 2.0, 3.0, 5.0] {
        load(factor, peak, &mut roster, &generator).await;
    }
    generator.one().await;
}

/// What is scarce here is places, as each is taken for long: whoever finds none is told so while that costs little.
async fn a_service_whose_database_is_slow_does_as_much_when_more_is_asked(OnPostgres(database): OnPostgres) {
    let _turn = TURN.lock().await;
    let gateway = Gateway::to(database.url()).await;
    let (mut roster, generator) = serving(&database, &gateway.url(database.url())).await;
    gateway.delay(SLOW);
    let peak = peak(&roster, &generator).await;
    let mut much = 0;
    for factor in [0.8, 2.0, 3.0, 5.0] {
        let Seen { outcomes, health, done } = load(factor, peak, &mut roster, &generator).await;
        if measured().is_some() {
            assert!(factor < 1.0 || done >= 0.9 * peak, "throughput falls under load");
            assert!(percentile(&outcomes.refused, 99) <= AT_ONCE, "a refusal is slow");
            assert!(percentile(&health, 99) <= AT_ONCE, "health is slow");
            let memory = roster.process().memory().0;
            if factor <= 2.0 {
                much = memory;
            }
            assert!(memory * 10 <= much * 12, "memory grows with what is asked");
        }
    }
    gateway.delay(Duration::ZERO);
    generator.one().await;
}

async fn serving(database: &Database, url: &str) -> (Roster, Generator) {
    let usual = if measured().is_some() { "1024" } else { "64" };
    let places = std::env::var("ROSTER_TEST_PLACES").unwrap_or_else(|_| usual.to_owned());
    let program = Program::serving_at(database, url).and(["--max-requests", &places, "--log", "warn"]);
    let roster = program.and(PATIENT).serve().await;
    let places: usize = places.parse().expect("ROSTER_TEST_PLACES is a number");
    let generator = Generator::of(&roster, places);
    (roster, generator)
}

/// How long each load is kept up: in a run of all tests no longer than it takes, as none beside it has a processor then.
fn each() -> Duration {
    measured().unwrap_or(Duration::from_millis(500))
}

/// The most that is done in a second.
async fn peak(roster: &Roster, generator: &Generator) -> f64 {
    let mut peak = 0.0_f64;
    for clients in [64, generator.places, generator.places] {
        let outcomes = generator.by(clients.min(generator.places), each()).await;
        assert_eq!(outcomes.failed, Vec::<String>::new());
        peak = peak.max(outcomes.rate(each()));
    }
    eprintln!("{}: peak {peak:.0}/s", roster.database().backend());
    peak
}

/// What was seen under a load.
struct Seen {
    outcomes: Outcomes,
    health: Vec<Duration>,
    /// How many were done in a second.
    done: f64,
}

/// So many times the peak is asked.
async fn load(factor: f64, peak: f64, roster: &mut Roster, generator: &Generator) -> Seen {
    let watched = Health::watch(roster);
    let cpu = roster.process().cpu();
    let outcomes = generator.at(factor * peak, each()).await;
    let cpu = roster.process().cpu().saturating_sub(cpu);
    let health = watched.end().await;
    let done = outcomes.rate(each());
    eprintln!(
        "{factor} times: done {done:.0}/s ({:.0} % of peak), p50 {:?} p99 {:?}; refused {}, p50 {:?} p99 {:?}; \
         failed {}; health p99 {:?}; {} MiB; {cpu:?} of CPU",
        100.0 * done / peak,
        percentile(&outcomes.done, 50),
        percentile(&outcomes.done, 99),
        outcomes.refused.len(),
        percentile(&outcomes.refused, 50),
        percentile(&outcomes.refused, 99),
        outcomes.failed.len(),
        percentile(&health, 99),
        roster.process().memory().0 / 1024,
    );
    assert_eq!(outcomes.failed, Vec::<String>::new(), "each request is done, or refused with 503");
    assert!(!outcomes.done.is_empty() && !health.is_empty());
    Seen { outcomes, health, done }
}

/// Asks whether the service lives, while others ask it too much.
struct Health {
    ends: Arc<AtomicBool>,
    asking: tokio::task::JoinHandle<Vec<Duration>>,
}

impl Health {
    fn watch(http: &Http) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let (http, until) = (http.clone(), ends.clone());
        let asking = tokio::spawn(async move {
            let mut took = Vec::new();
            while !until.load(Ordering::Relaxed) {
                let asked = Instant::now();
                // A connection that was kept may be closed for having been idle, just as this is sent.
                http.get("/livez").header("Connection", "close").await.any_body(200);
                took.push(asked.elapsed());
                sleep(Duration::from_millis(20)).await;
            }
            took
        });
        Self { ends, asking }
    }

    async fn end(self) -> Vec<Duration> {
        self.ends.store(true, Ordering::Relaxed);
        self.asking.await.expect("the service lives")
    }
}

fn percentile(took: &[Duration], of_hundred: usize) -> Duration {
    let mut took = took.to_vec();
    took.sort_unstable();
    let last = took.len().saturating_sub(1);
    took.get(last * of_hundred / 100).copied().unwrap_or_default()
}
