//! The lead among all who publish from one PostgreSQL: how it is lost, and who may have it behind a proxy.

use std::time::{Duration, Instant};

use roster_domain::chain;
use roster_domain::ports::{Lead, Outbox};
use roster_storage_postgres::{PgOutbox, Postgres};

use crate::kit::{Gateway, OnPostgres, Proxied, Replicated, in_time, patient, suite};

suite![
    a_lead_whose_session_ended_is_lost_for_good,
    a_lead_is_lost_before_the_next_believes_that_it_is,
    one_leads_at_a_time_behind_a_proxy,
    a_lead_of_whom_nothing_is_heard_goes_to_another,
    a_standby_gives_no_lead,
];

fn outbox(url: &str) -> PgOutbox {
    Postgres::new(patient(url)).expect("the URL is one").outbox()
}

fn behind(proxied: &Proxied) -> PgOutbox {
    let mut config = patient(proxied.url());
    config.statement_cache = false;
    Postgres::new(config).expect("the URL is one").outbox()
}

/// Asks until it is had.
async fn lead(outbox: &PgOutbox) -> Box<dyn Lead> {
    loop {
        if let Some(lead) = outbox.lead().await.expect("it can be asked for") {
            return lead;
        }
    }
}

async fn a_lead_whose_session_ended_is_lost_for_good(OnPostgres(database): OnPostgres) {
    let (one, other) = (outbox(database.url()), outbox(database.url()));
    let mut first = lead(&one).await;
    assert!(first.is_held().await);
    database
        .execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND \
             database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        .await;

    let mut second = lead(&other).await;
    for _ in 0..3 {
        assert!(!first.is_held().await);
        assert!(second.is_held().await);
    }
}

/// Whoever has it asks twice a second, and a server may say nothing.
async fn a_lead_is_lost_before_the_next_believes_that_it_is(OnPostgres(database): OnPostgres) {
    let gateway = Gateway::to(database.url()).await;
    let mut lead = lead(&outbox(&gateway.url(database.url()))).await;
    assert!(lead.is_held().await);
    gateway.silence();

    let asked = Instant::now();
    assert!(!lead.is_held().await);
    let (took, overlap) = (asked.elapsed(), lead.overlap());
    assert!(took < overlap, "it was lost after {took:?}, and the next waited {overlap:?}");
}

/// Who does not get it leaves no transaction open, in which it would wait.
async fn one_leads_at_a_time_behind_a_proxy(proxied: Proxied) {
    let (one, other) = (behind(&proxied), behind(&proxied));
    let mut first = lead(&one).await;
    for _ in 0..3 {
        assert!(other.lead().await.expect("it can be asked for").is_none(), "somebody leads");
        assert!(first.is_held().await);
    }
    drop(first);
    assert!(lead(&other).await.is_held().await);
}

/// As of a program that is frozen, or whose machine is gone: its session stays, and the lock with it. Seen to fail where
/// the server was not asked to end that.
async fn a_lead_of_whom_nothing_is_heard_goes_to_another(proxied: Proxied) {
    for outbox in [|proxied: &Proxied| outbox(proxied.database.url()), behind] {
        let mut silent = lead(&outbox(&proxied)).await;
        let began = Instant::now();
        let mut next = lead(&outbox(&proxied)).await;
        let took = began.elapsed();
        assert!(took < in_time(Duration::from_secs(8)), "{took:?}");
        assert!(!silent.is_held().await && next.is_held().await);
    }
}

/// Seen to fail where it was asked for the lock alone.
async fn a_standby_gives_no_lead(servers: Replicated) {
    let follower = outbox(servers.standby.url());
    let refused = follower.lead().await.err().expect("it takes no writes");
    assert!(chain(&refused).contains("takes no writes"), "{}", chain(&refused));

    servers.standby.execute(&["SELECT pg_promote()"]).await;

    lead(&follower).await;
}
