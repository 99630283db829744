//! The keys of JWTs: from a file or a URL, as they change, and as long as they cannot be had.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{READ, becomes};
use crate::kit::{Database, OnSqlite, Program, Raw, Reply, Roster, SigningKey, StandIn, jwks, suite};

suite![
    keys_are_fetched_and_a_new_one_counts_at_once,
    many_unknown_keys_make_one_question,
    a_new_key_counts_though_whoever_named_it_first_hangs_up,
    who_waits_for_keys_takes_nobodys_place,
    keys_outlive_the_outage_of_who_has_them,
    until_keys_can_be_had_nobody_is_judged,
    a_redirect_is_not_followed_and_what_is_no_set_is_not_taken,
    a_file_of_keys_is_read_again,
    a_key_that_is_withdrawn_counts_until_keys_are_fetched_again,
    keys_that_cannot_be_fetched_are_told_as_degraded,
];

async fn serving(database: &Database, jwks: &str) -> Roster {
    program(database, jwks).serve().await
}

fn program(database: &Database, jwks: &str) -> Program {
    Program::serving(database).and(["--jwks", jwks, "--jwt-issuer", "us", "--jwt-audience", "roster"])
}

fn token(key: &SigningKey) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    key.token(&json!({"iss": "us", "aud": "roster", "sub": "ada", "exp": now + 600, "scope": "users:read"}))
}

fn set(keys: &[&SigningKey]) -> Reply {
    Reply::json(200, &jwks(keys))
}

async fn keys_are_fetched_and_a_new_one_counts_at_once(OnSqlite(database): OnSqlite) {
    let (old, new) = (SigningKey::ed("old"), SigningKey::ec("new"));
    let issuer = StandIn::answering([set(&[&old])]).await;
    let roster = serving(&database, &issuer.url()).await;
    becomes(&roster, &token(&old), 200).await;
    let before = issuer.requests().len();

    issuer.answer(set(&[&new]));
    roster.get(READ).bearer(&token(&new)).await.page();
    // The one that is withdrawn counts no more from then on.
    roster.get(READ).bearer(&token(&old)).await.error(401, "unauthenticated");
    roster.get(READ).bearer(&token(&new)).await.page();
    assert_eq!(issuer.requests().len(), before + 1, "{:?}", issuer.requests());
    assert!(issuer.requests().iter().all(|head| !head.to_lowercase().contains("authorization")));
}

async fn many_unknown_keys_make_one_question(OnSqlite(database): OnSqlite) {
    let key = SigningKey::ed("known");
    // Slow enough for all to ask while the answer is on its way.
    let issuer = StandIn::answering([set(&[&key]), set(&[&key]).dripped()]).await;
    let roster = serving(&database, &issuer.url()).await;
    becomes(&roster, &token(&key), 200).await;
    issuer.answer(set(&[&key]));
    let before = issuer.requests().len();
    let strangers: Vec<_> = (0..50).map(|_| token(&SigningKey::ed("stranger"))).collect();
    let refused = join_all(strangers.iter().map(|token| roster.get(READ).bearer(token).into_future()));
    for answer in refused.await {
        answer.error(401, "unauthenticated");
    }
    assert_eq!(issuer.requests().len(), before + 1);
    roster.get(READ).bearer(&token(&key)).await.page();
}

/// A request with this token, on a connection of its own.
async fn asking(roster: &Roster, token: &str) -> Raw {
    let mut raw = Raw::to(roster).await;
    raw.send(format!("GET {READ} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"))
        .await;
    raw
}

/// Seen to fail where keys were fetched within the request: they were not had, and not asked for again for a while.
async fn a_new_key_counts_though_whoever_named_it_first_hangs_up(OnSqlite(database): OnSqlite) {
    let (old, new) = (SigningKey::ed("old"), SigningKey::ec("new"));
    let issuer = StandIn::answering([set(&[&old])]).await;
    let roster = serving(&database, &issuer.url()).await;
    becomes(&roster, &token(&old), 200).await;
    let before = issuer.requests().len();

    issuer.answer(set(&[&new]).late());
    let raw = asking(&roster, &token(&new)).await;
    while issuer.requests().len() == before {
        sleep(Duration::from_millis(20)).await;
    }
    raw.reset();

    becomes(&roster, &token(&new), 200).await;
    assert_eq!(issuer.requests().len(), before + 1, "it was not asked for again");
}

/// Seen to fail where a place was held while keys were fetched.
async fn who_waits_for_keys_takes_nobodys_place(OnSqlite(database): OnSqlite) {
    let known = SigningKey::ed("known");
    let issuer = StandIn::answering([set(&[&known])]).await;
    let roster = program(&database, &issuer.url()).and(["--max-requests", "2"]).serve().await;
    becomes(&roster, &token(&known), 200).await;

    issuer.answer(Reply::Nothing);
    let stranger = token(&SigningKey::ed("stranger"));
    let waiting = [asking(&roster, &stranger).await, asking(&roster, &stranger).await];
    // With the one that reads this.
    while roster.measured().await["roster_http_requests_in_flight"].sum(&[]) < 3.0 {
        sleep(Duration::from_millis(20)).await;
    }

    roster.get(READ).bearer(&token(&known)).await.page();
    for mut raw in waiting {
        raw.answer().await.expect("it is answered").error(401, "unauthenticated");
    }
}

