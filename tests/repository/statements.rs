//! What PostgreSQL is asked to prepare: each statement once for a connection, however often it is done, but for those that
//! are planned anew on purpose.

use std::time::Duration;

use futures_util::TryStreamExt;
use roster_domain::ports::{EventLog, HealthCheck, Outbox, UserRepository};
use roster_domain::{
    Commit, Email, Name, NamePrefix, NewUser, Order, Position, Precondition, Receipt, Timestamp, UserChanges,
    UserId, UserQuery,
};
use roster_storage_postgres::{Postgres, PostgresConfig};
use tokio::time::sleep;

use crate::kit::{OnPostgres, Wire, suite};

/// How those begin that read the feed's table, which grows fast.
const PLANNED_ANEW: [&str; 7] = [
    "SELECT FROM events WHERE position IS NULL",
    "UPDATE events SET position",
    "SELECT \"events\".\"id\", \"events\".\"event_id\", \"events\".\"type\", \"events\".\"data\", \"events\".\"time\", \
     \"events\".\"position\", \"events\".\"trace_context\" FROM \"events\" WHERE (\"events\".\"position\" > $1)",
    "SELECT (SELECT \"event_mark\".\"published\"",
    "SELECT coalesce((SELECT min(position)",
    "WITH oldest AS",
    "DELETE FROM receipts",
];

suite![what_was_done_once_on_a_connection_is_prepared_there];

/// Seen to fail with `UPDATE`, upserts and texts of our own as Diesel has them.
async fn what_was_done_once_on_a_connection_is_prepared_there(OnPostgres(database): OnPostgres) {
    let wire = Wire::to(database.url()).await;
    let mut config = PostgresConfig::new(wire.url());
    config.pool_size = 1;
    let store = Postgres::new(config).expect("the URL is one");
    store.migrate().await.expect("the database can be migrated");
    let mut lead = store.outbox().lead().await.expect("the lock can be asked for").expect("it is free");

    let mut rounds_without = 0;
    for round in 0..20 {
        wire.prepared();
        let name = format!("round{round}");
        let keeps_the_lead = async {
            while lead.is_held().await {
                sleep(Duration::from_millis(500)).await;
            }
        };
        tokio::select! {
            () = do_everything(&store, &name) => {}
            () = keeps_the_lead => panic!("the lead is lost"),
        }
        let (anew, prepared): (Vec<_>, Vec<_>) = wire
            .prepared()
            .into_iter()
            .partition(|text| PLANNED_ANEW.iter().any(|begin| text.starts_with(begin)));
        assert_eq!(anew.len(), PLANNED_ANEW.len(), "{anew:#?}");
        assert!(round > 0 || prepared.len() > 20, "all of it is prepared on this way: {prepared:#?}");
        rounds_without = if prepared.is_empty() { rounds_without + 1 } else { 0 };
        if rounds_without == 3 {
            return;
        }
        // What is opened for the first reads serves those that come later, and prepares them once more.
        assert!(round < 10, "in round {round}: {prepared:#?}");
    }
}

/// Every statement that a write, a read, the relay or the pruner does; but for those of reads at once, and for that of
/// events which are set aside, as many as there are, which are few.
async fn do_everything(store: &Postgres, round: &str) {
    let (users, events, outbox) = (store.users(), store.events(), store.outbox());
    store.check().await.expect("the server answers");

    let ada = users.create(new(round), commit(None)).await.expect("it is new").into_inner();
    let taken = users.create(new(round), commit(None)).await;
    assert!(taken.is_err(), "{taken:?}");
    let once = commit(Some(&format!("{round} create")));
    let bob = users.create(new(&format!("{round}.bob")), once.clone()).await.expect("it is new").into_inner();
    users.create(new(&format!("{round}.bob")), once).await.expect("it is repeated");
    let many = (0..5).map(|nth| (new(&format!("{round}.{nth}")), commit(None))).collect();
    users.create_many(many).await.expect("the store answers");
    let once = |local: &str| (new(&format!("{round}.{local}")), commit(Some(&format!("{round} {local}"))));
    let taken = (new(round), commit(Some(&format!("{round} taken"))));
    for _ in 0..2 {
        let many = vec![once("eve"), taken.clone(), once("kim")];
        users.create_many(many).await.expect("the store answers");
    }
    let changes = UserChanges { email: None, name: Some(name("Ada King")) };
    users.update(ada.id, changes, Precondition::Any, commit(None)).await.expect("it is there");
    let (unchanged, once) = (UserChanges::default(), commit(Some(&format!("{round} update"))));
    users.update(ada.id, unchanged, Precondition::Any, once).await.expect("it is there");
    let acknowledged = receipt(&format!("{round} acknowledge"));
    users.acknowledge(acknowledged, now()).await.expect("it is kept");

    users.find(ada.id).await.expect("the store answers").expect("it is there");
    users.find_by_email(&bob.email).await.expect("the store answers").expect("it is there");
    users.find_by_emails(&[ada.email.clone(), bob.email.clone()]).await.expect("the store answers");
    for query in queries(&bob.email, ada.id) {
        users.list(&query).await.expect("the store answers");
    }
    users.export().try_collect::<Vec<_>>().await.expect("the store answers");
    users.delete(bob.id, Precondition::Any, commit(None)).await.expect("it is there");

    events.sequence().await.expect("the store answers");
    let newest = events.newest().await.expect("the store answers");
    events.read(Position::START, 10).await.expect("the store answers");
    events.pruned().await.expect("the store answers");
    outbox.published().await.expect("the store answers");
    outbox.unpublished(10).await.expect("the store answers");
    outbox.mark_published(Position::START, newest, vec![]).await.expect("the store answers");
    outbox.set_aside(10).await.expect("the store answers");
    outbox.prune_events(now(), 1).await.expect("the store answers");
    outbox.prune_receipts(now(), 1).await.expect("the store answers");
    outbox.rewind(Position::START).await.expect("the store answers");
}

fn queries(email: &Email, after: UserId) -> Vec<UserQuery> {
    let each: [&dyn Fn(&mut UserQuery); 6] = [
        &|query| query.with_total = true,
        &|query| query.after = Some(after),
        &|query| query.order = Order::Descending,
        &|query| query.filter.email = Some(email.clone()),
        &|query| query.filter.name = NamePrefix::parse("A").ok(),
        &|query| query.filter.name = NamePrefix::parse("Nobody").ok(),
    ];
    let query = |ask_for: &dyn Fn(&mut UserQuery)| {
        let mut query = UserQuery::default();
        ask_for(&mut query);
        query
    };
    each.into_iter().map(query).collect()
}

fn now() -> Timestamp {
    Timestamp::from_micros(1_767_225_600_000_001).expect("it is in range")
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("it is one")
}

fn new(email: &str) -> NewUser {
    NewUser { email: Email::parse(&format!("{email}@example.org")).expect("it is one"), name: name("Ada") }
}

fn receipt(key: &str) -> Receipt {
    let (scope, key) = ("test".to_owned(), key.to_owned());
    Receipt { scope, key, fingerprint: [1; 32], expires_at: now().plus(Duration::from_secs(60)) }
}

fn commit(key: Option<&str>) -> Commit {
    Commit::at(now()).once(key.map(receipt))
}
