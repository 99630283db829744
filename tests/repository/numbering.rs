//! How events get their positions on PostgreSQL, where they are many and where their transactions take long.

use std::time::Instant;

use roster_domain::ports::{EventLog, Outbox, UserRepository};
use roster_domain::{Commit, Email, Name, NewUser, Position, Timestamp};
use roster_storage_postgres::{Postgres, PostgresConfig};

use crate::kit::{Database, OnPostgres, suite};

suite![
    a_backlog_is_numbered_whatever_is_known_of_the_table,
    an_event_that_is_committed_late_is_numbered_then,
    what_was_rolled_back_leaves_no_gap,
    events_are_numbered_and_forgotten_though_others_subscribe_to_their_table,
    events_are_numbered_after_a_move_to_another_server,
];

/// Records so many events in one statement, as of users who are made.
const RECORD: &str = "WITH made AS ( \
         INSERT INTO users (email, name, name_key) \
         SELECT 'user' || nth || '@example.org', 'Ada', 'ada' FROM generate_series(<from>, <to>) AS nth \
         RETURNING id \
     ) INSERT INTO events (event_id, type, subject, data, time) \
     SELECT gen_random_uuid(), 'roster.user.created', 'users/' || id, json_build_object( \
         'id', id, 'email', 'ada@example.org', 'name', 'Ada', 'created_at', 1, 'updated_at', 1, 'version', 1 \
     ), now() FROM made";

fn record(from: u32, to: u32) -> String {
    RECORD.replace("<from>", &from.to_string()).replace("<to>", &to.to_string())
}

async fn store(database: &Database) -> Postgres {
    let store = Postgres::new(PostgresConfig::new(database.url())).expect("the URL is one");
    store.migrate().await.expect("the database can be migrated");
    store
}

async fn create(store: &Postgres, name: &str) {
    let email = Email::parse(&format!("{name}@example.org")).expect("it is one");
    let new = NewUser { email, name: Name::parse("Ada").expect("it is one") };
    let at = Timestamp::from_micros(1).expect("it is in range");
    store.users().create(new, Commit::at(at)).await.expect("it is new");
}

async fn sequence(store: &Postgres) -> usize {
    store.events().sequence().await.expect("committed events get their positions")
}

/// What a server believes of a table is of when it last looked. Seen to fail, by the time-out of statements, where what
/// is to be numbered was joined with the table by its ids.
async fn a_backlog_is_numbered_whatever_is_known_of_the_table(OnPostgres(database): OnPostgres) {
    let store = store(&database).await;
    for from in [1, 100_001, 200_001] {
        database.execute(&record(from, from + 99_999)).await;
        let began = Instant::now();
        assert_eq!(sequence(&store).await, 100_000);
        println!("numbered 100,000 in {:?}", began.elapsed());
        database.execute("ANALYZE events").await;
    }
    assert_eq!(store.events().newest().await.expect("it can be read"), Position::new(300_000).expect("one"));
}

/// Seen to fail where all that was drawn by then counted as settled.
async fn an_event_that_is_committed_late_is_numbered_then(OnPostgres(database): OnPostgres) {
    let store = store(&database).await;
    let (server, name) = database.server();
    let late = server.client(name).await.expect("the server answers");
    late.batch_execute("BEGIN").await.expect("it can begin");
    late.batch_execute(&record(1, 1)).await.expect("it is new");

    for nth in 0..20 {
        create(&store, &format!("other{nth}")).await;
        assert_eq!(sequence(&store).await, 1, "only what is committed is numbered");
    }
    late.batch_execute("COMMIT").await.expect("it can be committed");
    assert_eq!(sequence(&store).await, 1);
    create(&store, "last").await;
    assert_eq!(sequence(&store).await, 1);

    let events = store.events().read(Position::START, 100).await.expect("events can be read");
    let subjects: Vec<_> = events.iter().map(|event| event.change.subject()).collect();
    assert_eq!((subjects.len(), &*subjects[20], &*subjects[21]), (22, "users/1", "users/22"));
}

async fn what_was_rolled_back_leaves_no_gap(OnPostgres(database): OnPostgres) {
    let store = store(&database).await;
    for nth in 0..5 {
        database.execute(&format!("BEGIN; {}; ROLLBACK", record(1_001, 1_003))).await;
        create(&store, &format!("user{nth}")).await;
        assert_eq!(sequence(&store).await, 1);
    }
    let events = store.events().read(Position::START, 100).await.expect("events can be read");
    let positions: Vec<_> = events.iter().map(|event| event.position.get()).collect();
    assert_eq!(positions, [1, 2, 3, 4, 5]);
}

/// Seen to fail where the table did not say by what its rows are told apart.
async fn events_are_numbered_and_forgotten_though_others_subscribe_to_their_table(
    OnPostgres(database): OnPostgres,
) {
    let store = store(&database).await;
    database.execute("CREATE PUBLICATION everything FOR ALL TABLES").await;
    create(&store, "ada").await;
    assert_eq!(sequence(&store).await, 1);
    let outbox = store.outbox();
    let newest = store.events().newest().await.expect("it can be read");
    outbox.mark_published(Position::START, newest, Vec::new()).await.expect("it can be marked");
    let later = Timestamp::from_micros(2).expect("it is in range");
    assert_eq!(outbox.prune_events(later, 10).await.expect("it can be forgotten"), 1);
}

/// Seen to fail where what the old server said of its transactions was believed, or where its sequence was.
async fn events_are_numbered_after_a_move_to_another_server(OnPostgres(database): OnPostgres) {
    let moves = [
        "UPDATE event_counter SET drawn_by = '5000000000'",
        "SELECT setval('events_id_seq', 2)",
        "SELECT setval('events_id_seq', 1); UPDATE event_counter SET drawn = 1000000",
    ];
    for (nth, moved) in moves.into_iter().enumerate() {
        let before = store(&database).await;
        let events = before.events();
        for user in 0..10 {
            create(&before, &format!("before{nth}-{user}")).await;
            events.sequence().await.expect("committed events get their positions");
        }
        database.execute(moved).await;

        let after = store(&database).await;
        let events = after.events();
        for (round, count) in [15, 1, 1].into_iter().enumerate() {
            for user in 0..count {
                create(&after, &format!("after{nth}-{round}-{user}")).await;
            }
            let numbered = events.sequence().await.expect("committed events get their positions");
            assert_eq!(numbered, count, "{moved}");
        }
        let (server, name) = database.server();
        let client = server.client(name).await.expect("the server answers");
        let begun = "SELECT drawn_by <= pg_current_xact_id() AND greatest(settled, drawn) <= last_value \
                     FROM event_counter, events_id_seq";
        let begun: bool = client.query_one(begun, &[]).await.expect("it can be read").get(0);
        assert!(begun, "it goes by what another server said, after {moved}");
    }
}
