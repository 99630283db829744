//! All that is measured of the service, round by round.

use std::ffi::OsString;
use std::sync::{Arc, Mutex, PoisonError};

use crate::arguments::{Case, Service};
use crate::generator::percentile;
use crate::kit::{Backend, Given, OwnNats, Roster, Run, USERS};
use crate::load::{load, serve};
use crate::requests::{Changes, Creates, Get, Invalid, Mix, Pages, Taken, Versions};
use crate::seeded::Seeded;
use crate::table::{Figure, Table};
use crate::{bulk, events};

/// How many clients there are where nothing else is said.
const CLIENTS: usize = 32;

/// What is measured by requests to a service that is full of users.
const OF_REQUESTS: [Case; 7] =
    [Case::Get, Case::Page, Case::Taken, Case::Invalid, Case::Patch, Case::Mix, Case::Create];

/// The program writes its log to nobody: whoever read it would take from the machine.
pub(super) fn launcher() -> Vec<OsString> {
    ["sh", "-c", "exec \"$@\" 2>/dev/null", "sh"].map(OsString::from).into()
}

pub(super) async fn measure(of: &Service) -> Result<(), String> {
    let mut table = Table::default();
    for on in of.backends() {
        if OF_REQUESTS.iter().any(|case| of.wants(*case)) {
            let seeded = Seeded::new(on, of.users()).await?;
            for nth in 1..=of.rounds {
                eprintln!("{on}: round {nth} of {}", of.rounds);
                round(of, &seeded, &mut table).await?;
            }
        }
        for _ in 0..of.rounds {
            if of.wants(Case::Latency) {
                events::latency(of, on, &mut table).await?;
            }
            if of.wants(Case::Inbound) {
                events::inbound(of, on, &mut table).await?;
            }
            if of.wants(Case::Bulk) {
                bulk::measure(of, on, &mut table).await?;
            }
        }
        if of.wants(Case::Growth) {
            growth(of, on, &mut table).await?;
        }
    }
    let size = Run::current().program().await.metadata().map_err(|error| error.to_string())?.len();
    println!("\n{table}\nThe program is of {} KiB.", size / 1024);
    Ok(())
}

/// All requests once, on a fresh copy.
async fn round(of: &Service, seeded: &Seeded, table: &mut Table) -> Result<(), String> {
    let (on, users, each) = (seeded.database.backend(), seeded.users, of.each());
    let copy = seeded.copy().await;
    let nats = OwnNats::given(on).await?;
    let (mut roster, start) = serve(&copy.url, &nats, users).await;
    table.note(on, "start, to the first answer", Figure::of(start.as_secs_f64() * 1e3, "ms"));

    for clients in [1, CLIENTS, 128].into_iter().filter(|_| of.wants(Case::Get)) {
        let loaded = load(&mut roster, Get(users), clients, each).await;
        table.note(on, format!("GET a user, {clients}"), loaded.figure);
    }
    if of.wants(Case::Page) {
        let pages = Pages::of(&roster, users).await;
        table.note(on, "GET a page of 20, 32", load(&mut roster, pages, CLIENTS, each).await.figure);
    }
    if of.wants(Case::Taken) {
        let loaded = load(&mut roster, Taken(users), CLIENTS, each).await;
        table.note(on, "POST, e-mail taken, 32", loaded.figure);
    }
    if of.wants(Case::Invalid) {
        table.note(on, "POST, invalid, 32", load(&mut roster, Invalid, CLIENTS, each).await.figure);
    }
    assert_eq!(total(&roster).await, users, "what was refused made no user");

    let versions = Versions::of(users);
    if of.wants(Case::Patch) {
        let changes = Changes { versions: versions.clone(), clients: CLIENTS };
        let loaded = load(&mut roster, changes, CLIENTS, each).await;
        table.note(on, "PATCH with If-Match, 32", loaded.figure);
    }
    if of.wants(Case::Mix) {
        let took = Arc::<Mutex<_>>::default();
        let (creates, changes) = (Creates("mix".to_owned()), Changes { versions, clients: CLIENTS });
        let mix = Mix { users, creates, changes, took: Arc::clone(&took) };
        let loaded = load(&mut roster, mix, CLIENTS, each).await;
        table.note(on, "90 GET, 8 POST, 2 PATCH of 100, 32", loaded.figure);
        let took = took.lock().unwrap_or_else(PoisonError::into_inner);
        let latency = Some([50, 99].map(|of_hundred| percentile(&took, of_hundred)));
        table.note(on, "the reads among those", Figure { latency, ..Figure::of(90.0, "%") });
    }
    for clients in [1, CLIENTS, 128].into_iter().filter(|_| of.wants(Case::Create)) {
        let before = total(&roster).await;
        let loaded = load(&mut roster, Creates(format!("of{clients}-")), clients, each).await;
        assert_eq!(
            total(&roster).await - before,
            loaded.requests,
            "each that was answered with 201 is there"
        );
        table.note(on, format!("POST a user, {clients}"), loaded.figure);
    }
    let memory = roster.process().memory().0;
    table.note(on, "memory after all of these", Figure::of(memory as f64 / 1024.0, "MiB"));
    roster.kill().await;
    copy.remove().await;
    Ok(())
}

/// How many users there are.
async fn total(roster: &Roster) -> usize {
    let page = roster.get(&format!("{USERS}?limit=1&count=exact")).await.json(200);
    let total = page["total"].as_u64().expect("the list tells how many there are");
    usize::try_from(total).expect("a number of users")
}

/// What reads take where there are ten times the users.
async fn growth(of: &Service, on: Backend, table: &mut Table) -> Result<(), String> {
    let seeded = Seeded::new(on, 10 * of.users()).await?;
    let nats = OwnNats::given(on).await?;
    let (mut roster, _) = serve(seeded.database.url(), &nats, seeded.users).await;
    for _ in 0..of.rounds {
        let loaded = load(&mut roster, Get(seeded.users), CLIENTS, of.each()).await;
        table.note(on, "GET a user of ten times as many, 32", loaded.figure);
        let pages = Pages::of(&roster, seeded.users).await;
        let loaded = load(&mut roster, pages, CLIENTS, of.each()).await;
        table.note(on, "GET a page of ten times as many, 32", loaded.figure);
    }
    roster.kill().await;
    Ok(())
}
