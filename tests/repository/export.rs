//! An export that does not come to its end.

use std::thread;

use futures_util::{StreamExt, TryStreamExt};
use roster_domain::{Commit, Email, Name, NewUser, Timestamp};
use tokio::runtime::Runtime;

use crate::kit::{Database, Program, suite};

suite![one_whose_runtime_ends_is_not_taken_for_a_whole_one];

/// More than are read before they are asked for.
const USERS: usize = 5_000;

fn user(nth: usize) -> (NewUser, Commit) {
    let email = Email::parse(&format!("user{nth}@example.org")).expect("it is one");
    let new = NewUser { email, name: Name::parse("Ada").expect("it is one") };
    (new, Commit::at(Timestamp::from_micros(1).expect("it is in range")))
}

/// Seen to fail where whoever read was stopped without a word: a fifth of the users seemed to be all.
async fn one_whose_runtime_ends_is_not_taken_for_a_whole_one(database: Database) {
    Program::with(["migrate", "--database-url", database.url()]).run().await;
    let users = database.ports().users;
    users.create_many((0..USERS).map(user).collect()).await.expect("the store answers");
    let all: Vec<_> = users.export().try_concat().await.expect("it is read to its end");
    assert_eq!(all.len(), USERS);

    let begun = thread::spawn(move || {
        let runtime = Runtime::new().expect("there is room for one");
        let export = runtime.block_on(async {
            let mut export = database.ports().users.export();
            assert!(!export.next().await.expect("there are users").expect("it begins").is_empty());
            export
        });
        runtime.shutdown_background();
        export
    });
    let begun = begun.join().expect("it begins");

    let rest = begun.try_concat().await;
    rest.expect_err("it is not whole");
}
