use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use futures_core::stream::BoxStream;
use futures_executor::block_on;
use futures_util::future::join_all;

use super::*;
use crate::ports::{EventLog, MockUserRepository};
use crate::testing::{InMemory, ManualClock};
use crate::{
    Event, InboundId, Name, Page, Position, Receipt, Timestamp, TraceContext, User, UserId, UserQuery,
};

type Failure = UserRepositoryError;

fn email(local: &str) -> Email {
    Email::parse(&format!("{local}@example.org")).unwrap()
}

fn person(local: &str, name: &str) -> NewUser {
    NewUser { email: email(local), name: Name::parse(name).unwrap() }
}

fn event(id: &str, change: InboundChange) -> InboundEvent {
    InboundEvent { id: InboundId::parse("/hr", id).unwrap(), change, trace: None }
}

fn saved(id: &str, local: &str, name: &str) -> InboundEvent {
    event(id, InboundChange::PersonSaved(person(local, name)))
}

fn removed(id: &str, local: &str) -> InboundEvent {
    event(id, InboundChange::PersonRemoved(email(local)))
}

fn now() -> Timestamp {
    ManualClock::default().now()
}

/// A store in which others get their turn between a look-up and what follows it.
struct Pausing(InMemory);

#[async_trait::async_trait]
impl UserRepository for Pausing {
    async fn find(&self, id: UserId) -> Result<Option<User>, Failure> {
        self.0.find(id).await
    }

