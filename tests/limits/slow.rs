//! Clients that send little, late, or nothing, and hold on to what they have.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::kit::{
    Database, Http, Program, Raw, Roster, USERS, User, creating, creation, in_time, suite, user_path,
};

suite![
    a_first_head_that_does_not_come_is_not_waited_for,
    a_later_head_that_does_not_come_is_not_waited_for,
    a_body_that_does_not_come_is_answered_with_408,
    what_is_sent_after_the_answer_keeps_no_connection,
    a_connection_on_which_nothing_is_asked_is_closed,
    a_body_has_time_that_does_not_count_for_the_answer,
    bodies_that_do_not_come_take_no_places_of_others,
    clients_that_are_slow_do_not_harm_others,
];

/// How long what has a second may take.
const SOON: Duration = Duration::from_millis(1_500);

/// Where these time limits are a second each; others are as they are, so that a client who is held up for a moment is
/// not taken for a slow one.
async fn impatient<const N: usize>(database: &Database, limits: [&'static str; N]) -> Roster {
    Program::serving(database).and(limits.into_iter().flat_map(|limit| [limit, "1"])).serve().await
}

/// A request to create a user, whose body does not come.
fn stalled() -> String {
    creating("Content-Length: 60\r\n") + "{\"email\": "
}

async fn a_first_head_that_does_not_come_is_not_waited_for(database: Database) {
    let roster = impatient(&database, ["--head-timeout"]).await;
    for part in ["", "GET /api", "GET /livez HTTP/1.1\r\nHost: localhost\r\n"] {
        let mut raw = Raw::to(&roster).await;
        let began = Instant::now();
        raw.send(part).await;
        assert_eq!(raw.refusal().await, Some(408), "{part:?}");
        assert!(began.elapsed() < in_time(SOON), "{:?}", began.elapsed());
    }
}

// Seen to fail without `Patience::watch`: the framework waits for ever for any head but the first.
async fn a_later_head_that_does_not_come_is_not_waited_for(database: Database) {
    let roster = impatient(&database, ["--keep-alive", "--head-timeout"]).await;
    let mut raw = Raw::to(&roster).await;
    raw.ask("GET", USERS).await.unwrap();
    raw.answer().await.expect("it is answered").page();
    let began = Instant::now();
    raw.send("GET /livez HTTP/1.1\r\nHost: localhost\r\n").await;
    raw.ends().await;
    // As long as a connection is kept, and as long as a head may take.
    assert!(began.elapsed() < in_time(2 * SOON), "{:?}", began.elapsed());
}

// Seen to fail with a clock that does not tell a body from the rest: then it is 503.
async fn a_body_that_does_not_come_is_answered_with_408(database: Database) {
    let roster = impatient(&database, ["--body-timeout"]).await;
    let mut raw = Raw::to(&roster).await;
    let began = Instant::now();
    raw.send(stalled()).await;
    let answer = raw.answer().await.expect("it is answered");
    answer.error(408, "request_timeout");
    assert_eq!(answer.header("connection"), "close");
    raw.ends().await;
    assert!(began.elapsed() < in_time(SOON), "{:?}", began.elapsed());
    assert_eq!(roster.get(USERS).await.page().items, []);
}

// Seen to fail without `Patience::watch`: the framework reads on for as long as chunks come.
async fn what_is_sent_after_the_answer_keeps_no_connection(database: Database) {
    let roster = impatient(&database, ["--keep-alive", "--head-timeout"]).await;
    let mut raw = Raw::to(&roster).await;
    raw.send("POST /nope HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    raw.answer().await.expect("it is answered").error(404, "not_found");
    let mut chunks = 0;
    while raw.try_send("1\r\nx\r\n").await.is_ok() {
        chunks += 1;
        assert!(chunks < 40, "four seconds of chunks are read that nobody needs");
        sleep(Duration::from_millis(100)).await;
    }
}

async fn a_connection_on_which_nothing_is_asked_is_closed(database: Database) {
    let roster = impatient(&database, ["--keep-alive"]).await;
    let mut raw = Raw::to(&roster).await;
    raw.ask("GET", USERS).await.unwrap();
    raw.answer().await.expect("it is answered").page();
    let began = Instant::now();
    raw.ends().await;
    assert!(began.elapsed() < in_time(SOON), "{:?}", began.elapsed());
}

// Seen to fail where the body is waited for within `--request-timeout`.
async fn a_body_has_time_that_does_not_count_for_the_answer(database: Database) {
    let roster = Program::serving(&database).and(["--request-timeout", "2"]).serve().await;
    let (head, body) = creation("", "ada");
    let (first, rest) = body.split_at(20);
    let mut raw = Raw::to(&roster).await;
    raw.send(head).await;
    raw.send(first).await;
    sleep(Duration::from_secs(3)).await;
    raw.send(rest).await;
    raw.answer().await.expect("it is answered").user(201);
}

// Seen to fail where a place is kept while the body is waited for.
async fn bodies_that_do_not_come_take_no_places_of_others(database: Database) {
    let roster = Program::serving(&database).and(["--max-requests", "2"]).serve().await;
    let mut slow = Vec::new();
    for _ in 0..8 {
        let mut raw = Raw::to(&roster).await;
        raw.send(stalled()).await;
        slow.push(raw);
    }
    for nth in 0..20 {
        roster.user(&format!("user{nth}")).await;
    }
}

/// How many clients are slow, where somebody wants to know how well the service bears it.
fn measured() -> Option<usize> {
    let told = std::env::var("ROSTER_TEST_ATTACKERS").ok()?;
    Some(told.parse().expect("ROSTER_TEST_ATTACKERS is a number"))
}

/// `just slow-clients` measures; this is a short form of it.
async fn clients_that_are_slow_do_not_harm_others(database: Database) {
    let roster = Program::serving(&database).and(["--log", "warn"]).serve().await;
    let ada = roster.user("ada").await;
    good_client(&roster, &ada).await;
    let before = good_client(&roster, &ada).await;
    let mut attackers = JoinSet::new();
    for nth in 0..measured().unwrap_or(90) {
        attackers.spawn(attack(roster.clone(), nth));
    }
    sleep(Duration::from_secs(1)).await;
    let meanwhile = good_client(&roster, &ada).await;
    eprintln!("p99 of a good client: {before:?} alone, {meanwhile:?} beside {} slow ones", attackers.len());
    if measured().is_some() {
        assert!(meanwhile <= 2 * before, "slow clients harm others");
    }
}

/// Reads a user over and over, with never a failure; 99 of 100 times it takes no longer than this.
async fn good_client(roster: &Http, ada: &User) -> Duration {
    let times = if measured().is_some() { 5_000 } else { 200 };
    let mut took = Vec::new();
    for _ in 0..times {
        let asked = Instant::now();
        assert_eq!(&roster.get(&user_path(ada.id)).await.user(200), ada);
        took.push(asked.elapsed());
    }
    took.sort_unstable();
    took[times * 99 / 100]
}

/// Is slow, over and over: to send a head, to send a body, or to read, each a third of the clients.
async fn attack(roster: Http, nth: usize) {
    loop {
        let mut raw = Raw::reading_little(&roster).await;
        let (whole, part) = match nth % 3 {
            0 => ("GET /livez HTTP/1.1\r\n".to_owned(), "X-More: 1\r\n"),
            1 => (stalled(), " "),
            _ => (format!("GET {USERS} HTTP/1.1\r\nHost: localhost\r\n\r\n").repeat(16), ""),
        };
        let mut sent = raw.try_send(whole).await;
        while sent.is_ok() && !raw.has_ended().await {
            sleep(Duration::from_millis(500)).await;
            sent = raw.try_send(part).await;
        }
    }
}
