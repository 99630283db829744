//! `Idempotency-Key` on `POST /users`.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::kit::{
    Answer, Database, Http, OnPostgres, Program, Roster, USERS, User, all_users, new_user, suite, times,
    user_path,
};

suite![
    a_repeat_is_answered_as_the_first_time_and_makes_nothing_new,
    a_repeat_brings_back_the_user_as_it_then_was,
    a_body_that_says_the_same_otherwise_is_the_same,
    a_key_is_the_same_bare_and_quoted,
    a_key_for_something_else_is_refused,
    what_is_no_key_is_malformed,
    only_a_created_user_takes_the_key,
    of_twenty_concurrent_repeats_one_makes_a_user,
    a_repeat_of_what_is_in_progress_waits_for_it,
    a_key_is_free_again_when_it_expires,
    a_retry_after_a_crash_never_makes_a_second_user,
];

/// Sends what makes a user, under a key.
async fn send(http: &Http, key: &str, body: &Value) -> Answer {
    http.post(USERS, body).header("Idempotency-Key", key).await
}

fn is_replayed(answer: &Answer) -> bool {
    answer.all("idempotency-replayed") == ["true"]
}

/// An answer that is the repetition of another, which made this user.
#[track_caller]
fn replay(answer: &Answer, first: &User) {
    assert_eq!(answer.user(201), *first);
    assert_eq!(answer.header("location"), user_path(first.id));
    assert!(is_replayed(answer), "{}", answer.told());
}

async fn a_repeat_is_answered_as_the_first_time_and_makes_nothing_new(roster: Roster) {
    let first = send(&roster, "key", &new_user("ada")).await;
    let ada = first.user(201);
    assert_eq!(first.all("idempotency-replayed"), [""; 0]);

    for _ in 0..3 {
        replay(&send(&roster, "key", &new_user("ada")).await, &ada);
    }
    let slash = roster.post(&format!("{USERS}/"), &new_user("ada")).header("Idempotency-Key", "key").await;
    replay(&slash, &ada);

    assert_eq!(roster.get(USERS).await.page().items, [ada]);
    assert_eq!(roster.events().await.len(), 1);
    roster.post(USERS, &new_user("ada")).await.error(400, "business_rule");
}

async fn a_repeat_brings_back_the_user_as_it_then_was(roster: Roster) {
    let ada = send(&roster, "key", &new_user("ada")).await.user(201);
    let path = user_path(ada.id);

    roster.patch(&path, &json!({"name": "Ada King"})).await.user(200);
    replay(&send(&roster, "key", &new_user("ada")).await, &ada);

    roster.delete(&path).await.empty(204);
    replay(&send(&roster, "key", &new_user("ada")).await, &ada);
    roster.get(&path).await.error(404, "not_found");
    assert_eq!(roster.events().await.len(), 3);
}

async fn a_body_that_says_the_same_otherwise_is_the_same(roster: Roster) {
    let ada = send(&roster, "key", &new_user("ada")).await.user(201);
    for body in [
        r#"{"name":"Name of ada","email":"ada@example.org"}"#,
        "{ \"email\" : \"\\u0061DA@Example.org \",\n \"name\": \" Name of ada\", \"role\": 7 }",
    ] {
        let answer = roster.request("POST", USERS).body("application/json", body);
        replay(&answer.header("Idempotency-Key", "key").await, &ada);
    }
}

async fn a_key_is_the_same_bare_and_quoted(roster: Roster) {
    let longest = "x".repeat(255);
    for (nth, (key, same)) in
        [("a-1", "\"a-1\""), ("\"b\\\"\\\\\"", "b\"\\"), (&longest, &format!("\"{longest}\""))]
            .into_iter()
            .enumerate()
    {
        let body = new_user(&format!("user{nth}"));
        let user = send(&roster, key, &body).await.user(201);
        replay(&send(&roster, same, &body).await, &user);
    }
}

async fn a_key_for_something_else_is_refused(roster: Roster) {
    let ada = send(&roster, "key", &new_user("ada")).await.user(201);
    for other in [new_user("bob"), json!({"email": ada.email, "name": "Another name"})] {
        send(&roster, "key", &other).await.error(422, "idempotency_key_reused");
    }
    assert_eq!(roster.get(USERS).await.page().items, std::slice::from_ref(&ada));
    replay(&send(&roster, "key", &new_user("ada")).await, &ada);
}

async fn what_is_no_key_is_malformed(roster: Roster) {
    let long = "x".repeat(256);
    for key in ["", "a b", "\"a", "\"\"", "\"a b\"", "\"a\"; b", "é", &long] {
        send(&roster, key, &new_user("ada")).await.error(400, "malformed_request");
    }
    let twice = roster.post(USERS, &new_user("ada")).header("Idempotency-Key", "a");
    twice.header("Idempotency-Key", "b").await.error(400, "malformed_request");
    assert_eq!(roster.get(USERS).await.page().items, []);
}