    async fn find_by_email(&self, email: &Email) -> Result<Option<User>, Failure> {
        let found = self.0.find_by_email(email).await;
        let mut paused = false;
        poll_fn(|context| {
            context.waker().wake_by_ref();
            if std::mem::replace(&mut paused, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        found
    }

    async fn find_by_emails(&self, emails: &[Email]) -> Result<Vec<User>, Failure> {
        self.0.find_by_emails(emails).await
    }

    async fn list(&self, query: &UserQuery) -> Result<Page<User>, Failure> {
        self.0.list(query).await
    }

    async fn create(&self, new: NewUser, commit: Commit) -> Result<Written<User>, Failure> {
        self.0.create(new, commit).await
    }

    async fn create_many(
        &self,
        new: Vec<(NewUser, Commit)>,
    ) -> Result<Vec<Result<Written<User>, Failure>>, Failure> {
        self.0.create_many(new).await
    }

    async fn update(
        &self,
        id: UserId,
        changes: UserChanges,
        precondition: Precondition,
        commit: Commit,
    ) -> Result<Written<User>, Failure> {
        self.0.update(id, changes, precondition, commit).await
    }

    async fn delete(
        &self,
        id: UserId,
        precondition: Precondition,
        commit: Commit,
    ) -> Result<Written<User>, Failure> {
        self.0.delete(id, precondition, commit).await
    }

    async fn acknowledge(&self, receipt: Receipt, at: Timestamp) -> Result<Written<()>, Failure> {
        self.0.acknowledge(receipt, at).await
    }

    fn export(&self) -> BoxStream<'static, Result<Vec<User>, Failure>> {
        self.0.export()
    }
}

fn on(users: impl UserRepository + 'static) -> InboundService {
    InboundService::new(Arc::new(users), Arc::new(ManualClock::default()))
}

async fn named(store: &InMemory, local: &str) -> Option<(String, i64)> {
    let user = store.find_by_email(&email(local)).await.unwrap();
    user.map(|user| (user.name.as_str().to_owned(), user.version.get()))
}

async fn recorded(store: &InMemory) -> Vec<Event> {
    store.read(Position::START, 1_000).await.unwrap()
}

fn ada() -> User {
    User::created(UserId::new(7).unwrap(), person("ada", "Ada"), now())
}

fn unavailable(outcome: &Result<Written<()>, DomainError>) {
    assert!(matches!(outcome, Err(DomainError::Unavailable { .. })), "{outcome:?}");
}

#[test]
fn a_saved_person_is_created_and_then_updated_by_e_mail() {
    block_on(async {
        let store = InMemory::default();
        let inbound = on(store.clone());
        assert_eq!(inbound.apply(&saved("1", "ada", "Ada")).await.unwrap(), Written::Now(()));
        assert_eq!(named(&store, "ada").await, Some(("Ada".to_owned(), 1)));
        assert_eq!(inbound.apply(&saved("2", "ada", "Ada King")).await.unwrap(), Written::Now(()));
        assert_eq!(named(&store, "ada").await, Some(("Ada King".to_owned(), 2)));
        assert_eq!(inbound.apply(&saved("3", "ada", "Ada King")).await.unwrap(), Written::Now(()));
        assert_eq!(named(&store, "ada").await, Some(("Ada King".to_owned(), 2)));
        assert_eq!(recorded(&store).await.len(), 2, "what changes nothing is no event");
    });
}

#[test]
fn a_person_who_was_saved_as_they_are_is_not_changed_by_a_repeat_either() {
    block_on(async {
        let store = InMemory::default();
        let inbound = on(store.clone());
        for (id, name) in [("1", "Ada"), ("2", "Ada"), ("3", "Ada King"), ("2", "Ada"), ("1", "Ada")] {
            inbound.apply(&saved(id, "ada", name)).await.unwrap();
        }
        assert_eq!(named(&store, "ada").await, Some(("Ada King".to_owned(), 2)));
    });
}

#[test]
fn a_removed_person_is_deleted_once() {
    block_on(async {
        let store = InMemory::default();
        let inbound = on(store.clone());
        inbound.apply(&saved("1", "ada", "Ada")).await.unwrap();
        assert_eq!(inbound.apply(&removed("2", "ada")).await.unwrap(), Written::Now(()));
        assert_eq!(named(&store, "ada").await, None);

        inbound.apply(&saved("3", "ada", "Ada again")).await.unwrap();
        assert_eq!(inbound.apply(&removed("2", "ada")).await.unwrap(), Written::Before(()));
        assert_eq!(named(&store, "ada").await, Some(("Ada again".to_owned(), 1)));
    });
}

#[test]
fn a_removal_of_nobody_does_not_delete_who_comes_later_when_it_is_repeated() {
    block_on(async {
        let store = InMemory::default();
        let inbound = on(store.clone());
        assert_eq!(inbound.apply(&removed("1", "ada")).await.unwrap(), Written::Now(()));
        inbound.apply(&saved("2", "ada", "Ada")).await.unwrap();
        assert_eq!(inbound.apply(&removed("1", "ada")).await.unwrap(), Written::Before(()));
        assert_eq!(named(&store, "ada").await, Some(("Ada".to_owned(), 1)));
    });
}

#[test]
fn an_event_is_known_by_its_source_and_id_alone() {
    block_on(async {
        let store = InMemory::default();
        let inbound = on(store.clone());
        inbound.apply(&saved("1", "ada", "Ada")).await.unwrap();
        let other_content = inbound.apply(&saved("1", "bob", "Bob")).await.unwrap();
        assert_eq!((other_content, named(&store, "bob").await), (Written::Before(()), None));

        let elsewhere = InboundId::parse("/payroll", "1").unwrap();
        let other_source = InboundEvent { id: elsewhere, ..saved("1", "bob", "Bob") };
        assert_eq!(inbound.apply(&other_source).await.unwrap(), Written::Now(()));
        assert_eq!(named(&store, "bob").await, Some(("Bob".to_owned(), 1)));
    });
}

#[test]
fn the_same_event_five_times_at_once_has_one_effect() {
    for event in
        [saved("2", "ada", "Ada King"), saved("2", "bob", "Bob"), removed("2", "ada"), removed("2", "eve")]
    {
        block_on(async {
            let store = InMemory::default();
            let inbound = on(Pausing(store.clone()));
            inbound.apply(&saved("1", "ada", "Ada")).await.unwrap();
            let all = join_all((0..5).map(|_| inbound.apply(&event))).await;
            let effects = all.into_iter().filter(|outcome| *outcome.as_ref().unwrap() == Written::Now(()));
            assert_eq!(effects.count(), 1, "{event:?}");
            let of_nobody = event == removed("2", "eve");
            assert_eq!(recorded(&store).await.len(), if of_nobody { 1 } else { 2 }, "{event:?}");
        });
    }
}

/// What others do to a user between the look-up and the write is seen by the write alone. After `races` of them,
/// nobody is in the way.
fn raced(races: usize, failure: fn() -> Failure) -> (MockUserRepository, Arc<AtomicUsize>) {
    let mut users = MockUserRepository::new();
    let attempts = Arc::new(AtomicUsize::new(0));
    let counted = attempts.clone();
    let attempt = move || {
        let before = counted.fetch_add(1, Ordering::Relaxed);
        if before < races { Err(failure()) } else { Ok(Written::Now(ada())) }
    };
    let (create, update, delete) = (attempt.clone(), attempt.clone(), attempt);
    users.expect_create().returning(move |_, commit| {
        assert!(commit.receipt.is_some());
        create()
    });
    users.expect_update().returning(move |_, _, precondition, commit| {
        assert!(commit.receipt.is_some() && precondition == Precondition::OneOf(vec![ada().version]));
        update()
    });
    users.expect_delete().returning(move |_, precondition, commit| {
        assert!(commit.receipt.is_some() && precondition == Precondition::OneOf(vec![ada().version]));
        delete()
    });
    (users, attempts)
}

/// An event, whether its user is found, and what the write then fails with.
type Race = (InboundEvent, bool, fn() -> Failure);

/// Each way to write, with what can come between it and the look-up.
fn races() -> [Race; 5] {
    let changed: fn() -> Failure = || Failure::PreconditionFailed { current: ada().version.next() };
    let deleted: fn() -> Failure = || Failure::NotFound(ada().id);
    [
        (saved("1", "ada", "Ada King"), false, || Failure::EmailTaken),
        (saved("1", "ada", "Ada King"), true, changed),
        (saved("1", "ada", "Ada King"), true, deleted),
        (removed("1", "ada"), true, changed),
        (removed("1", "ada"), true, deleted),
    ]
}

#[test]
fn a_user_who_changes_between_the_look_up_and_the_write_is_looked_up_again() {
    for (event, is_there, failure) in races() {
        let (mut users, attempts) = raced(3, failure);
        users.expect_find_by_email().times(4).returning(move |_| Ok(is_there.then(ada)));
        assert_eq!(block_on(on(users).apply(&event)).unwrap(), Written::Now(()), "{event:?}");
        assert_eq!(attempts.load(Ordering::Relaxed), 4);
    }
}

#[test]
fn an_event_that_others_are_always_in_the_way_of_may_succeed_later() {
    for (event, is_there, failure) in races() {
        let (mut users, attempts) = raced(usize::MAX, failure);
        users.expect_find_by_email().returning(move |_| Ok(is_there.then(ada)));
        unavailable(&block_on(on(users).apply(&event)));
        assert_eq!(attempts.load(Ordering::Relaxed), RETRIES);
    }
}

#[test]
fn a_passing_failure_is_told_as_one_and_not_tried_again_here() {
    let away: fn() -> Failure = || Failure::Unavailable("away".into());
    for failure in [away, || Failure::ReceiptInProgress] {
        for (event, is_there, _) in races() {
            let (mut users, attempts) = raced(usize::MAX, failure);
            users.expect_find_by_email().once().returning(move |_| Ok(is_there.then(ada)));
            unavailable(&block_on(on(users).apply(&event)));
            assert_eq!(attempts.load(Ordering::Relaxed), 1);
        }
    }
    let mut users = MockUserRepository::new();
    users.expect_find_by_email().once().returning(move |_| Err(away()));
    unavailable(&block_on(on(users).apply(&removed("1", "ada"))));
    let mut users = MockUserRepository::new();
    users.expect_find_by_email().once().returning(|_| Ok(None));
    users.expect_acknowledge().once().returning(|_, _| Err(Failure::ReceiptInProgress));
    unavailable(&block_on(on(users).apply(&removed("1", "ada"))));
}

#[test]
fn what_nobody_can_mend_is_told_as_such() {
    let mut users = MockUserRepository::new();
    users.expect_find_by_email().once().returning(|_| Err(Failure::Internal("a broken row".into())));
    let outcome = block_on(on(users).apply(&removed("1", "ada")));
    assert!(matches!(outcome, Err(DomainError::Internal(_))), "{outcome:?}");
}

#[test]
fn events_of_new_people_take_effect_together_and_the_others_are_left() {
    block_on(async {
        let store = InMemory::default();
        let inbound = on(store.clone());
        inbound.apply(&saved("1", "ada", "Ada")).await.unwrap();
        inbound.apply(&saved("2", "bob", "Bob")).await.unwrap();
        inbound.apply(&removed("3", "bob")).await.unwrap();
        let trace = TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None);
        let events = [
            removed("4", "zoe"),
            InboundEvent { trace: trace.clone(), ..saved("5", "eve", "Eve") },
            saved("6", "ada", "Ada King"),
            saved("2", "bob", "Bob"),
            saved("7", "kim", "Kim"),
        ];

        let outcomes = inbound.apply_new(&events).await;

        let now = Some(Written::Now(()));
        assert_eq!(outcomes, [None, now, None, Some(Written::Before(())), now]);
        assert_eq!(named(&store, "eve").await, Some(("Eve".to_owned(), 1)));
        assert_eq!(named(&store, "ada").await, Some(("Ada".to_owned(), 1)), "it is left to others");
        assert_eq!(named(&store, "bob").await, None);
        assert_eq!(recorded(&store).await[3].trace, trace);
        for event in [&events[1], &events[4]] {
            assert_eq!(inbound.apply(event).await.unwrap(), Written::Before(()), "{event:?}");
        }
    });
}

#[test]
fn what_fails_together_is_left() {
    let away: fn() -> Failure = || Failure::Unavailable("away".into());
    let events = [saved("1", "ada", "Ada"), saved("2", "bob", "Bob"), saved("3", "eve", "Eve")];
    let mut users = MockUserRepository::new();
    users.expect_find_by_emails().once().returning(move |_| Err(away()));
    assert_eq!(block_on(on(users).apply_new(&events)), [None, None, None]);

    let mut users = MockUserRepository::new();
    users.expect_find_by_emails().once().returning(|_| Ok(Vec::new()));
    users.expect_create_many().once().returning(move |_| Err(away()));
    assert_eq!(block_on(on(users).apply_new(&events)), [None, None, None]);

    let mut users = MockUserRepository::new();
    users.expect_find_by_emails().once().returning(|_| Ok(Vec::new()));
    let outcomes =
        || vec![Err(Failure::AlreadyAcknowledged), Err(Failure::EmailTaken), Ok(Written::Now(ada()))];
    users.expect_create_many().once().returning(move |_| Ok(outcomes()));
    let expected = [Some(Written::Before(())), None, Some(Written::Now(()))];
    assert_eq!(block_on(on(users).apply_new(&events)), expected);
}

#[test]
fn an_attempt_that_fails_is_made_again_while_that_may_help() {
    let failing = |failure: fn() -> Failure| {
        let mut users = MockUserRepository::new();
        users.expect_find_by_email().returning(move |_| Err(failure()));
        on(users)
    };
    let attempt = |failure, failures| block_on(failing(failure).attempt(&removed("1", "ada"), failures));
    for failures in [0, 100] {
        let held = attempt(|| Failure::Unavailable("away".into()), failures);
        assert!(matches!(held, Attempt::Held(_)), "{held:?}");
    }
    let broken: fn() -> Failure = || Failure::Internal("it is broken".into());
    for failures in 0..4 {
        let failed = attempt(broken, failures);
        assert!(matches!(failed, Attempt::Failed(_)), "{failed:?}");
    }
    let Attempt::Dead(reason) = attempt(broken, 4) else { panic!("it is tried for ever") };
    assert!(
        reason.starts_with("it failed 5 times, at last: ") && reason.ends_with("it is broken"),
        "{reason}"
    );
    let store = InMemory::default();
    let applied = block_on(
        InboundService::new(Arc::new(store), Arc::new(ManualClock::default()))
            .attempt(&removed("1", "ada"), 0),
    );
    assert!(matches!(applied, Attempt::Applied(Written::Now(()))), "{applied:?}");
}
