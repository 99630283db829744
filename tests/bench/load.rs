//! One load on one service, measured.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::generator::{Generator, Work, percentile};
use crate::kit::{OwnNats, Program, Roster};
use crate::requests::Get;
use crate::table::Figure;

/// What a load found.
pub(super) struct Loaded {
    pub(super) figure: Figure,
    /// How many requests there were, those to warm up with among them.
    pub(super) requests: usize,
}

/// Starts the service on a database of so many users; and how long that takes, to its first good answer.
pub(super) async fn serve(url: &str, nats: &OwnNats, users: usize) -> (Roster, Duration) {
    let began = Instant::now();
    let program = Program::with(["serve", "--listen", "127.0.0.1:0"]);
    let roster = program.and(["--database-url", url, "--nats-url", nats.url()]).serve().await;
    let first = Generator::of(&roster, Get(users)).one().await;
    let took = began.elapsed();
    assert_eq!(first.failed, [""; 0], "the first answer is right");
    (roster, took)
}

/// Has so many clients at work, and holds every answer to be the right one.
pub(super) async fn load(roster: &mut Roster, work: impl Work, clients: usize, during: Duration) -> Loaded {
    rest(roster).await;
    let generator = Generator::of(roster, work);
    let warm = generator.by(clients, during / 3).await;
    let (cpu, began) = (roster.process().cpu(), Instant::now());
    let mut measured = generator.by(clients, during).await;
    let (cpu, took) = (roster.process().cpu().saturating_sub(cpu), began.elapsed());
    let wrong = [warm.failed, std::mem::take(&mut measured.failed)].concat();
    let refused = warm.refused.len() + measured.refused.len();
    let (requests, each) = (warm.done.len() + measured.done.len(), u32::try_from(measured.done.len()));
    assert!(wrong.is_empty(), "{} wrong answers of {requests}: {}", wrong.len(), wrong[0]);
    assert_eq!(refused, 0, "refused with 503, of {requests}");
    let figure = Figure {
        latency: Some([50, 99].map(|of_hundred| percentile(&measured.done, of_hundred))),
        cpu: Some(cpu / each.expect("a number of requests").max(1)),
        ..Figure::of(measured.rate(took), "/s")
    };
    Loaded { figure, requests }
}

/// Waits until the service has nothing left to do of what was asked of it before.
pub(super) async fn rest(roster: &mut Roster) {
    let patience = Instant::now() + Duration::from_secs(120);
    loop {
        let before = roster.process().cpu();
        sleep(Duration::from_millis(300)).await;
        if roster.process().cpu().saturating_sub(before) <= Duration::from_millis(10) {
            return;
        }
        assert!(Instant::now() < patience, "the service never comes to rest");
    }
}
