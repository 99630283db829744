//! What the behaviours begin with.

use crate::ports::UserRepository;
use crate::{Commit, Email, Name, NamePrefix, NewUser, Receipt, Timestamp, User, UserChanges};

/// A time, some seconds after another that all behaviours share, with six digits of a second.
pub(super) fn time(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_767_225_600_123_456 + seconds * 1_000_000).unwrap()
}

pub(super) fn commit(seconds: i64) -> Commit {
    Commit::at(time(seconds))
}

pub(super) fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

pub(super) fn prefix(text: &str) -> NamePrefix {
    NamePrefix::parse(text).unwrap()
}

pub(super) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// A user to be, with an e-mail made of `local`.
pub(super) fn new(local: &str) -> NewUser {
    named(local, &format!("Name of {local}"))
}

pub(super) fn named(local: &str, called: &str) -> NewUser {
    NewUser { email: email(&format!("{local}@example.org")), name: name(called) }
}

pub(super) fn rename(to: &str) -> UserChanges {
    UserChanges { name: Some(name(to)), ..UserChanges::default() }
}

/// A receipt that expires an hour after [`time`]`(0)`.
pub(super) fn receipt(key: &str) -> Receipt {
    Receipt {
        scope: "contract".to_owned(),
        key: key.to_owned(),
        fingerprint: [7; 32],
        expires_at: time(3600),
    }
}

/// A user that is there.
pub(super) async fn user(users: &dyn UserRepository, local: &str) -> User {
    let created = users.create(new(local), commit(0)).await;
    created.expect("a user is created").into_inner()
}

/// Users that are there: `user0`, `user1`, …
pub(super) async fn many(users: &dyn UserRepository, count: usize) -> Vec<User> {
    let all = (0..count).map(|n| (new(&format!("user{n}")), commit(0))).collect();
    let outcomes = users.create_many(all).await.expect("users are created");
    outcomes.into_iter().map(|one| one.expect("a user is created").into_inner()).collect()
}
