//! What Roster's contract makes of this store.

use futures_util::TryStreamExt;
use roster_domain::ports::{EventLog, UserRepository};
use roster_domain::{Commit, Email, Name, NewUser, Position, Precondition, Timestamp};
use users_redb::Redb;

fn redb() -> Redb {
    Redb::in_memory().unwrap()
}

roster_domain::repository_contract!(redb, #[tokio::test(flavor = "multi_thread")]);

#[tokio::test]
async fn what_was_committed_is_there_when_the_file_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.redb");
    let at = |micros| Commit::at(Timestamp::from_micros(micros).unwrap());
    let new = |local: &str| {
        let email = Email::parse(&format!("{local}@example.org")).unwrap();
        NewUser { email, name: Name::parse("Ada Lovelace").unwrap() }
    };
    let store = Redb::open(&file).unwrap();
    let ada = store.create(new("ada"), at(1)).await.unwrap().into_inner();
    let eve = store.create(new("eve"), at(2)).await.unwrap().into_inner();
    store.delete(eve.id, Precondition::Any, at(3)).await.unwrap();
    let events = EventLog::read(&store, Position::START, 10).await.unwrap();
    drop(store);

    let store = Redb::open(&file).unwrap();

    let users: Vec<_> = store.export().try_concat().await.unwrap();
    assert_eq!(users, [ada]);
    assert_eq!(events.len(), 3);
    assert_eq!(EventLog::read(&store, Position::START, 10).await.unwrap(), events);
    let next = store.create(new("eve"), at(4)).await.unwrap().into_inner();
    assert!(next.id > eve.id, "ids are never reused");
}
