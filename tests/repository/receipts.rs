//! What becomes of creates that share a transaction on PostgreSQL where somebody else is in the way of one of them.

use std::time::Duration;

use roster_domain::ports::{UserRepository, UserRepositoryError};
use roster_domain::{Commit, Email, Name, NewUser, Receipt, Timestamp, Written};
use roster_storage_postgres::{Postgres, PostgresConfig};

use crate::kit::{Database, OnPostgres, suite};

suite![none_fails_for_a_receipt_that_is_being_claimed, none_fails_for_an_e_mail_that_is_being_taken];

fn once(local: &str) -> (NewUser, Commit) {
    let at = Timestamp::from_micros(1).expect("it is in range");
    let email = Email::parse(&format!("{local}@example.org")).expect("it is one");
    let receipt = Receipt {
        scope: "test".to_owned(),
        key: local.to_owned(),
        fingerprint: [1; 32],
        expires_at: at.plus(Duration::from_secs(60)),
    };
    (NewUser { email, name: Name::parse("Ada").expect("it is one") }, Commit::at(at).once(receipt))
}

/// The outcomes of three creates, while another transaction is at something that the second one wants.
async fn beside(database: &Database, other: &str) -> Vec<String> {
    let store = Postgres::new(PostgresConfig::new(database.url())).expect("the URL is one");
    store.migrate().await.expect("the database can be migrated");
    let (server, name) = database.server();
    let late = server.client(name).await.expect("the server answers");
    late.batch_execute("BEGIN").await.expect("it can begin");
    late.batch_execute(other).await.expect("nobody is in its way");

    let asked = ["ada", "bob", "eve"].map(once).to_vec();
    let outcomes = store.users().create_many(asked).await.expect("not all fail");

    late.batch_execute("ROLLBACK").await.expect("it can be rolled back");
    let told = outcomes.into_iter().map(|outcome| match outcome {
        Ok(Written::Now(_)) => "now".to_owned(),
        Ok(Written::Before(_)) => "before".to_owned(),
        Err(UserRepositoryError::Unavailable(_)) => "unavailable".to_owned(),
        Err(error) => error.to_string(),
    });
    told.collect()
}

/// Seen to fail where creates that failed together were not tried alone.
async fn none_fails_for_a_receipt_that_is_being_claimed(OnPostgres(database): OnPostgres) {
    let claim = "INSERT INTO receipts (scope, key, fingerprint, recorded_at, expires_at) \
                 VALUES ('test', 'bob', decode(repeat('01', 32), 'hex'), now(), now())";
    let outcomes = beside(&database, claim).await;
    assert_eq!(outcomes, ["now", &UserRepositoryError::ReceiptInProgress.to_string(), "now"]);
}

/// Seen to fail where creates that failed together were not tried alone.
async fn none_fails_for_an_e_mail_that_is_being_taken(OnPostgres(database): OnPostgres) {
    let take = "INSERT INTO users (email, name, name_key) VALUES ('bob@example.org', 'Bob', 'bob')";
    assert_eq!(beside(&database, take).await, ["now", "unavailable", "now"]);
}
