//! Health and measurements at an address of their own: `--ops-listen`.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::settings::is_told;
use crate::kit::{
    Database, Http, OnSqlite, Program, Raw, Reply, StandIn, TokensFile, USERS, creation, new_user, suite,
};

suite![
    health_and_measurements_are_there_and_nowhere_else,
    whoever_asks_hears_to_the_end_that_it_is_stopping,
    neither_credentials_nor_places_nor_rates_count_there,
    it_needs_no_credentials_on_an_address_that_others_reach,
    health_is_asked_there,
    the_doctor_looks_at_that_address_too,
    an_address_that_is_taken_is_told_in_one_line,
];

const OPS: [&str; 3] = ["/livez", "/readyz", "/metrics"];

fn with_ops(database: &Database) -> Program {
    Program::serving(database).and(["--ops-listen", "127.0.0.1:0"])
}

async fn health_and_measurements_are_there_and_nowhere_else(database: Database) {
    let mut roster = with_ops(&database).serve().await;
    let ops = roster.ops().await;
    roster.user("ada").await;
    ops.readiness().await;
    for path in OPS {
        ops.get(path).await.any_body(200);
        ops.request("HEAD", &format!("{path}/")).await.empty(200);
        roster.get(path).await.error(404, "not_found");
    }
    for path in [USERS, "/openapi.json", "/docs"] {
        ops.get(path).await.error(404, "not_found");
        roster.get(path).await.any_body(200);
    }
    ops.post(USERS, &new_user("bob")).await.error(404, "not_found");
    assert_eq!(ops.readiness().await, json!({"status": "ready"}));
    let requests = &ops.measured().await["roster_http_requests_total"];
    assert_eq!(requests.sum(&[("route", USERS), ("status", "201")]), 1.0, "{requests:#?}");
    let described = roster.get("/openapi.json").await.json(200);
    let paths = described["paths"].as_object().unwrap();
    assert!(paths.contains_key(USERS) && OPS.iter().all(|path| !paths.contains_key(*path)), "{paths:?}");
}

/// Seen to fail where the server of health ended as the program was told to stop.
async fn whoever_asks_hears_to_the_end_that_it_is_stopping(database: Database) {
    let mut roster = with_ops(&database).serve().await;
    let ops = roster.ops().await;
    let (head, body) = creation("", "ada");
    let (first, rest) = body.split_at(10);
    let mut in_flight = Raw::to(&roster).await;
    in_flight.send(head + first).await;
    let mut probing = Raw::to(&ops).await;
    probing.ask("GET", "/readyz").await.unwrap();
    probing.answer().await.expect("it is answered").any_body(200);

    roster.terminate();
    while Raw::attempt(&roster).await.is_ok() {
        sleep(Duration::from_millis(20)).await;
    }

    // Nobody comes in any more, and whoever asks how it is hears why: on a connection that was kept, and on new ones.
    probing.ask("GET", "/readyz").await.unwrap();
    probing.answer().await.expect("a connection that was kept is answered").error(503, "unavailable");
    for _ in 0..3 {
        ops.get("/readyz").await.error(503, "unavailable");
        assert_eq!(ops.get("/livez").await.json(200), json!({"status": "alive"}));
        ops.measured().await;
        sleep(Duration::from_millis(100)).await;
    }
    in_flight.send(rest).await;
    in_flight.answer().await.expect("a request in flight is answered").user(201);
    let exit = roster.exit().await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    assert!(Raw::attempt(&ops).await.is_err(), "it has ended with the program");
}

async fn neither_credentials_nor_places_nor_rates_count_there(database: Database) {
    let file = TokensFile::missing();
    let token = file.token("ada", "users:read,directory:read").await;
    let directory = StandIn::answering([Reply::Nothing]).await;
    let program = with_ops(&database).and(["--tokens-file".as_ref(), file.path().as_os_str()]).and([
        "--rate-limit",
        "2/h",
        "--max-requests",
        "1",
        "--directory-url",
        &directory.url(),
    ]);
    let mut roster = program.serve().await;
    let ops = roster.ops().await;
    let mut waiting = Raw::to(&roster).await;
    let head = format!("Host: localhost\r\nAuthorization: Bearer {token}");
    waiting.send(format!("GET /api/v1/directory/users/1 HTTP/1.1\r\n{head}\r\n\r\n")).await;
    while directory.requests().is_empty() {
        sleep(Duration::from_millis(5)).await;
    }

    for path in OPS.repeat(3) {
        let answer = ops.get(path).await;
        assert!(!answer.any_body(200).has("ratelimit"), "{}", answer.told());
    }
    roster.get(USERS).bearer(&token).await.error(503, "unavailable");
    drop(waiting);
}

async fn it_needs_no_credentials_on_an_address_that_others_reach(OnSqlite(database): OnSqlite) {
    let mut roster = Program::serving(&database).and(["--ops-listen", "0.0.0.0:0"]).serve().await;
    let ops = roster.ops().await;
    ops.readiness().await;
    // The API's own address is held to its rule all the same.
    let exit = Program::with(["--database-url", database.url(), "--ops-listen", "127.0.0.1:0"])
        .and(["--listen", "0.0.0.0:0"])
        .run()
        .await;
    is_told(&exit, "--listen", "ROSTER_LISTEN");
}

fn health(roster: &Http, ops: &Http) -> Program {
    Program::with(["health", "--listen", &roster.address(), "--ops-listen", &ops.address()])
}

async fn health_is_asked_there(database: Database) {
    let mut roster = with_ops(&database).serve().await;
    let ops = roster.ops().await;
    let ready = health(&roster, &ops).run().await;
    assert_eq!((ready.code, ready.stdout.as_str()), (Some(0), "{\"status\":\"ready\"}\n"), "{ready:?}");
    let alive = health(&roster, &ops).and(["--live"]).run().await;
    assert_eq!((alive.code, alive.stdout.as_str()), (Some(0), "{\"status\":\"alive\"}\n"), "{alive:?}");
    let elsewhere = Program::with(["health", "--listen", &roster.address()]).run().await;
    assert_eq!(elsewhere.code, Some(1), "{elsewhere:?}");
    let nowhere = Program::with(["health", "--ops-listen", "127.0.0.1:0"]).run().await;
    is_told(&nowhere, "--ops-listen", "ROSTER_OPS_LISTEN");
}

async fn the_doctor_looks_at_that_address_too(OnSqlite(database): OnSqlite) {
    let mut roster = with_ops(&database).serve().await;
    let ops = roster.ops().await;
    let doctor = |listen: &str, ops: &str| {
        Program::with(["doctor", "--database-url", database.url(), "--listen", listen, "--ops-listen", ops])
    };
    let exit = doctor(&roster.address(), &ops.address()).run().await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    for address in [roster.address(), ops.address()] {
        let told = format!("address: {address} is served by a Roster already");
        assert!(exit.stdout.contains(&told), "{exit:?}");
    }

    let stranger = StandIn::answering([Reply::json(200, "{}")]).await;
    let exit = doctor("127.0.0.1:0", &stranger.url().replace("http://", "")).run().await;
    let failed = "failed   ops address: --ops-listen (ROSTER_OPS_LISTEN): ";
    assert!(exit.code == Some(1) && exit.stdout.contains(failed), "{exit:?}");
}

async fn an_address_that_is_taken_is_told_in_one_line(OnSqlite(database): OnSqlite) {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let exit = Program::serving(&database).and(["--ops-listen", &taken]).run().await;
    is_told(&exit, "--ops-listen", "ROSTER_OPS_LISTEN");
}
