//! Creates that come at once, and so may share a commit: each has an outcome of its own.

use std::time::Duration;

use futures_util::future::{join, join_all};
use tokio::time::sleep;

use super::unavailable;
use crate::kit::{Answer, OnPostgres, Program, Roster, USERS, new_user, suite};

suite![
    of_many_creates_at_once_each_has_its_own_outcome,
    a_create_that_the_database_refuses_fails_alone,
    a_create_that_waits_for_another_transaction_fails_alone,
    creates_that_come_while_one_waits_do_not_wait_for_it,
];

/// Makes users at once, in this order.
async fn create(roster: &Roster, names: &[String]) -> Vec<Answer> {
    join_all(names.iter().map(|name| roster.post(USERS, &new_user(name)).into_future())).await
}

fn names(prefix: &str) -> Vec<String> {
    (0..64).map(|nth| format!("{prefix}-{nth}")).collect()
}

/// A made user where the e-mail is new, and otherwise that it is taken.
async fn of_many_creates_at_once_each_has_its_own_outcome(OnPostgres(database): OnPostgres) {
    let roster = Program::serving(&database).serve().await;
    for round in 0..20 {
        // Two with each e-mail.
        let mut both: Vec<_> = (0..32).map(|nth| format!("round{round}-{nth}")).collect();
        both.extend(both.clone().into_iter().rev());
        let answers = create(&roster, &both).await;
        for name in &both[..32] {
            let of_name = || both.iter().zip(&answers).filter(|(one, _)| *one == name).map(|(_, told)| told);
            assert_eq!(of_name().filter(|answer| answer.status() == 201).count(), 1, "{name}");
            for answer in of_name() {
                if answer.status() == 201 {
                    assert_eq!(answer.user(201).email, format!("{name}@example.org"));
                } else {
                    answer.error(400, "business_rule");
                }
            }
        }
    }
    assert_eq!(roster.all_events().await.len(), 20 * 32);
}

async fn a_create_that_the_database_refuses_fails_alone(OnPostgres(database): OnPostgres) {
    let roster = Program::serving(&database).serve().await;
    database.execute("ALTER TABLE users ADD CHECK (email NOT LIKE '%-7@%')").await;
    for round in 0..5 {
        let names = names(&format!("round{round}"));
        for (answer, name) in create(&roster, &names).await.iter().zip(&names) {
            if name.ends_with("-7") {
                answer.error(500, "internal");
            } else {
                assert_eq!(answer.user(201).email, format!("{name}@example.org"));
            }
        }
    }
    assert_eq!(roster.all_events().await.len(), 5 * 63);
}

/// A transaction from outside holds one of the e-mails.
async fn a_create_that_waits_for_another_transaction_fails_alone(OnPostgres(database): OnPostgres) {
    // Half of it is how long a statement may wait for a lock.
    let program = Program::serving(&database).env("ROSTER_DATABASE_STATEMENT_TIMEOUT", "8");
    let roster = program.env("ROSTER_REQUEST_TIMEOUT", "60").serve().await;
    let (server, name) = database.server();
    let holder = server.client(name).await.expect("the server answers");
    let names = names("user");
    let hold = "BEGIN; INSERT INTO users (email, name, name_key) VALUES ('user-7@example.org', 'Ada', 'ada')";
    holder.batch_execute(hold).await.expect("it is new");
    for (answer, name) in create(&roster, &names).await.iter().zip(&names) {
        if name == "user-7" {
            unavailable(answer);
        } else {
            assert_eq!(answer.user(201).email, format!("{name}@example.org"));
        }
    }
    holder.batch_execute("ROLLBACK").await.expect("it can be taken back");
    assert_eq!(roster.post(USERS, &new_user("user-7")).await.user(201).email, "user-7@example.org");
    assert_eq!(roster.all_events().await.len(), 64);
}

/// Seen to fail where those who came once nobody else waited were given the connection that was still in use.
async fn creates_that_come_while_one_waits_do_not_wait_for_it(OnPostgres(database): OnPostgres) {
    let program = Program::serving(&database).env("ROSTER_DATABASE_POOL_WAIT", "0.2");
    // Half of it is how long a statement may wait for a lock.
    let program = program.env("ROSTER_DATABASE_STATEMENT_TIMEOUT", "40").env("ROSTER_REQUEST_TIMEOUT", "60");
    let roster = program.serve().await;
    let (server, name) = database.server();
    let holder = server.client(name).await.expect("the server answers");
    let hold = "BEGIN; INSERT INTO users (email, name, name_key) VALUES ('ada@example.org', 'Ada', 'ada')";
    holder.batch_execute(hold).await.expect("it is new");
    let others = async {
        sleep(Duration::from_millis(500)).await;
        for answer in create(&roster, &names("user")[..16]).await {
            answer.user(201);
        }
        holder.batch_execute("ROLLBACK").await.expect("it can be taken back");
    };
    let (waited, ()) = join(roster.post(USERS, &new_user("ada")).into_future(), others).await;
    waited.user(201);
}