async fn only_a_created_user_takes_the_key(roster: Roster) {
    roster.user("bob").await;
    send(&roster, "key", &json!({"email": "ada", "name": "A"})).await.error(422, "validation");
    send(&roster, "key", &json!([])).await.error(422, "validation");
    send(&roster, "key", &new_user("bob")).await.error(400, "business_rule");
    let broken = roster.request("POST", USERS).body("application/json", "{");
    broken.header("Idempotency-Key", "key").await.error(400, "malformed_request");

    let ada = send(&roster, "key", &new_user("ada")).await;
    assert!(!is_replayed(&ada), "{}", ada.told());
    replay(&send(&roster, "key", &new_user("ada")).await, &ada.user(201));
}

async fn of_twenty_concurrent_repeats_one_makes_a_user(roster: Roster) {
    let keys = times(5);
    for round in 0..keys {
        let (key, body) = (format!("key{round}"), new_user(&format!("user{round}")));
        let answers = join_all((0..20).map(|_| send(&roster, &key, &body))).await;

        let (made, others): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| answer.status() == 201 && !is_replayed(answer));
        let [made] = made.as_slice() else { panic!("{} made a user", made.len()) };
        for other in others {
            if other.status() == 409 {
                other.error(409, "conflict");
                assert!(other.header("retry-after").parse::<u32>().unwrap() >= 1);
            } else {
                replay(&other, &made.user(201));
            }
        }
    }
    eprintln!("{keys} keys, {} users", all_users(&roster).await.len());
    assert_eq!(all_users(&roster).await.len(), keys);
    assert_eq!(roster.events().await.len(), keys);
}

/// The first has its receipt, and waits for the table of users.
async fn a_repeat_of_what_is_in_progress_waits_for_it(OnPostgres(database): OnPostgres) {
    let settings = ["--database-statement-timeout", "60", "--request-timeout", "60"];
    let roster = Program::serving(&database).and(settings).serve().await;
    let (server, name) = database.server();
    let holder = server.client(name).await.expect("the server answers");
    holder.batch_execute("BEGIN; LOCK TABLE users IN SHARE MODE").await.expect("it can be locked");

    let ada = new_user("ada");
    let twice = join_all((0..2).map(|_| send(&roster, "key", &ada)));
    let released = async {
        while database.waiting().await < 2 {
            sleep(Duration::from_millis(20)).await;
        }
        holder.batch_execute("ROLLBACK").await.expect("it can be let go");
    };
    let (answers, ()) = tokio::join!(twice, released);

    let (replayed, made): (Vec<_>, Vec<_>) = answers.into_iter().partition(is_replayed);
    let ([replayed], [made]) = (replayed.as_slice(), made.as_slice()) else { panic!("{made:?}") };
    replay(replayed, &made.user(201));
}

async fn a_key_is_free_again_when_it_expires(roster: Roster) {
    send(&roster, "key", &new_user("ada")).await.user(201);
    send(&roster, "key", &new_user("bob")).await.error(422, "idempotency_key_reused");

    roster.database().execute("UPDATE receipts SET expires_at = recorded_at").await;

    let bob = send(&roster, "key", &new_user("bob")).await;
    assert!(!is_replayed(&bob), "{}", bob.told());
    replay(&send(&roster, "key", &new_user("bob")).await, &bob.user(201));
}

/// What a client does not know the outcome of is sent again, with the same key, until it does.
async fn a_retry_after_a_crash_never_makes_a_second_user(database: Database) {
    const WRITERS: usize = 8;
    let (mut in_doubt, mut made) = (Vec::<String>::new(), BTreeSet::new());
    for round in 0..times(6) {
        let roster = Program::serving(&database).serve().await;
        for local in std::mem::take(&mut in_doubt) {
            let retried = send(&roster, &local, &new_user(&local)).await.user(201);
            assert!(made.insert(retried.id), "{local} is somebody else");
        }
        let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| tokio::spawn(write((*roster).clone(), format!("{round}-{writer}"), told.clone())))
            .collect();
        drop(told);
        for _ in 0..40 {
            made.insert(heard.recv().await.expect("the service works until it is killed"));
        }
        roster.kill().await;
        for writer in writers {
            in_doubt.push(writer.await.expect("a writer sees right answers, or none"));
        }
        while let Some(id) = heard.recv().await {
            made.insert(id);
        }
    }

    let roster = Program::serving(&database).serve().await;
    for local in in_doubt {
        made.insert(send(&roster, &local, &new_user(&local)).await.user(201).id);
    }
    eprintln!("{} users, {} events", made.len(), roster.events().await.len());
    assert_eq!(roster.events().await.len(), made.len());
}

/// Makes users until the service is gone; the last is one that it does not know the outcome of.
async fn write(http: Http, name: String, told: tokio::sync::mpsc::UnboundedSender<i64>) -> String {
    for nth in 0.. {
        let local = format!("{name}-{nth}");
        let request = http.post(USERS, &new_user(&local)).header("Idempotency-Key", &local);
        match request.attempt().await {
            Ok(answer) => told.send(answer.user(201).id).unwrap(),
            Err(_) => return local,
        }
    }
    unreachable!("a service is killed before that")
}
