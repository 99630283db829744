//! Connections that cannot be had, or end.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rustix::process::Signal;
use serde_json::json;
use tokio::time::sleep;
use tokio_postgres::Client;

use super::{is_unavailable, nothing_is_lost, unavailable, until, works_again};
use crate::kit::{
    Database, OfFewConnections, OnPostgres, OwnPostgres, Program, Roster, USERS, Writers, in_time, new_user,
    suite, user_path,
};

suite![
    connections_on_which_nothing_is_asked_are_kept,
    a_program_that_was_paused_goes_on_with_what_was_answered_meanwhile,
    a_server_without_a_connection_to_spare_is_unavailable,
    users_are_made_by_the_pool_where_no_other_connection_is_to_be_had,
    connections_that_the_server_ends_under_load_lose_nothing,
    reads_on_a_connection_that_is_ended_are_answered_by_another,
    who_reads_alone_is_answered_after_all_connections_ended,
    events_get_their_positions_though_every_connection_of_the_pool_is_in_use,
    short_reads_are_answered_though_every_connection_of_the_pool_is_in_use,
    requests_beyond_the_pool_are_told_so_soon_and_the_next_ones_are_served,
];

const TERMINATE: &str =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'roster'";

/// Longer than a server may say nothing to what it was asked. Seen to fail where it was not noted that an answer had come.
async fn connections_on_which_nothing_is_asked_are_kept(server: OwnPostgres) {
    let roster = Program::by_default(server.url()).and(["--database-pool-wait", "10"]).serve().await;
    roster.users(4).await;
    let reads = (0..20).map(|nth| roster.get(&format!("{USERS}?name=user{nth}")).into_future());
    join_all(reads).await.iter().for_each(|answer| drop(answer.page()));
    let before = sessions(&server).await;

    sleep(Duration::from_secs(8)).await;

    let after = sessions(&server).await;
    assert!(before.len() > 4 && before.is_subset(&after), "{before:?}, {after:?}");
}

/// For longer than a server may say nothing. Seen to fail where an answer that was there already was not read first.
async fn a_program_that_was_paused_goes_on_with_what_was_answered_meanwhile(
    OnPostgres(database): OnPostgres,
) {
    // It may wait for a lock for three quarters of a statement's time; the server may say nothing for seven seconds.
    let settings = ["--database-statement-timeout", "3", "--request-timeout", "60"];
    let mut roster = Program::by_default(database.url()).and(settings).serve().await;
    let path = user_path(roster.user("ada").await.id);
    let (server, name) = database.server();
    let holder = server.client(name).await.expect("the server answers");
    holder.batch_execute("BEGIN; SELECT FROM users FOR UPDATE").await.expect("the row can be locked");

    let change = roster.patch(&path, &json!({"name": "Ada King"})).header("Idempotency-Key", "\"key\"");
    let process = roster.process();
    let paused = async {
        a_change_waits_in(&database).await;
        process.signal(Signal::STOP);
        holder.batch_execute("ROLLBACK").await.expect("the row can be let go");
        sleep(Duration::from_millis(8_500)).await;
        process.signal(Signal::CONT);
    };
    let (changed, ()) = futures_util::join!(change.into_future(), paused);
    assert_eq!(changed.user(200).name, "Ada King");
}

/// The sessions of Roster that a server has.
async fn sessions(server: &OwnPostgres) -> BTreeSet<i32> {
    let client = server.client().await.unwrap();
    let rows = client.query("SELECT pid FROM pg_stat_activity WHERE application_name = 'roster'", &[]).await;
    rows.unwrap().iter().map(|row| row.get(0)).collect()
}

async fn a_server_without_a_connection_to_spare_is_unavailable(OfFewConnections(server): OfFewConnections) {
    let roster = Program::by_default(server.url()).and(["--database-pool-size", "4"]).serve().await;
    let ada = roster.user("ada").await;

    let taken = in_the_place_of(&server, "application_name = 'roster'").await;
    is_unavailable(&roster).await;
    drop(taken);

    works_again(&roster).await;
    assert_eq!(roster.get(&user_path(ada.id)).await.user(200), ada);
}

