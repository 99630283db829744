//! Reads that are asked for at once on PostgreSQL: what they share, and what they do not.

use std::time::Duration;

use futures_util::future::join_all;
use roster_domain::ports::{UserRepository, UserRepositoryError};
use roster_domain::{Commit, Email, Name, NewUser, Page, PageLimit, Timestamp, User, UserQuery};
use roster_storage_postgres::{PgUsers, Postgres};
use tokio::time::timeout;

use crate::kit::{OnPostgres, Wire, patient, suite};

suite![reads_at_once_share_statements, a_read_of_what_is_broken_fails_alone];

/// How many read at once: more than go in one statement.
const READERS: usize = 150;

/// How many statements they make at the most, of each kind.
const STATEMENTS: usize = 25;

/// How long all may take. The connection for that is opened for the first who read; they wait for those of the pool.
const SECONDS: Duration = Duration::from_secs(30);

/// Users, and a way to them.
struct Given {
    wire: Wire,
    users: PgUsers,
    there: Vec<User>,
}

/// What each reader is told: which user has its id, and what a page has after that.
type Told = Vec<(Result<Option<User>, UserRepositoryError>, Result<Page<User>, UserRepositoryError>)>;

impl Given {
    async fn on(database: &str) -> Self {
        let wire = Wire::to(database).await;
        let store = Postgres::new(patient(wire.url())).expect("the URL is one");
        store.migrate().await.expect("the database can be migrated");
        let users = store.users();
        let new = |nth| {
            let email = Email::parse(&format!("user{nth}@example.org")).expect("it is one");
            NewUser { email, name: Name::parse("Ada").expect("it is one") }
        };
        let at = Timestamp::from_micros(1).expect("it is in range");
        let all = (0..READERS).map(|nth| (new(nth), Commit::at(at))).collect();
        let made = users.create_many(all).await.expect("the store answers");
        let there = made.into_iter().map(|one| one.expect("it is new").into_inner()).collect();
        Self { wire, users, there }
    }

    /// What all are told, in rounds, until they shared statements in one.
    async fn told(&self) -> Vec<Told> {
        let mut rounds = Vec::new();
        let shared = async {
            loop {
                self.wire.take_done();
                let found = join_all(self.there.iter().map(|user| self.users.find(user.id))).await;
                let finding = self.wire.take_done();
                let after: Vec<_> = self.there.iter().map(after).collect();
                let pages = join_all(after.iter().map(|query| self.users.list(query))).await;
                let listing = self.wire.take_done();
                println!("{READERS} users were found by {finding} statements, as many pages by {listing}");
                rounds.push(found.into_iter().zip(pages).collect());
                if finding <= STATEMENTS && listing <= STATEMENTS {
                    return;
                }
            }
        };
        timeout(SECONDS, shared).await.expect("reads share statements");
        let prepared = self.wire.prepared();
        let shared = prepared.iter().filter(|text| text.starts_with("SELECT asked.nth")).count();
        // Two statements, on each connection of a runtime; there may be a second one by now.
        assert!((2..=4).contains(&shared), "they are prepared once: {prepared:#?}");
        rounds
    }
}

/// A page of the one user who comes next.
fn after(user: &User) -> UserQuery {
    let mut query = UserQuery::default();
    (query.after, query.limit) = (Some(user.id), PageLimit::new(1).expect("it is in range"));
    query
}

/// Seen to fail where each was a statement of its own.
async fn reads_at_once_share_statements(OnPostgres(database): OnPostgres) {
    let given = Box::pin(Given::on(database.url())).await;
    for told in Box::pin(given.told()).await {
        for (nth, (found, page)) in told.into_iter().enumerate() {
            assert_eq!(found.expect("it can be read").as_ref(), given.there.get(nth));
            let page = page.expect("it can be read");
            assert_eq!((page.items.first(), page.more), (given.there.get(nth + 1), nth + 2 < READERS));
        }
    }
}

async fn a_read_of_what_is_broken_fails_alone(OnPostgres(database): OnPostgres) {
    let given = Box::pin(Given::on(database.url())).await;
    let broken = given.there[7].id;
    database.execute(&format!("UPDATE users SET email = upper(email) WHERE id = {broken}")).await;

    for told in Box::pin(given.told()).await {
        for (nth, (found, page)) in told.into_iter().enumerate() {
            assert_eq!(of_what_is_broken(found.as_ref().err()), nth == 7, "{found:?}");
            assert!(nth == 7 || found.ok().flatten().as_ref() == given.there.get(nth));
            // The one after the page is read, too, and so it is known that there is more.
            assert_eq!(of_what_is_broken(page.as_ref().err()), nth == 5 || nth == 6, "{page:?}");
            assert!(
                nth == 5 || nth == 6 || page.is_ok_and(|page| page.items.first() == given.there.get(nth + 1))
            );
        }
    }
}

fn of_what_is_broken(error: Option<&UserRepositoryError>) -> bool {
    matches!(error, Some(UserRepositoryError::Internal(_)))
}
