//! `roster health`.

use crate::kit::{Gateway, OnPostgres, OnSqlite, Program, Roster, suite};

suite![
    a_service_that_is_well_says_so,
    a_service_on_all_addresses_is_asked_on_the_loopback,
    where_nobody_serves_it_fails,
    a_service_whose_store_is_away_lives_and_is_not_ready,
    a_port_that_nobody_knows_is_refused,
];

fn asking(address: &str) -> Program {
    Program::with(["health", "--listen", address])
}

async fn a_service_that_is_well_says_so(roster: Roster) {
    roster.readiness().await;
    let ready = asking(&roster.address()).run().await;
    assert_eq!((ready.code, ready.stdout.as_str()), (Some(0), "{\"status\":\"ready\"}\n"), "{ready:?}");
    let alive = asking(&roster.address()).and(["--live"]).run().await;
    assert_eq!((alive.code, alive.stdout.as_str()), (Some(0), "{\"status\":\"alive\"}\n"), "{alive:?}");
    let untold = asking(&roster.address()).by_shell("exec \"$0\" \"$@\" >/dev/full").run().await;
    assert_eq!((untold.code, untold.stderr.as_str()), (Some(0), ""), "{untold:?}");
}

async fn a_service_on_all_addresses_is_asked_on_the_loopback(OnSqlite(database): OnSqlite) {
    let roster = Program::serving(&database).serve().await;
    let port = roster.address().replace("127.0.0.1:", "");
    let exit = asking(&format!("0.0.0.0:{port}")).run().await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
}

async fn where_nobody_serves_it_fails() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let exit = asking(&free.to_string()).run().await;
    assert_eq!(exit.code, Some(1), "{exit:?}");
    assert_eq!(exit.stderr.lines().count(), 1, "{exit:?}");
    assert!(exit.stderr.contains(&free.to_string()), "{exit:?}");
}

async fn a_service_whose_store_is_away_lives_and_is_not_ready(OnPostgres(database): OnPostgres) {
    let gateway = Gateway::to(database.url()).await;
    let url = gateway.url(database.url());
    let roster = Program::with(["--listen", "127.0.0.1:0", "--database-url", &url]).serve().await;
    gateway.cut();

    let ready = asking(&roster.address()).run().await;
    assert_eq!(ready.code, Some(1), "{ready:?}");
    assert!(ready.stderr.contains("503") && ready.stderr.contains("unavailable"), "{ready:?}");
    assert_eq!(asking(&roster.address()).and(["--live"]).run().await.code, Some(0));
}

async fn a_port_that_nobody_knows_is_refused() {
    let exit = asking("127.0.0.1:0").run().await;
    assert_eq!(exit.code, Some(2), "{exit:?}");
    assert!(exit.stderr.contains("--listen (ROSTER_LISTEN)"), "{exit:?}");
}
