//! The contract holds the adapters in memory, and finds out those that break it.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_executor::block_on;

use super::cancellation::give_way;
use super::{Behaviour, DIRECTORY, EVENTS, PUBLISHER, StagedBroker, StagedDirectory, USERS};
use crate::ports::{
    Directory, DirectoryError, EventLog, EventLogError, EventPublisher, PublishError, UserRepository,
    UserRepositoryError as Error,
};
use crate::testing::{Condition, InMemory, InMemoryBroker, InMemoryDirectory};
use crate::{
    Commit, DirectoryId, DirectoryPerson, Email, Event, EventId, NewUser, Page, Position, Precondition,
    Receipt, Timestamp, User, UserChanges, UserId, UserQuery, Written,
};

mod memory {
    use crate::testing::InMemory;

    crate::repository_contract!(InMemory::default);
    crate::outbox_contract!(InMemory::default);
}

mod memory_that_is_awaited {
    use crate::testing::InMemory;

    async fn store() -> InMemory {
        std::future::ready(InMemory::default()).await
    }

    crate::repository_contract!(store);
}

mod broker {
    crate::publisher_contract!(crate::testing::InMemoryBroker::default);
}

mod directory {
    crate::directory_contract!(crate::testing::InMemoryDirectory::default);
}

/// The names of the behaviours that fail, of a list.
fn failing<Check: Copy>(list: &[Behaviour<Check>], run: impl Fn(Check)) -> BTreeSet<&'static str> {
    let fails =
        |behaviour: &&Behaviour<Check>| catch_unwind(AssertUnwindSafe(|| run(behaviour.check))).is_err();
    list.iter().filter(fails).map(|behaviour| behaviour.name).collect()
}

/// How a store breaks its promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// It records an event after the change was committed, not with it.
    RecordsLater,
    /// It tells that an e-mail is taken as if something had broken.
    TakesATakenEmailForABug,
    /// It keeps no receipts.
    ForgetsReceipts,
    /// It keeps receipts by their keys alone.
    ForgetsScopes,
    /// It writes whatever the version is.
    IgnoresPreconditions,
    /// It does not tell which trace a change is part of.
    LosesTraces,
    /// It finds nobody by an e-mail before the first change.
    HasAStaleIndex,
    /// It counts what is on a page alone.
    CountsOnePage,
    /// It does not tell how far the feed was.
    LosesPositions,
    /// It tells those who ask at once what the first of them asked for.
    AnswersOneForAll,
}

struct Faulty {
    fault: Fault,
    users: InMemory,
    /// Where events are that were recorded later.
    log: InMemory,
    /// What is asked for by the first of those who ask at once.
    found: Mutex<Option<UserId>>,
    listed: Mutex<Option<UserQuery>>,
}

impl Faulty {
    fn with(fault: Fault) -> Self {
        Self {
            fault,
            users: InMemory::default(),
            log: InMemory::default(),
            found: Mutex::default(),
            listed: Mutex::default(),
        }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn events(&self) -> &InMemory {
        if self.is(Fault::RecordsLater) { &self.log } else { &self.users }
    }

    fn commit(&self, mut commit: Commit) -> Commit {
        if self.is(Fault::LosesTraces) {
            commit.trace = None;
        }
        commit.receipt = commit.receipt.and_then(|receipt| self.receipt(receipt));
        commit
    }

    fn receipt(&self, receipt: Receipt) -> Option<Receipt> {
        match self.fault {
            Fault::ForgetsReceipts => None,
            Fault::ForgetsScopes => Some(Receipt { scope: String::new(), ..receipt }),
            _ => Some(receipt),
        }
    }

    fn precondition(&self, precondition: Precondition) -> Precondition {
        if self.is(Fault::IgnoresPreconditions) { Precondition::Any } else { precondition }
    }

    fn told<T>(&self, outcome: Result<T, Error>) -> Result<T, Error> {
        match outcome {
            Err(Error::EmailTaken) if self.is(Fault::TakesATakenEmailForABug) => {
                Err(Error::Internal("duplicate key".into()))
            }
            other => other,
        }
    }

    /// What is asked for where this is.
    async fn asked<T: Clone>(&self, first: &Mutex<Option<T>>, asked: T) -> T {
        if !self.is(Fault::AnswersOneForAll) {
            return asked;
        }
        let asked = first.lock().unwrap().get_or_insert(asked).clone();
        give_way().await;
        *first.lock().unwrap() = None;
        asked
    }

    /// Does the same in the log, a moment later.
    async fn later<T>(&self, written: &Result<T, Error>, same: impl Future<Output = Result<T, Error>>) {
        if self.is(Fault::RecordsLater) && written.is_ok() {
            give_way().await;
            let _ = same.await;
        }
    }
}

#[async_trait]
impl UserRepository for Faulty {
    async fn find(&self, id: UserId) -> Result<Option<User>, Error> {
        self.users.find(self.asked(&self.found, id).await).await
    }

