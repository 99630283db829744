//! More is asked than the service can do: it goes on to do as much as it can, and tells the rest so at once.
//!
//! `just overload` measures; the test is a short form of it that holds to what does not depend on how busy this
//! machine is.

mod generator;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::kit::{Database, Http, Program, Roster, suite};
use generator::Generator;

suite![a_service_that_is_asked_too_much_does_what_it_can];

/// How long each load is kept up, where somebody wants to know how well the service bears it.
fn measured() -> Option<Duration> {
    let told = std::env::var("ROSTER_TEST_OVERLOAD").ok()?;
    Some(Duration::from_secs(told.parse().expect("ROSTER_TEST_OVERLOAD is a number of seconds")))
}

async fn a_service_that_is_asked_too_much_does_what_it_can(given: Roster) {
    let (measured, places) = (measured(), std::env::var("ROSTER_TEST_PLACES").ok());
    let each = measured.unwrap_or(Duration::from_secs(2));
    let places = places.unwrap_or_else(|| if measured.is_some() { "1024" } else { "64" }.to_owned());
    let database = given.database().clone();
    let mut roster = serving(&database, &places).await;
    let generator =
        Generator::of(&roster, 2 * places.parse::<usize>().expect("ROSTER_TEST_PLACES is a number"));

    let mut peak = 0.0_f64;
    for clients in [64, 1_024] {
        let outcomes = generator.by(clients.min(generator.most / 2), each).await;
        assert_eq!(outcomes.failed, Vec::<String>::new());
        peak = peak.max(outcomes.rate(each));
    }
    let before = roster.process().memory().0;
    eprintln!("{}: peak {peak:.0}/s, {} MiB", database.backend(), before / 1024);
    for factor in [0.8, 2.0, 3.0, 5.0] {
        let health = Health::watch(&roster);
        let cpu = roster.process().cpu();
        let outcomes = generator.at(factor * peak, each).await;
        let cpu = roster.process().cpu().saturating_sub(cpu);
        let health = health.end().await;
        let memory = roster.process().memory().0;
        eprintln!(
            "{factor} times: done {:.0}/s ({:.0} % of peak), p50 {:?} p99 {:?}; refused {}, p50 {:?} p99 {:?}; \
             failed {}; health p99 {:?}; {} MiB; {cpu:?} of CPU",
            outcomes.rate(each),
            100.0 * outcomes.rate(each) / peak,
            percentile(&outcomes.done, 50),
            percentile(&outcomes.done, 99),
            outcomes.refused.len(),
            percentile(&outcomes.refused, 50),
            percentile(&outcomes.refused, 99),
            outcomes.failed.len(),
            percentile(&health, 99),
            memory / 1024,
        );
        assert_eq!(outcomes.failed, Vec::<String>::new(), "each request is done, or refused with 503");
        assert!(!outcomes.done.is_empty() && !health.is_empty());
        if measured.is_some() && factor > 1.0 {
            assert!(outcomes.rate(each) >= 0.9 * peak, "throughput falls under load");
            assert!(percentile(&outcomes.refused, 99) <= Duration::from_millis(50), "a refusal is slow");
            assert!(percentile(&health, 99) <= Duration::from_millis(50), "health is slow");
            assert!(memory * 10 <= before * 12, "memory grows under load");
        }
    }
    generator.one().await;
}

async fn serving(database: &Database, places: &str) -> Roster {
    Program::serving(database).and(["--max-requests", places, "--log", "warn"]).serve().await
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
                http.get("/livez").await.any_body(200);
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
