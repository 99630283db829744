//! How the program stops when it is told to.

use std::time::Duration;

use rustix::process::Signal;
use tokio::time::sleep;

use crate::kit::{Database, OnPostgres, Output, Program, Raw, Roster, USERS, creation, suite};

suite![
    an_idle_service_stops_at_once,
    an_interrupt_stops_it_as_well,
    a_service_that_stops_is_not_ready_and_finishes_requests_in_flight,
    a_connection_that_is_kept_is_answered_once_more_and_new_ones_are_refused,
    a_client_that_never_finishes_does_not_keep_it_from_stopping,
    a_second_signal_ends_it_at_once,
    a_start_that_waits_for_another_program_is_stopped_as_well,
];

async fn an_idle_service_stops_at_once(roster: Roster) {
    roster.user("ada").await;
    let exit = roster.stop().await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
}

async fn an_interrupt_stops_it_as_well(mut roster: Roster) {
    roster.readiness().await;
    roster.process().signal(Signal::INT);
    let exit = roster.exit().await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
}

async fn a_service_that_stops_is_not_ready_and_finishes_requests_in_flight(roster: Roster) {
    let request = create("ada");
    let (first, rest) = request.split_at(request.len() - 10);
    let mut in_flight = Raw::to(&roster).await;
    in_flight.send(first).await;
    let mut kept_alive = Raw::to(&roster).await;
    kept_alive.ask("GET", "/readyz").await.unwrap();
    kept_alive.answer().await.unwrap().any_body(200);

    roster.terminate();
    // It says so on the connection that a balancer keeps, and then closes that.
    let told = loop {
        kept_alive.ask("GET", "/readyz").await.unwrap();
        let answer = kept_alive.answer().await.expect("a connection ends with an answer that says so");
        if answer.status() != 200 {
            break answer;
        }
        if answer.has("connection") {
            // It was told to stop while it answered.
            kept_alive = Raw::to(&roster).await;
        }
    };
    told.error(503, "unavailable");
    assert_eq!(told.header("connection"), "close");
    in_flight.send(rest).await;

    in_flight.answer().await.expect("a request in flight is answered").user(201);
    let exit = roster.exit().await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
}

/// Seen to fail where the server was told to stop while connections were idle: it closed them at once.
async fn a_connection_that_is_kept_is_answered_once_more_and_new_ones_are_refused(roster: Roster) {
    let mut kept = Raw::to(&roster).await;
    kept.ask("GET", USERS).await.unwrap();
    kept.answer().await.unwrap().any_body(200);

    roster.terminate();
    while Raw::attempt(&roster).await.is_ok() {
        sleep(Duration::from_millis(20)).await;
    }

    kept.send(create("ada")).await;
    let answer = kept.answer().await.expect("a connection that was kept is answered");
    answer.user(201);
    assert_eq!(answer.header("connection"), "close");
    assert!(kept.answer().await.is_none(), "it is closed");
    assert_eq!(roster.exit().await.code, Some(0));
}

async fn a_second_signal_ends_it_at_once(mut roster: Roster) {
    let mut stalled = Raw::to(&roster).await;
    let request = create("ada");
    stalled.send(&request[..request.len() - 1]).await;
    roster.readiness().await;

    roster.terminate();
    let told = |output: &Output| output.stderr.contains("stopping").then_some(());
    roster.process().wait_for("it was told to stop", told).await;
    let exit = roster.stop().await;

    assert_eq!(exit.code, Some(1), "{exit:?}");
    assert!(exit.stderr.contains("told twice"), "{exit:?}");
}

/// A request that creates a user, as its bytes.
fn create(local: &str) -> String {
    let (head, body) = creation("", local);
    head + &body
}

async fn a_client_that_never_finishes_does_not_keep_it_from_stopping(database: Database) {
    let roster = Program::serving(&database).and(["--shutdown-grace", "1"]).serve().await;
    let mut stalled = Raw::to(&roster).await;
    let request = create("ada");
    stalled.send(&request[..request.len() - 1]).await;
    roster.readiness().await;

    let exit = roster.stop().await;

    assert_eq!(exit.code, Some(0), "{exit:?}");
}

/// Seen to fail where signals were taken and nobody asked for them before the program served.
async fn a_start_that_waits_for_another_program_is_stopped_as_well(OnPostgres(database): OnPostgres) {
    let (server, name) = database.server();
    let migrating = server.client(name).await.expect("the server answers");
    let lock = "SELECT pg_advisory_lock(('x' || encode('roster', 'hex'))::bit(48)::bigint)";
    migrating.batch_execute(lock).await.expect("the lock can be had");
    for signal in [Signal::TERM, Signal::INT] {
        let waiting = database.waiting().await;
        let process = Program::serving(&database).start().await;
        while database.waiting().await == waiting {
            sleep(Duration::from_millis(20)).await;
        }

        process.signal(signal);
        let exit = process.exit().await;

        assert_eq!(exit.code, Some(0), "{exit:?}");
        assert!(exit.stdout.is_empty() && exit.stderr.contains("stopped"), "{exit:?}");
    }
}