    async fn find_by_email(&self, email: &Email) -> Result<Option<User>, Error> {
        let found = self.users.find_by_email(email).await?;
        let is_stale = |user: &User| self.is(Fault::HasAStaleIndex) && user.version.get() == 1;
        Ok(found.filter(|user| !is_stale(user)))
    }

    async fn find_by_emails(&self, emails: &[Email]) -> Result<Vec<User>, Error> {
        self.users.find_by_emails(emails).await
    }

    async fn list(&self, query: &UserQuery) -> Result<Page<User>, Error> {
        let mut page = self.users.list(&self.asked(&self.listed, query.clone()).await).await?;
        if self.is(Fault::CountsOnePage) {
            page.total = page.total.map(|_| page.items.len() as u64);
        }
        if self.is(Fault::LosesPositions) {
            page.newest = Position::START;
        }
        Ok(page)
    }

    async fn create(&self, new: NewUser, commit: Commit) -> Result<Written<User>, Error> {
        let commit = self.commit(commit);
        let created = self.users.create(new.clone(), commit.clone()).await;
        self.later(&created, self.log.create(new, commit)).await;
        self.told(created)
    }

    async fn create_many(
        &self,
        new: Vec<(NewUser, Commit)>,
    ) -> Result<Vec<Result<Written<User>, Error>>, Error> {
        let new: Vec<_> = new.into_iter().map(|(new, commit)| (new, self.commit(commit))).collect();
        let created = self.users.create_many(new.clone()).await;
        self.later(&created, self.log.create_many(new)).await;
        Ok(created?.into_iter().map(|one| self.told(one)).collect())
    }

    async fn update(
        &self,
        id: UserId,
        changes: UserChanges,
        precondition: Precondition,
        commit: Commit,
    ) -> Result<Written<User>, Error> {
        let (precondition, commit) = (self.precondition(precondition), self.commit(commit));
        let updated = self.users.update(id, changes.clone(), precondition.clone(), commit.clone()).await;
        self.later(&updated, self.log.update(id, changes, precondition, commit)).await;
        self.told(updated)
    }

    async fn delete(
        &self,
        id: UserId,
        precondition: Precondition,
        commit: Commit,
    ) -> Result<Written<User>, Error> {
        let (precondition, commit) = (self.precondition(precondition), self.commit(commit));
        let deleted = self.users.delete(id, precondition.clone(), commit.clone()).await;
        self.later(&deleted, self.log.delete(id, precondition, commit)).await;
        deleted
    }

    async fn acknowledge(&self, receipt: Receipt, at: Timestamp) -> Result<Written<()>, Error> {
        match self.receipt(receipt) {
            Some(receipt) => self.users.acknowledge(receipt, at).await,
            None => Ok(Written::Now(())),
        }
    }

    fn export(&self) -> BoxStream<'static, Result<Vec<User>, Error>> {
        self.users.export()
    }
}

#[async_trait]
impl EventLog for Faulty {
    async fn sequence(&self) -> Result<usize, EventLogError> {
        self.events().sequence().await
    }

    async fn read(&self, after: Position, limit: usize) -> Result<Vec<Event>, EventLogError> {
        self.events().read(after, limit).await
    }

    async fn newest(&self) -> Result<Position, EventLogError> {
        self.events().newest().await
    }

    async fn pruned(&self) -> Result<Position, EventLogError> {
        self.events().pruned().await
    }
}