/// Each runtime has a connection of its own for creates. Seen to fail where a create had no other.
async fn users_are_made_by_the_pool_where_no_other_connection_is_to_be_had(
    OfFewConnections(server): OfFewConnections,
) {
    let settings = ["--database-pool-size", "1", "--database-pool-wait", "30", "--request-timeout", "60"];
    let program = Program::by_default(server.url()).and(settings).and(["--keep-alive", "60"]);
    let roster = program.serve().await;
    let reads = join_all((0..40).map(|_| roster.get(USERS).into_future()));
    for answer in reads.await {
        answer.any_body(200);
    }
    let pool = sessions(&server).await;
    roster.users(20).await;
    let own: Vec<_> = sessions(&server).await.difference(&pool).map(ToString::to_string).collect();
    assert!(!own.is_empty(), "there is none but those of the pool");

    let _taken = in_the_place_of(&server, &format!("pid IN ({})", own.join(", "))).await;

    let creates = (0..8).map(|nth| roster.post(USERS, &new_user(&format!("new{nth}"))).into_future());
    join_all(creates).await.iter().for_each(|created| drop(created.user(201)));
}

/// Ends the sessions of which this is true, until none is left, and has others in the place of those, and of all that are
/// to be had.
async fn in_the_place_of(server: &OwnPostgres, sessions: &str) -> Vec<Client> {
    let of_sessions = |what: &str| format!("SELECT {what} FROM pg_stat_activity WHERE {sessions}");
    let (end, left) = (of_sessions("pg_terminate_backend(pid)"), of_sessions("count(*)"));
    let own = server.client().await.expect("there is one to spare");
    let (mut taken, mut unchanged) = (Vec::new(), 0);
    // A session that ends is told of no more some time before another one can have its place.
    while unchanged < 5 {
        own.batch_execute(&end).await.expect("it can end others");
        let before = taken.len();
        while let Ok(client) = server.client().await {
            taken.push(client);
        }
        let left: i64 = own.query_one(&left, &[]).await.expect("it can be asked").get(0);
        unchanged = if left == 0 && taken.len() == before { unchanged + 1 } else { 0 };
        sleep(Duration::from_millis(20)).await;
    }
    taken.push(own);
    taken
}

async fn connections_that_the_server_ends_under_load_lose_nothing(OnPostgres(database): OnPostgres) {
    let roster = Program::serving(&database).serve().await;
    let writers = Writers::start(&roster, 8);
    writers.acknowledged(20).await;

    let (server, name) = database.server();
    let one = format!("{TERMINATE} AND datname = '{name}' ORDER BY random() LIMIT 1");
    let (mut read, mut unread) = (0, 0);
    for _ in 0..100 {
        server.execute(&one).await.expect("it can end others");
        let answers = join_all((0..4).map(|_| roster.get(USERS).into_future())).await;
        for answer in &answers {
            if answer.status() == 200 {
                read += 1;
            } else {
                unavailable(answer);
                unread += 1;
            }
        }
        sleep(Duration::from_millis(20)).await;
    }
    eprintln!("{read} reads were answered, {unread} were unavailable");
    assert!(unread <= read / 50, "{unread} reads were unavailable, {read} were answered");

    let tally = writers.end().await;
    eprintln!("{} writes were unavailable", tally.only_unavailable());
    nothing_is_lost(&tally, database.url(), &roster).await;
    works_again(&roster).await;
}

/// Few connections, so that the ones that many read on at a time are often among those that end.
async fn reads_on_a_connection_that_is_ended_are_answered_by_another(OnPostgres(database): OnPostgres) {
    // No connection of the client's is to end as well, for its idleness.
    let settings = ["--database-pool-size", "4", "--keep-alive", "60"];
    let roster = Program::serving(&database).and(settings).serve().await;
    let ada = roster.user("ada").await;
    let path = user_path(ada.id);
    let (server, name) = database.server();
    let one = format!("{TERMINATE} AND datname = '{name}' ORDER BY random() LIMIT 1");

    let (mut read, mut unread) = (0, 0);
    for _ in 0..60 {
        let ended = async {
            sleep(Duration::from_millis(5)).await;
            server.execute(&one).await.expect("it can end others");
        };
        let readers = join_all((0..8).map(|_| async {
            let mut answers = Vec::new();
            for _ in 0..4 {
                answers.push(roster.get(&path).await);
            }
            answers
        }));
        let (answers, ()) = futures_util::join!(readers, ended);
        for answer in answers.into_iter().flatten() {
            if answer.status() == 200 {
                assert_eq!(answer.user(200), ada);
                read += 1;
            } else {
                unavailable(&answer);
                unread += 1;
            }
        }
    }

    eprintln!("{read} reads were answered, {unread} were unavailable");
    assert!(unread <= read / 50, "{unread} reads were unavailable, {read} were answered");
    works_again(&roster).await;
}

