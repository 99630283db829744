//! Another server takes over.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::{FAILED_OVER, SECONDS, WRITING, nothing_is_lost, unavailable, until, works_again};
use crate::kit::{
    Gateway, OwnPostgres, Program, Replicated, USERS, Writers, in_time, new_user, suite, user_path,
};

suite![
    a_promoted_standby_is_written_to_without_a_restart,
    a_primary_that_hangs_is_left_for_the_standby_that_was_promoted,
    commits_that_wait_for_a_standby_take_no_more_sessions,
    connections_to_a_primary_that_was_demoted_are_replaced,
    a_precondition_is_judged_by_the_server_that_takes_writes,
    a_standby_that_a_name_led_to_for_a_while_is_left_by_reads_too,
    a_server_that_takes_no_writes_is_read_and_written_to_once_it_does,
];

/// Nothing takes writes any more, new transactions included.
const READ_ONLY: [&str; 2] =
    ["ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"];

/// How many sessions of Roster a server has.
async fn sessions(server: &OwnPostgres) -> i64 {
    server.count("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'roster'").await
}

/// Promotes the standby, which soon takes writes.
async fn promote(servers: &Replicated, writers: &Writers) {
    promote_within(FAILED_OVER, servers, writers).await;
}

/// The same, where that is found out later.
async fn promote_within(figure: Duration, servers: &Replicated, writers: &Writers) {
    servers.standby.execute(&["SELECT pg_promote()"]).await;
    let promoted = Instant::now();
    writers.acknowledged(1).await;
    eprintln!("the first write is acknowledged {:?} after the promotion", promoted.elapsed());
    assert!(promoted.elapsed() < in_time(figure), "{:?}", promoted.elapsed());
}

async fn a_promoted_standby_is_written_to_without_a_restart(servers: Replicated) {
    let roster = Program::by_default(&servers.url()).serve().await;
    let writers = Writers::start(&roster, 8);
    writers.acknowledged(100).await;

    servers.primary.kill().await;
    promote(&servers, &writers).await;
    writers.acknowledged(100).await;

    let tally = writers.end().await;
    tally.only_unavailable();
    nothing_is_lost(&tally, servers.standby.url(), &roster).await;
}

/// The old primary takes connections, and says nothing on any. Seen to fail where its silence at log-in took up the time
/// of the standby, and where nobody ended a statement that it did not answer.
async fn a_primary_that_hangs_is_left_for_the_standby_that_was_promoted(servers: Replicated) {
    let gateway = Gateway::to(servers.primary.url()).await;
    let by_gateway = servers.url_with(&gateway.url(servers.primary.url()));
    let roster = Program::by_default(&by_gateway).serve().await;
    let writers = Writers::start(&roster, 8);
    writers.acknowledged(100).await;

    gateway.silence();
    // A statement is given up after five seconds, and a connection that nobody lets in after three more at each address.
    promote_within(Duration::from_secs(12), &servers, &writers).await;
    writers.acknowledged(100).await;

    let tally = writers.end().await;
    tally.only_unavailable();
    nothing_is_lost(&tally, servers.standby.url(), &roster).await;
    works_again(&roster).await;
    // The service itself gives events their positions again.
    roster.all_events().await;
}

/// A commit that waits is under no time-out of the server. Seen to fail where the server was not asked to end what was
/// under way on a connection that was closed; and where it had begun to answer before the commit of an import.
async fn commits_that_wait_for_a_standby_take_no_more_sessions(servers: Replicated) {
    // Connections of clients are not to end while others wait.
    let roster = Program::by_default(servers.primary.url()).and(["--keep-alive", "60"]).serve().await;
    let users = roster.users(40).await;
    servers.standby.stop().await;

    for round in 0..3 {
        let name = json!({"name": format!("Name {round}")});
        let changes = users.iter().map(|user| roster.patch(&user_path(user.id), &name).into_future());
        join_all(changes).await.iter().for_each(unavailable);
    }
    let lines: Vec<_> = (0..500).map(|nth| new_user(&format!("line{nth}")).to_string()).collect();
    let import = roster.request("POST", &format!("{USERS}/import?report=errors"));
    let import = import.body("application/x-ndjson", lines.join("\n"));
    let report = timeout(2 * SECONDS, import.into_future()).await.expect("an import is told so").lines();
    assert_eq!(report.last().expect("a summary")["failed"], 500);
    let usual = i64::try_from(16 + 2 * std::thread::available_parallelism().unwrap().get() + 4).unwrap();
    until("there are no more than usual", async || sessions(&servers.primary).await <= usual).await;

    servers.standby.resume().await;
    roster.user("bob").await;
}