#[test]
fn each_fault_of_a_store_fails_what_it_breaks_and_nothing_else() {
    for (fault, expected) in [
        (Fault::RecordsLater, &["a_dropped_write_leaves_a_change_with_its_event_or_neither"][..]),
        (
            Fault::TakesATakenEmailForABug,
            &[
                "a_dropped_write_leaves_a_change_with_its_event_or_neither",
                "a_taken_email_is_refused_and_changes_nothing",
                "an_update_to_a_taken_email_is_refused_and_changes_nothing",
                "many_creates_have_an_outcome_each",
                "many_creates_honour_a_receipt_each",
                "of_fifty_concurrent_creates_of_one_email_one_wins",
            ],
        ),
        (
            Fault::ForgetsReceipts,
            &[
                "a_dropped_write_takes_effect_wholly_or_not_at_all",
                "a_receipt_for_something_else_is_refused",
                "a_receipt_is_free_again_when_it_expires",
                "a_receipt_that_changed_no_user_changes_none_later",
                "a_receipt_works_for_every_write",
                "a_repeated_receipt_brings_back_the_first_outcome",
                "a_repeated_receipt_records_nothing",
                "many_creates_honour_a_receipt_each",
                "of_concurrent_writes_with_one_receipt_one_takes_effect",
            ],
        ),
        (Fault::ForgetsScopes, &["receipts_of_different_scopes_are_apart"]),
        (
            Fault::IgnoresPreconditions,
            &[
                "a_write_at_another_version_is_refused_and_changes_nothing",
                "a_write_that_fails_leaves_its_receipt_free",
                "another_version_is_told_before_a_taken_email",
                "no_update_is_lost_under_concurrent_conditional_writers",
                "of_concurrent_updates_at_one_version_one_wins",
                "what_fails_records_nothing",
            ],
        ),
        (Fault::LosesTraces, &["each_event_tells_the_trace_that_its_change_is_part_of"]),
        (Fault::HasAStaleIndex, &["a_created_user_reads_back_the_same"]),
        (Fault::CountsOnePage, &["a_total_counts_what_the_filter_holds_for"]),
        (Fault::LosesPositions, &["a_page_of_users_tells_the_newest_position"]),
        (
            Fault::AnswersOneForAll,
            &[
                "a_dropped_read_leaves_others_their_answers",
                "of_pages_at_once_each_is_what_was_asked_for",
                "of_reads_at_once_each_has_its_own_answer",
            ],
        ),
    ] {
        let mut failed = failing(USERS, |check| block_on(check(&Faulty::with(fault))));
        failed.extend(failing(EVENTS, |check| {
            let store = Faulty::with(fault);
            block_on(check(&store, &store));
        }));
        assert_eq!(failed, expected.iter().copied().collect(), "{fault:?}");
    }
}

/// A broker, or the way to it, that breaks a promise: `outcomes` tells what became of events.
struct FaultyBroker {
    broker: InMemoryBroker,
    reverses: bool,
    keeps_again: Option<Mutex<Vec<EventId>>>,
    outcomes: fn(Outcomes) -> Outcomes,
}

type Outcomes = Vec<Result<(), PublishError>>;

impl Default for FaultyBroker {
    fn default() -> Self {
        Self { broker: InMemoryBroker::default(), reverses: false, keeps_again: None, outcomes: |all| all }
    }
}

#[async_trait]
impl EventPublisher for FaultyBroker {
    async fn publish(&self, events: &[Event]) -> Outcomes {
        let mut events = events.to_vec();
        if self.reverses {
            events.reverse();
        }
        let outcomes = self.broker.publish(&events).await;
        if let Some(kept) = &self.keeps_again {
            let taken = events.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_ok());
            kept.lock().unwrap().extend(taken.map(|(event, _)| event.id));
        }
        (self.outcomes)(outcomes)
    }
}

#[async_trait]
impl StagedBroker for FaultyBroker {
    fn publisher(&self) -> &dyn EventPublisher {
        self
    }

    async fn kept(&self) -> Vec<EventId> {
        match &self.keeps_again {
            Some(kept) => kept.lock().unwrap().clone(),
            None => self.broker.kept().await,
        }
    }

    async fn refuse_the_longest_names(&self) {
        self.broker.refuse_the_longest_names().await;
    }

    async fn take_away(&self) {
        self.broker.take_away().await;
    }

    async fn bring_back(&self) {
        self.broker.bring_back().await;
    }
}

fn faults_of(broker: impl Fn() -> FaultyBroker) -> Vec<&'static str> {
    failing(PUBLISHER, |check| block_on(check(&broker()))).into_iter().collect()
}