async fn keys_outlive_the_outage_of_who_has_them(OnSqlite(database): OnSqlite) {
    let (known, other) = (SigningKey::ed("known"), SigningKey::ed("other"));
    let issuer = StandIn::answering([set(&[&known])]).await;
    let roster = serving(&database, &issuer.url()).await;
    becomes(&roster, &token(&known), 200).await;
    for reply in [Reply::Reset, Reply::json(500, "{}"), Reply::json(200, r#"{"keys": []}"#)] {
        issuer.answer(reply);
        roster.get(READ).bearer(&token(&other)).await.error(401, "unauthenticated");
        roster.get(READ).bearer(&token(&known)).await.page();
    }
    let log = roster.stop().await.stderr;
    assert!(log.contains("failing: the keys of JWTs are fetched"), "{log}");
}

async fn until_keys_can_be_had_nobody_is_judged(OnSqlite(database): OnSqlite) {
    let key = SigningKey::ed("known");
    let issuer = StandIn::answering([Reply::Reset]).await;
    let roster = serving(&database, &issuer.url()).await;
    let answer = roster.get(READ).bearer(&token(&key)).await;
    answer.error(503, "unavailable");
    assert!(answer.has("retry-after"));
    roster.get(READ).await.error(401, "unauthenticated");
    issuer.answer(set(&[&key]));
    becomes(&roster, &token(&key), 200).await;
}

async fn a_redirect_is_not_followed_and_what_is_no_set_is_not_taken(OnSqlite(database): OnSqlite) {
    let key = SigningKey::ed("known");
    let elsewhere = StandIn::answering([set(&[&key])]).await;
    let long = format!(r#"{{"keys": [], "filler": "{}"}}"#, "x".repeat(300_000));
    for reply in [
        Reply::with(302, &format!("location: {}\r\n", elsewhere.url()), ""),
        Reply::json(200, "<html>"),
        Reply::json(200, &long),
        Reply::json(404, &jwks(&[&key])),
    ] {
        let issuer = StandIn::answering([reply]).await;
        let roster = serving(&database, &issuer.url()).await;
        roster.get(READ).bearer(&token(&key)).await.error(503, "unavailable");
    }
    assert_eq!(elsewhere.requests(), Vec::<String>::new());
}

async fn a_file_of_keys_is_read_again(OnSqlite(database): OnSqlite) {
    let (old, new) = (SigningKey::ed("old"), SigningKey::rsa("new"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    std::fs::write(&file, jwks(&[&old])).unwrap();
    let roster = serving(&database, file.to_str().unwrap()).await;
    roster.get(READ).bearer(&token(&old)).await.page();

    std::fs::write(&file, "{").unwrap();
    sleep(Duration::from_secs(2)).await;
    roster.get(READ).bearer(&token(&old)).await.page();

    // As a mounted secret is replaced: at once, by another file.
    let beside = folder.path().join("new.json");
    std::fs::write(&beside, jwks(&[&new])).unwrap();
    std::fs::rename(&beside, &file).unwrap();
    becomes(&roster, &token(&new), 200).await;
    roster.get(READ).bearer(&token(&old)).await.error(401, "unauthenticated");
}

// Seen to fail where keys are fetched once, and then only for a token that names one that is not known.
async fn a_key_that_is_withdrawn_counts_until_keys_are_fetched_again(OnSqlite(database): OnSqlite) {
    let (old, new) = (SigningKey::ed("old"), SigningKey::ec("new"));
    let issuer = StandIn::answering([set(&[&old])]).await;
    let roster = program(&database, &issuer.url()).and(["--jwks-refresh", "0.5"]).serve().await;
    becomes(&roster, &token(&old), 200).await;

    issuer.answer(set(&[&new]));
    // No token names a key that is not known, which would have keys fetched at once.
    becomes(&roster, &token(&old), 401).await;
    let before = issuer.requests().len();
    roster.get(READ).bearer(&token(&new)).await.page();
    let asked = async {
        while issuer.requests().len() < before + 3 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(60), asked).await.expect("keys are fetched again and again");
}

// Seen to fail where it is not noted that keys could not be fetched.
async fn keys_that_cannot_be_fetched_are_told_as_degraded(OnSqlite(database): OnSqlite) {
    let key = SigningKey::ed("known");
    let issuer = StandIn::answering([set(&[&key])]).await;
    let roster = program(&database, &issuer.url()).and(["--jwks-refresh", "0.5"]).serve().await;
    let becomes_ready = async |expected: Value| {
        let told = async {
            while roster.readiness().await != expected {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(Duration::from_secs(60), told).await.expect("it is told");
    };
    becomes(&roster, &token(&key), 200).await;
    becomes_ready(json!({"status": "ready"})).await;
    issuer.answer(Reply::json(500, "{}"));
    becomes_ready(json!({"status": "degraded", "degraded": ["jwks"]})).await;
    roster.get(READ).bearer(&token(&key)).await.page();
    issuer.answer(set(&[&key]));
    becomes_ready(json!({"status": "ready"})).await;
}
