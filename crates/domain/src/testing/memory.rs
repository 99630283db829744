//! A store in memory that keeps the whole contract: for tests, examples, and as the plainest adapter
//! to read.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use uuid::Uuid;

use crate::ports::{
    EventLog, EventLogError, HealthCheck, Lead, Outbox, SetAside, Unhealthy, Unpublished, UserRepository,
    UserRepositoryError,
};
use crate::{
    Change, Commit, Email, Event, EventId, NewUser, Order, Page, Position, Precondition, Receipt, Timestamp,
    User, UserChanges, UserId, UserQuery, Written,
};

/// How many users an export hands over at once.
const EXPORT_BATCH: usize = 100;

/// Users, events and receipts in memory. A clone is another handle of the same store.
#[derive(Debug, Clone, Default)]
pub struct InMemory {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    users: BTreeMap<UserId, User>,
    last_id: i64,
    events: Vec<Event>,
    newest: Position,
    published: Position,
    set_aside: BTreeMap<Position, SetAside>,
    /// Alive while somebody has the lead.
    lead: Weak<()>,
    receipts: HashMap<(String, String), Kept>,
}

/// A receipt, with what its write brought about.
#[derive(Debug)]
struct Kept {
    receipt: Receipt,
    outcome: Option<User>,
}

type Result<T, E = UserRepositoryError> = std::result::Result<T, E>;

impl InMemory {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Does `write` once for the receipt of `commit`, if it has one.
    fn once(
        &mut self,
        commit: &Commit,
        write: impl FnOnce(&mut Self) -> Result<User>,
    ) -> Result<Written<User>> {
        let Some(receipt) = &commit.receipt else {
            return write(self).map(Written::Now);
        };
        if let Some(outcome) = self.outcome(receipt, commit.at)? {
            return outcome.clone().map(Written::Before).ok_or(UserRepositoryError::AlreadyAcknowledged);
        }
        let user = write(self)?;
        self.keep(receipt, Some(user.clone()));
        Ok(Written::Now(user))
    }

    /// What the receipt's write brought about, where it is kept.
    fn outcome(&self, receipt: &Receipt, at: Timestamp) -> Result<Option<&Option<User>>> {
        let key = (receipt.scope.clone(), receipt.key.clone());
        match self.receipts.get(&key).filter(|kept| kept.receipt.expires_at > at) {
            Some(kept) if kept.receipt.fingerprint == receipt.fingerprint => Ok(Some(&kept.outcome)),
            Some(_) => Err(UserRepositoryError::ReceiptReused),
            None => Ok(None),
        }
    }

    fn keep(&mut self, receipt: &Receipt, outcome: Option<User>) {
        let key = (receipt.scope.clone(), receipt.key.clone());
        let receipt = receipt.clone();
        self.receipts.insert(key, Kept { receipt, outcome });
    }

    fn create(&mut self, new: NewUser, commit: &Commit) -> Result<User> {
        self.check_free(&new.email)?;
        self.last_id += 1;
        let id =
            UserId::new(self.last_id).ok_or_else(|| UserRepositoryError::Internal("out of ids".into()))?;
        let user = User::created(id, new, commit.at);
        self.users.insert(id, user.clone());
        self.record(commit, Change::UserCreated(user.clone()));
        Ok(user)
    }

    fn update(
        &mut self,
        id: UserId,
        changes: &UserChanges,
        precondition: &Precondition,
        commit: &Commit,
    ) -> Result<User> {
        let user = precondition.judge(id, self.users.get(&id).cloned())?;
        let Some(after) = user.changed(changes, commit.at) else {
            return Ok(user);
        };
        if after.email != user.email {
            self.check_free(&after.email)?;
        }
        self.users.insert(id, after.clone());
        self.record(commit, Change::UserUpdated(after.clone()));
        Ok(after)
    }

    fn delete(&mut self, id: UserId, precondition: &Precondition, commit: &Commit) -> Result<User> {
        let user = precondition.judge(id, self.users.get(&id).cloned())?;
        self.users.remove(&id);
        self.record(commit, Change::UserDeleted(user.clone()));
        Ok(user)
    }

    fn check_free(&self, email: &Email) -> Result<()> {
        let taken = self.users.values().any(|user| user.email == *email);
        if taken { Err(UserRepositoryError::EmailTaken) } else { Ok(()) }
    }

    fn record(&mut self, commit: &Commit, change: Change) {
        let position = Position::new(self.newest.get() + 1).unwrap_or_default();
        self.newest = position;
        let id = EventId::new(commit.at, Uuid::from_u128(position.get().unsigned_abs().into()));
        let (time, trace) = (commit.at, commit.trace.clone());
        self.events.push(Event { id, position, time, change, trace });
    }

    fn list(&self, query: &UserQuery) -> Page<User> {
        let matching = self.users.values().filter(|user| query.filter.matches(user));
        let total = query.with_total.then(|| matching.clone().count() as u64);
        let one_more = usize::from(query.limit.get()) + 1;
        let items = match query.order {
            Order::Ascending => matching
                .filter(|user| query.after.is_none_or(|after| user.id > after))
                .take(one_more)
                .cloned()
                .collect(),
            Order::Descending => matching
                .rev()
                .filter(|user| query.after.is_none_or(|after| user.id < after))
                .take(one_more)
                .cloned()
                .collect(),
        };
        Page::cut(items, query.limit, total, self.newest)
    }
}

#[async_trait]
impl UserRepository for InMemory {
    async fn find(&self, id: UserId) -> Result<Option<User>> {
        Ok(self.state().users.get(&id).cloned())
    }

    async fn find_by_email(&self, email: &Email) -> Result<Option<User>> {
        Ok(self.state().users.values().find(|user| user.email == *email).cloned())
    }