/// One reader, whose connection ends with all others, and who reads by one that was opened for it meanwhile.
async fn who_reads_alone_is_answered_after_all_connections_ended(OnPostgres(database): OnPostgres) {
    let roster = Program::serving(&database).and(["--keep-alive", "60"]).serve().await;
    let ada = roster.user("ada").await;
    let (server, name) = database.server();
    let all = format!("{TERMINATE} AND datname = '{name}'");
    let mut paths = [user_path(ada.id), USERS.to_owned()];

    let (mut read, mut unread) = (0, 0);
    for _ in 0..20 {
        for path in paths.iter().chain(&paths) {
            let answer = roster.get(path).await;
            if answer.status() == 200 {
                assert!(answer.text().contains(&ada.email), "{}", answer.told());
                read += 1;
            } else {
                unavailable(&answer);
                unread += 1;
            }
            sleep(Duration::from_millis(20)).await;
        }
        server.execute(&all).await.expect("it can end others");
        paths.reverse();
    }

    eprintln!("{read} reads were answered, {unread} were unavailable");
    assert!(unread <= read / 20, "{unread} reads were unavailable, {read} were answered");
}

/// One connection in the pool, which waits for a row that is locked from outside.
async fn short_reads_are_answered_though_every_connection_of_the_pool_is_in_use(
    OnPostgres(database): OnPostgres,
) {
    let one = ["--database-pool-size", "1", "--database-statement-timeout", "120", "--request-timeout", "60"];
    let roster = Program::serving(&database).and(one).serve().await;
    let (ada, bob) = (roster.user("ada").await, roster.user("bob").await);
    let (server, name) = database.server();
    let holder = server.client(name).await.expect("the server answers");
    let lock = format!("BEGIN; SELECT FROM users WHERE id = {} FOR UPDATE", ada.id);
    holder.batch_execute(&lock).await.expect("the row can be locked");

    let path = user_path(ada.id);
    let change = roster.patch(&path, &json!({"name": "Name at last"}));
    let read = async {
        a_change_waits_in(&database).await;
        until("reads are answered", async || are_read(&roster, bob.id).await).await;
        // The one that waits is not idle.
        let idle = format!("{TERMINATE} AND datname = '{name}' AND state = 'idle'");
        server.execute(&idle).await.expect("it can end others");
        until("reads are answered again", async || are_read(&roster, bob.id).await).await;
        holder.batch_execute("ROLLBACK").await.expect("the row can be let go");
    };
    let (changed, ()) = futures_util::join!(change.into_future(), read);
    assert_eq!(changed.user(200).name, "Name at last");
}

/// Until a change in this database waits for somebody else.
async fn a_change_waits_in(database: &Database) {
    until("the change waits", async || database.waiting().await == 1).await;
}

