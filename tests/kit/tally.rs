//! Counts what became of changes, as a total-queue checker does: each that was acknowledged is told of, and
//! nothing is told of that did not happen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use roster_domain::{Change, Event};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::http::{Http, USERS, new_user, user_path};
use super::user::User;

/// One change of a user: its id, what happened, and the version after it, or before it where it was deleted.
pub(crate) type Happened = (i64, &'static str, i64);

/// What clients asked for, and what of that was acknowledged.
#[derive(Clone, Default)]
pub(crate) struct Tally(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    attempted: usize,
    acknowledged: BTreeSet<Happened>,
    refused: Vec<String>,
    /// How many clients have ended, as they were not answered.
    ended: usize,
}

impl Tally {
    /// Creates, changes and deletes users of its own, one after the other, until the service is gone. `name`
    /// sets it apart from other clients.
    pub(crate) async fn write(self, http: Http, name: String) {
        self.write_on(&http, &name).await;
        self.counts().ended += 1;
    }

    /// How many clients have ended, as they were not answered.
    pub(crate) fn ended(&self) -> usize {
        self.counts().ended
    }

    async fn write_on(&self, http: &Http, name: &str) {
        for nth in 0.. {
            if self.one(http, &format!("{name}-{nth}"), nth % 2 == 0).await.is_none() {
                return;
            }
        }
    }

    /// Creates a user, changes it and, where it is not to stay, deletes it; `None` once that is refused.
    async fn one(&self, http: &Http, local: &str, is_to_go: bool) -> Option<()> {
        let user = self.change(http.post(USERS, &new_user(local)), 201, "created").await?;
        for round in 0..3 {
            let renamed = json!({"name": format!("Round {round}")});
            self.change(http.patch(&user_path(user.id), &renamed), 200, "updated").await?;
        }
        if is_to_go { self.delete(http, user.id, 4).await } else { Some(()) }
    }

    async fn change(&self, request: super::http::Request, status: u16, what: &'static str) -> Option<User> {
        self.counts().attempted += 1;
        let answer = request.attempt().await.ok()?;
        if answer.status() != status {
            self.counts().refused.push(answer.told());
            return None;
        }
        let user = answer.user(status);
        self.counts().acknowledged.insert((user.id, what, user.version));
        Some(user)
    }

    async fn delete(&self, http: &Http, id: i64, version: i64) -> Option<()> {
        self.counts().attempted += 1;
        let answer = http.delete(&user_path(id)).attempt().await.ok()?;
        if answer.status() != 204 {
            self.counts().refused.push(answer.told());
            return None;
        }
        answer.empty(204);
        self.counts().acknowledged.insert((id, "deleted", version));
        Some(())
    }

    /// Holds every answer that was not the one that was asked for to be a 503, and tells how many there were.
    #[track_caller]
    pub(crate) fn only_unavailable(&self) -> usize {
        let refused = self.refused();
        let others: Vec<_> = refused.iter().filter(|told| !told.contains("answered 503")).collect();
        assert!(others.is_empty(), "{} of {}: {:?}", others.len(), refused.len(), others.first());
        refused.len()
    }

    /// How many changes were acknowledged so far.
    pub(crate) fn acknowledged(&self) -> usize {
        self.counts().acknowledged.len()
    }

    /// The answers that were neither what was asked for nor the end of a connection.
    pub(crate) fn refused(&self) -> Vec<String> {
        self.counts().refused.clone()
    }

    /// Holds a feed to what was acknowledged: no event is lost, none is there twice, one user's are in the
    /// order of its versions, and positions have no gaps. `stored` are the users that are there in the end.
    #[track_caller]
    pub(crate) fn hold_feed(&self, feed: &[Event], stored: &BTreeMap<i64, User>) {
        let positions: Vec<_> = feed.iter().map(|event| event.position.get()).collect();
        let first = positions.first().copied().unwrap_or(1);
        let last = first + i64::try_from(positions.len()).unwrap();
        assert_eq!(positions, (first..last).collect::<Vec<_>>(), "positions have gaps");
        let told: Vec<_> = feed.iter().map(|event| happened(&event.change)).collect();
        let duplicated = told.len() - told.iter().collect::<BTreeSet<_>>().len();
        self.hold(&told, duplicated, stored);
        assert_eq!(duplicated, 0, "an event is in the feed twice");
    }

    /// The same of what a broker delivered, in its order, where an event may come more than once.
    #[track_caller]
    pub(crate) fn hold_delivered(&self, delivered: &[(String, Happened)], stored: &BTreeMap<i64, User>) {
        let mut seen = BTreeSet::new();
        let first: Vec<_> =
            delivered.iter().filter(|(id, _)| seen.insert(id.clone())).map(|(_, told)| *told).collect();
        self.hold(&first, delivered.len() - first.len(), stored);
        assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), first.len(), "one change has two ids");
    }

    #[track_caller]
    fn hold(&self, told: &[Happened], duplicated: usize, stored: &BTreeMap<i64, User>) {
        let counts = self.counts();
        let lost: Vec<_> = counts.acknowledged.iter().filter(|one| !told.contains(one)).collect();
        let unexpected = unexpected(told, stored);
        let (attempted, acknowledged) = (counts.attempted, counts.acknowledged.len());
        eprintln!(
            "attempted {attempted}, acknowledged {acknowledged}, told {}, lost {}, unexpected {}, duplicated {duplicated}",
            told.len(),
            lost.len(),
            unexpected.len(),
        );
        assert!(acknowledged > 0 && acknowledged <= attempted && told.len() <= attempted + duplicated);
        assert!(lost.is_empty(), "lost: {lost:?}");
        assert!(unexpected.is_empty(), "unexpected: {unexpected:?}");
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Clients who go on, whatever they are answered, until they are told to stop.
pub(crate) struct Writers {
    tally: Tally,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Writers {
    /// So many, each with users of its own.
    pub(crate) fn start(http: &Http, count: usize) -> Self {
        Self::of(http, count, "writer")
    }

    /// The same, with a name that sets them apart from others.
    pub(crate) fn of(http: &Http, count: usize, name: &str) -> Self {
        let (tally, stop) = (Tally::default(), watch::Sender::new(false));
        let write = |writer| {
            let (tally, http, stop) = (tally.clone(), http.clone(), stop.subscribe());
            let name = name.to_owned();
            tokio::spawn(async move {
                for nth in 0.. {
                    if *stop.borrow() {
                        return;
                    }
                    if tally.one(&http, &format!("{name}-{writer}-{nth}"), nth % 2 == 0).await.is_none() {
                        sleep(Duration::from_millis(10)).await;
                    }
                }
            })
        };
        let tasks = (0..count).map(write).collect();
        Self { tally, stop, tasks }
    }

    /// Waits until so many more changes were acknowledged.
    pub(crate) async fn acknowledged(&self, more: usize) {
        let enough = self.tally.acknowledged() + more;
        let worked = async {
            while self.tally.acknowledged() < enough {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let told = || format!("{} of {enough}: {:?}", self.tally.acknowledged(), self.tally.refused().last());
        timeout(Duration::from_secs(60), worked).await.unwrap_or_else(|_| panic!("{}", told()));
    }

    /// Tells them to stop, and what became of their changes.
    pub(crate) async fn end(self) -> Tally {
        self.stop.send_replace(true);
        for task in self.tasks {
            task.await.expect("a writer sees right answers, or none");
        }
        self.tally
    }
}

/// All users that are there, by their ids.
pub(crate) async fn all_users(http: &Http) -> BTreeMap<i64, User> {
    let mut all = BTreeMap::new();
    let mut target = format!("{USERS}?limit=100");
    loop {
        let page = http.get(&target).await.page();
        all.extend(page.items.into_iter().map(|user| (user.id, user)));
        let Some(next) = page.next else { return all };
        target = format!("{USERS}?limit=100&after={next}");
    }
}

/// The name of the user that a change is about.
pub(crate) fn name_in(change: &Change) -> String {
    user_in(change).name.to_string()
}

/// The user as a change left it.
pub(crate) fn user_in(change: &Change) -> &roster_domain::User {
    match change {
        Change::UserCreated(user) | Change::UserUpdated(user) | Change::UserDeleted(user) => user,
        other => panic!("nobody knows {other:?}"),
    }
}

/// What a change says happened.
fn happened(change: &Change) -> Happened {
    match change {
        Change::UserCreated(user) => (user.id.get(), "created", user.version.get()),
        Change::UserUpdated(user) => (user.id.get(), "updated", user.version.get()),
        Change::UserDeleted(user) => (user.id.get(), "deleted", user.version.get()),
        other => panic!("nobody knows {other:?}"),
    }
}

/// Users whose events do not lead, version by version, to what is stored of them.
fn unexpected(told: &[Happened], stored: &BTreeMap<i64, User>) -> Vec<String> {
    let mut histories: BTreeMap<i64, Vec<(&str, i64)>> = stored.keys().map(|id| (*id, Vec::new())).collect();
    for (id, what, version) in told {
        histories.entry(*id).or_default().push((what, *version));
    }
    let wrong = histories.into_iter().filter(|(id, history)| {
        let is_deleted = !stored.contains_key(id);
        let versions = i64::try_from(history.len()).unwrap() - i64::from(is_deleted);
        let mut expected: Vec<_> = (1..=versions)
            .map(|version| (if version == 1 { "created" } else { "updated" }, version))
            .collect();
        if is_deleted {
            expected.push(("deleted", versions));
        }
        let current = stored.get(id).map_or(versions, |user| user.version);
        *history != expected || versions != current
    });
    wrong.map(|(id, history)| format!("user {id}: {history:?}")).collect()
}