    async fn find_by_emails(&self, emails: &[Email]) -> Result<Vec<User>> {
        Ok(self.state().users.values().filter(|user| emails.contains(&user.email)).cloned().collect())
    }

    async fn list(&self, query: &UserQuery) -> Result<Page<User>> {
        Ok(self.state().list(query))
    }

    async fn create(&self, new: NewUser, commit: Commit) -> Result<Written<User>> {
        self.state().once(&commit, |state| state.create(new, &commit))
    }

    async fn create_many(&self, new: Vec<(NewUser, Commit)>) -> Result<Vec<Result<Written<User>>>> {
        let mut state = self.state();
        let outcomes =
            new.into_iter().map(|(new, commit)| state.once(&commit, |state| state.create(new, &commit)));
        Ok(outcomes.collect())
    }

    async fn update(
        &self,
        id: UserId,
        changes: UserChanges,
        precondition: Precondition,
        commit: Commit,
    ) -> Result<Written<User>> {
        self.state().once(&commit, |state| state.update(id, &changes, &precondition, &commit))
    }

    async fn delete(&self, id: UserId, precondition: Precondition, commit: Commit) -> Result<Written<User>> {
        self.state().once(&commit, |state| state.delete(id, &precondition, &commit))
    }

    async fn acknowledge(&self, receipt: Receipt, at: Timestamp) -> Result<Written<()>> {
        let mut state = self.state();
        if state.outcome(&receipt, at)?.is_some() {
            return Ok(Written::Before(()));
        }
        state.keep(&receipt, None);
        Ok(Written::Now(()))
    }

    fn export(&self) -> BoxStream<'static, Result<Vec<User>>> {
        let store = self.clone();
        stream::once(async move {
            let users: Vec<_> = store.state().users.values().cloned().collect();
            let batches: Vec<_> = users.chunks(EXPORT_BATCH).map(|batch| Ok(batch.to_vec())).collect();
            stream::iter(batches)
        })
        .flatten()
        .boxed()
    }
}

#[async_trait]
impl EventLog for InMemory {
    async fn sequence(&self) -> Result<usize, EventLogError> {
        Ok(0)
    }

    async fn read(&self, after: Position, limit: usize) -> Result<Vec<Event>, EventLogError> {
        let state = self.state();
        let events = state.events.iter().filter(|event| event.position > after);
        Ok(events.take(limit).cloned().collect())
    }

    async fn newest(&self) -> Result<Position, EventLogError> {
        Ok(self.state().newest)
    }

    async fn pruned(&self) -> Result<Position, EventLogError> {
        let state = self.state();
        let before = |event: &Event| Position::new(event.position.get() - 1);
        Ok(state.events.first().and_then(before).unwrap_or(state.newest))
    }
}

/// The lead, as a reference that the store can see.
struct Leading(#[expect(dead_code, reason = "it is held, and never read")] Arc<()>);

#[async_trait]
impl Lead for Leading {
    async fn is_held(&mut self) -> bool {
        true
    }

    fn overlap(&self) -> Duration {
        Duration::ZERO
    }
}

#[async_trait]
impl Outbox for InMemory {
    async fn lead(&self) -> Result<Option<Box<dyn Lead>>, EventLogError> {
        let mut state = self.state();
        if state.lead.strong_count() > 0 {
            return Ok(None);
        }
        let lead = Arc::new(());
        state.lead = Arc::downgrade(&lead);
        Ok(Some(Box::new(Leading(lead))))
    }

    async fn published(&self) -> Result<Position, EventLogError> {
        Ok(self.state().published)
    }

    async fn unpublished(&self, limit: usize) -> Result<Option<Unpublished>, EventLogError> {
        let mark = self.published().await?;
        let events = self.read(mark, limit).await?;
        Ok((!events.is_empty()).then_some(Unpublished { mark, events }))
    }

    async fn mark_published(
        &self,
        from: Position,
        up_to: Position,
        set_aside: Vec<SetAside>,
    ) -> Result<(), EventLogError> {
        let mut state = self.state();
        if (from..up_to).contains(&state.published) && up_to <= state.newest {
            state.published = up_to;
            for one in set_aside {
                state.set_aside.entry(one.position).or_insert(one);
            }
        }
        Ok(())
    }

    async fn set_aside(&self, limit: usize) -> Result<Vec<SetAside>, EventLogError> {
        Ok(self.state().set_aside.values().take(limit).cloned().collect())
    }

    async fn rewind(&self, to: Position) -> Result<(), EventLogError> {
        let mut state = self.state();
        if state.published > to {
            state.published = to;
            state.set_aside.retain(|position, _| *position <= to);
        }
        Ok(())
    }

    async fn prune_events(&self, before: Timestamp, limit: usize) -> Result<usize, EventLogError> {
        let mut state = self.state();
        let published = state.published;
        let is_old = |event: &&Event| event.position <= published && event.time < before;
        let old = state.events.iter().take_while(is_old).take(limit).count();
        let last = state.events.drain(..old).next_back();
        if let Some(last) = last {
            state.set_aside.retain(|position, _| *position > last.position);
        }
        Ok(old)
    }

    async fn prune_receipts(&self, now: Timestamp, limit: usize) -> Result<usize, EventLogError> {
        let mut state = self.state();
        let is_old = |kept: &Kept| kept.receipt.expires_at <= now;
        let old = state.receipts.iter().filter(|(_, kept)| is_old(kept)).map(|(key, _)| key.clone());
        let old: Vec<_> = old.take(limit).collect();
        for key in &old {
            state.receipts.remove(key);
        }
        Ok(old.len())
    }
}

#[async_trait]
impl HealthCheck for InMemory {
    async fn check(&self) -> Result<(), Unhealthy> {
        Ok(())
    }
}