/// The old primary lives on, and answers.
async fn connections_to_a_primary_that_was_demoted_are_replaced(servers: Replicated) {
    let roster = Program::by_default(&servers.url()).serve().await;
    let writers = Writers::start(&roster, 8);
    writers.acknowledged(100).await;

    servers.primary.execute(&READ_ONLY).await;
    until("writes in flight have ended", async || servers.primary.count(WRITING).await == 0).await;
    promote(&servers, &writers).await;

    until("the old primary is left alone", async || sessions(&servers.primary).await == 0).await;
    assert!(sessions(&servers.standby).await > 0);
    writers.acknowledged(100).await;
    let tally = writers.end().await;
    tally.only_unavailable();
    nothing_is_lost(&tally, servers.standby.url(), &roster).await;
}

/// Another program has changed the user since. Seen to fail where the old primary was asked for its version.
async fn a_precondition_is_judged_by_the_server_that_takes_writes(servers: Replicated) {
    let roster = Program::by_default(&servers.url()).serve().await;
    let ada = roster.user("ada").await;
    assert_eq!(roster.get(&user_path(ada.id)).await.user(200), ada);

    servers.primary.execute(&READ_ONLY).await;
    servers.standby.execute(&["SELECT pg_promote()", "UPDATE users SET version = 2"]).await;

    let change = roster.patch(&user_path(ada.id), &json!({"name": "Ada Byron"})).header("If-Match", "\"2\"");
    assert_eq!(change.await.user(200).version, 3);
}

/// As a name does that is slow to follow a failover. Seen to fail where nothing but a write found out that its server had
/// become a standby.
async fn a_standby_that_a_name_led_to_for_a_while_is_left_by_reads_too(servers: Replicated) {
    let name = Gateway::to(servers.primary.url()).await;
    let roster = Program::by_default(&name.url(servers.primary.url())).serve().await;
    let path = user_path(roster.user("ada").await.id);
    let read = async || join_all((0..100).map(|_| roster.get(&path).into_future())).await;
    let together = "query LIKE 'SELECT asked.%'";

    until("all that is to be written is", async || {
        servers.primary.count("SELECT last FROM event_counter").await == 1
    })
    .await;
    name.lead_to(servers.standby.url());
    name.cut();
    until("the primary is left", async || sessions(&servers.primary).await == 0).await;
    name.open();
    // For longer than connections are left alone where no server takes writes.
    for _ in 0..30 {
        read().await;
        sleep(Duration::from_millis(100)).await;
    }
    until("the standby is read", async || {
        read().await;
        let reading = format!("SELECT count(*) FROM pg_stat_activity WHERE {together}");
        servers.standby.count(&reading).await > 0
    })
    .await;
    name.lead_to(servers.primary.url());
    // Whoever writes is among the others, and finds out by itself.
    let others = format!("application_name = 'roster' AND NOT {together}");
    let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}");
    servers.standby.execute(&[&end]).await;
    assert!(sessions(&servers.standby).await > 0, "the standby is not read");

    until("the standby is left alone", async || {
        read().await;
        sessions(&servers.standby).await == 0
    })
    .await;
}

async fn a_server_that_takes_no_writes_is_read_and_written_to_once_it_does(
    Replicated { primary: server, standby: _standby }: Replicated,
) {
    let roster = Program::by_default(server.url()).serve().await;
    let ada = roster.user("ada").await;

    server.execute(&READ_ONLY).await;
    until("it takes no writes", async || roster.get("/readyz").await.status() == 503).await;
    unavailable(&roster.post(USERS, &new_user("bob")).await);
    unavailable(&roster.put(&user_path(ada.id), &new_user("eve")).await);
    unavailable(&roster.delete(&user_path(ada.id)).await);
    assert_eq!(roster.get(&user_path(ada.id)).await.user(200), ada, "it can be read all the same");

    server.execute(&["ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()"]).await;
    until("it takes writes", async || roster.get("/readyz").await.status() == 200).await;
    sleep(Duration::from_millis(100)).await;
    roster.user("bob").await;
}