/// Somebody holds on to a user whom many change. Seen to fail where events were numbered on a connection of the pool.
async fn events_get_their_positions_though_every_connection_of_the_pool_is_in_use(
    OnPostgres(database): OnPostgres,
) {
    let few = ["--database-pool-size", "2", "--database-statement-timeout", "2"];
    let roster = Program::serving(&database).and(few).serve().await;
    let path = user_path(roster.user("ada").await.id);
    let (server, name) = database.server();
    let holder = server.client(name).await.expect("the server answers");
    holder.batch_execute("BEGIN; SELECT FROM users FOR UPDATE").await.expect("the row can be locked");
    let change = json!({"name": "Ada King"});
    let changes = (0..12).map(|_| async {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(5) {
            unavailable(&roster.patch(&path, &change).await);
        }
    });
    let created = async {
        until("changes wait", async || database.waiting().await == 2).await;
        for nth in 0..20 {
            roster.user(&format!("user{nth}")).await;
            sleep(Duration::from_millis(50)).await;
        }
        let made = Instant::now();
        let events = database.ports().events;
        let newest = async || events.newest().await.expect("the store answers").get();
        until("all are numbered", async || newest().await == 21).await;
        assert!(made.elapsed() < in_time(Duration::from_secs(1)), "{:?}", made.elapsed());
    };
    futures_util::join!(join_all(changes), created);
}

/// Whether a user and the list are read by many at once; those that are not are unavailable.
async fn are_read(roster: &Roster, id: i64) -> bool {
    let paths = [user_path(id), USERS.to_owned()];
    let answers = join_all((0..40).map(|nth| roster.get(&paths[nth % 2]).into_future())).await;
    for answer in answers.iter().filter(|answer| answer.status() != 200) {
        unavailable(answer);
    }
    answers.iter().all(|answer| answer.status() == 200)
}

/// Four connections, and a row that is locked from outside.
async fn requests_beyond_the_pool_are_told_so_soon_and_the_next_ones_are_served(
    OnPostgres(database): OnPostgres,
) {
    let few = ["--database-pool-size", "4", "--database-pool-wait", "0.5", "--request-timeout", "60"];
    // It may wait for a lock for three quarters of a statement's time.
    let program = Program::serving(&database).and(few).and(["--database-statement-timeout", "2"]);
    let roster = program.serve().await;
    let (ada, bob) = (roster.user("ada").await, roster.user("bob").await);
    let (server, name) = database.server();
    let holder = server.client(name).await.expect("the server answers");
    holder
        .batch_execute(&format!(
            "BEGIN; SELECT FROM users WHERE id = {} FOR UPDATE; \
             INSERT INTO users (email, name, name_key) VALUES ('eve@example.org', 'Eve', 'eve')",
            ada.id
        ))
        .await
        .expect("the row can be locked, and the e-mail taken");

    let asked = Instant::now();
    let path = user_path(ada.id);
    let answers = join_all((0..200).map(|nth| {
        // One statement, or a transaction.
        let request = if nth % 2 == 0 {
            roster.patch(&path, &json!({"name": format!("Name {nth}")}))
        } else {
            roster.post(USERS, &new_user("eve")).header("Idempotency-Key", &format!("\"{nth}\""))
        };
        async move { (request.await, asked.elapsed()) }
    }));
    let (answers, ()) = futures_util::join!(answers, async {
        roster.get("/livez").await.any_body(200);
        roster.get("/readyz").await.any_body(200);
    });
    for (answer, _) in &answers {
        unavailable(answer);
    }
    let mut waits: Vec<_> = answers.iter().map(|(_, waited)| *waited).collect();
    waits.sort();
    eprintln!("200 requests were told after {:?} (196 of them), {:?} (all)", waits[195], waits[199]);
    // Four have a connection, and wait for the row; the others wait half a second for one.
    assert!(waits[195] < in_time(Duration::from_millis(600)), "{:?}", waits[195]);
    assert!(waits[199] < in_time(Duration::from_millis(2_500)), "{:?}", waits[199]);

    holder.batch_execute("ROLLBACK").await.expect("the row can be let go");
    let freed = Instant::now();
    for path in [&path, &user_path(bob.id)] {
        roster.patch(path, &json!({"name": "Name at last"})).await.user(200);
    }
    for _ in 0..25 {
        for answer in join_all((0..8).map(|_| roster.get(USERS).into_future())).await {
            answer.page();
        }
    }
    eprintln!("202 requests were served within {:?}", freed.elapsed());
    assert!(freed.elapsed() < in_time(Duration::from_secs(1)), "{:?}", freed.elapsed());
    until("no transaction is left", async || {
        let open = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND state LIKE 'idle in%'"
        );
        server.count(&open).await == 0
    })
    .await;
}