#[test]
fn each_fault_of_a_publisher_fails_what_it_breaks_and_nothing_else() {
    let telling = |outcomes| FaultyBroker { outcomes, ..FaultyBroker::default() };
    let is_never_sure = |all: Outcomes| {
        let told = |one| match one {
            Err(PublishError::Refused(cause)) => Err(PublishError::Unavailable(cause)),
            other => other,
        };
        all.into_iter().map(told).collect()
    };
    let gives_up = |all: Outcomes| {
        let told = |one| match one {
            Err(PublishError::Unavailable(cause)) => Err(PublishError::Refused(cause)),
            other => other,
        };
        all.into_iter().map(told).collect()
    };
    let tells_of_no_more_than_a_failure = |all: Outcomes| {
        let taken = all.iter().take_while(|one| one.is_ok()).count();
        all.into_iter().take(taken + 1).collect()
    };
    let reverses = || FaultyBroker { reverses: true, ..FaultyBroker::default() };
    let keeps_again = || FaultyBroker { keeps_again: Some(Mutex::default()), ..FaultyBroker::default() };
    let (refused, away) = (
        "an_event_that_is_refused_for_good_holds_up_no_other",
        "a_broker_that_is_away_takes_each_event_later",
    );
    assert_eq!(faults_of(|| telling(is_never_sure)), [refused]);
    assert_eq!(faults_of(|| telling(gives_up)), [away]);
    assert_eq!(faults_of(|| telling(tells_of_no_more_than_a_failure)), [away, refused]);
    assert_eq!(
        faults_of(reverses),
        [
            away,
            "an_event_that_is_published_again_is_kept_once",
            refused,
            "calls_at_once_keep_what_each_of_them_publishes",
            "what_is_published_is_kept_in_its_order",
        ]
    );
    assert_eq!(
        faults_of(keeps_again),
        ["a_dropped_call_harms_no_later_one", "an_event_that_is_published_again_is_kept_once", refused]
    );
}

/// A way to a directory that changes what it found.
struct FaultyDirectory {
    directory: InMemoryDirectory,
    found: fn(Found) -> Found,
}

type Found = Result<Option<DirectoryPerson>, DirectoryError>;

#[async_trait]
impl Directory for FaultyDirectory {
    async fn find(&self, id: DirectoryId) -> Found {
        (self.found)(self.directory.find(id).await)
    }
}

#[async_trait]
impl StagedDirectory for FaultyDirectory {
    fn directory(&self) -> &dyn Directory {
        self
    }

    async fn add(&self, person: DirectoryPerson) {
        self.directory.add(person).await;
    }

    async fn fare(&self, condition: Condition) {
        self.directory.fare(condition).await;
    }
}

#[test]
fn each_fault_of_a_directory_fails_what_it_breaks_and_nothing_else() {
    let faults = |found: fn(Found) -> Found| {
        let directory = || FaultyDirectory { directory: InMemoryDirectory::default(), found };
        failing(DIRECTORY, |check| block_on(check(&directory()))).into_iter().collect::<Vec<_>>()
    };
    assert_eq!(faults(|found| found), [""; 0]);
    // It takes silence for absence.
    assert_eq!(
        faults(|found| if matches!(found, Err(DirectoryError::TimedOut(_))) { Ok(None) } else { found }),
        ["a_directory_that_says_nothing_takes_too_long"]
    );
    // It takes absence for a failure.
    let absent = |found: Found| found?.map(Some).ok_or_else(|| DirectoryError::Failed("404".into()));
    assert_eq!(
        faults(absent),
        [
            "absent_people_are_no_reason_to_leave_a_directory_alone",
            "an_absent_person_is_none",
            "calls_at_once_have_an_answer_each",
        ]
    );
    // It never leaves a directory alone.
    let asks_on = |found| match found {
        Err(DirectoryError::Unavailable { source, .. }) => Err(DirectoryError::Failed(source)),
        other => other,
    };
    assert_eq!(faults(asks_on), ["a_directory_that_keeps_failing_is_left_alone"]);
    // It has rules of its own for what a person may be called.
    let tidy = |found: Found| {
        Ok(found?.map(|person| DirectoryPerson { name: person.name.trim().to_owned(), ..person }))
    };
    assert_eq!(faults(tidy), ["a_person_is_told_as_the_directory_has_it"]);
}
