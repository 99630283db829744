//! How the program stops when it is told to.

use rustix::process::Signal;

use crate::kit::{Database, Program, Raw, Roster, USERS, new_user, suite};

suite![
    an_idle_service_stops_at_once,
    an_interrupt_stops_it_as_well,
    a_service_that_stops_is_not_ready_and_finishes_requests_in_flight,
    a_client_that_never_finishes_does_not_keep_it_from_stopping,
];

async fn an_idle_service_stops_at_once(roster: Roster) {
    roster.user("ada").await;
    let exit = roster.stop().await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
}

async fn an_interrupt_stops_it_as_well(mut roster: Roster) {
    roster.get("/readyz").await.any_body(200);
    roster.process().signal(Signal::INT);
    let exit = roster.exit().await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
}

async fn a_service_that_stops_is_not_ready_and_finishes_requests_in_flight(roster: Roster) {
    let body = new_user("ada").to_string();
    let (first, rest) = body.split_at(10);
    let length = body.len();
    let mut in_flight = Raw::to(&roster).await;
    in_flight.send(format!("POST {USERS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{first}")).await;
    let mut kept_alive = Raw::to(&roster).await;
    kept_alive.ask("GET", "/readyz").await.unwrap();
    kept_alive.answer().await.unwrap().any_body(200);

    roster.terminate();
    // It says so on the connection that a balancer keeps, until that is closed.
    let mut told = None;
    while told.is_none() {
        if kept_alive.ask("GET", "/readyz").await.is_err() {
            break;
        }
        let Some(answer) = kept_alive.answer().await else { break };
        told = (answer.status() != 200).then_some(answer);
    }
    let told = told.expect("it is not ready any more before the connection is closed");
    told.error(503, "unavailable");
    in_flight.send(rest).await;

    in_flight.answer().await.expect("a request in flight is answered").user(201);
    let exit = roster.exit().await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
}

async fn a_client_that_never_finishes_does_not_keep_it_from_stopping(database: Database) {
    let roster = Program::serving(&database).and(["--shutdown-grace", "1"]).serve().await;
    let mut stalled = Raw::to(&roster).await;
    stalled.send(format!("POST {USERS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{{")).await;
    roster.get("/readyz").await.any_body(200);

    let exit = roster.stop().await;

    assert_eq!(exit.code, Some(0), "{exit:?}");
}
