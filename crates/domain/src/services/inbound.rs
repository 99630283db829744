use std::collections::HashSet;
use std::sync::Arc;

use crate::ports::{Clock, UserRepository, UserRepositoryError};
use crate::{
    Commit, DomainError, Email, InboundChange, InboundEvent, NewUser, Precondition, Timestamp, UserChanges,
    Written, chain,
};

/// How often an event is tried again that others got in the way of.
const RETRIES: usize = 20;

/// How often an event is tried whose cause of failing does not pass, before it counts as one that never succeeds.
const ATTEMPTS: u32 = 5;

/// What became of an attempt to let an event take effect that somebody brings again until it did.
#[derive(Debug)]
#[must_use = "an event that did not take effect is lost where nobody brings it again"]
pub enum Attempt {
    /// It took effect, now or before.
    Applied(Written<()>),
    /// It cannot yet, for a cause that passes: it is to be tried, after a pause, until it can, and those behind it wait.
    Held(DomainError),
    /// It failed, and is to be tried again after a pause.
    Failed(DomainError),
    /// It can never succeed, for this reason: it is a dead letter.
    Dead(String),
}

/// What is done about events of others.
#[derive(Clone)]
pub struct InboundService {
    users: Arc<dyn UserRepository>,
    clock: Arc<dyn Clock>,
}

impl InboundService {
    /// A service on these ports.
    pub fn new(users: Arc<dyn UserRepository>, clock: Arc<dyn Clock>) -> Self {
        Self { users, clock }
    }

    /// Lets an event take effect, once: the same `source` and `id` again do nothing.
    ///
    /// # Errors
    ///
    /// [`DomainError::Unavailable`] where it may succeed later, and [`DomainError::Internal`].
    pub async fn apply(&self, event: &InboundEvent) -> Result<Written<()>, DomainError> {
        for _ in 0..RETRIES {
            match self.effect(event).await {
                Ok(written) => return Ok(written),
                Err(UserRepositoryError::AlreadyAcknowledged) => return Ok(Written::Before(())),
                // Somebody changed the user after it was looked up.
                Err(
                    UserRepositoryError::EmailTaken
                    | UserRepositoryError::NotFound(_)
                    | UserRepositoryError::PreconditionFailed { .. },
                ) => {}
                // The same event is under way elsewhere.
                Err(UserRepositoryError::ReceiptInProgress) => {
                    return Err(DomainError::unavailable("the event is being handled already"));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(DomainError::unavailable("others change the same user all the time"))
    }

    /// Lets an event take effect, as [`apply`](Self::apply) does, and judges how that went; `failures` is how often it
    /// [failed](Attempt::Failed) before.
    pub async fn attempt(&self, event: &InboundEvent, failures: u32) -> Attempt {
        match self.apply(event).await {
            Ok(written) => Attempt::Applied(written),
            Err(error @ DomainError::Unavailable { .. }) => Attempt::Held(error),
            Err(error) if failures.saturating_add(1) < ATTEMPTS => Attempt::Failed(error),
            Err(error) => Attempt::Dead(format!("it failed {ATTEMPTS} times, at last: {}", chain(&error))),
        }
    }

    /// Lets those of some events take effect that tell of people whom nobody knows, all at once; each is to be about
    /// another person. What became of each; none where it is left to [`apply`](Self::apply), which also finds out why.
    #[must_use = "an event without an outcome has not taken effect"]
    pub async fn apply_new(&self, events: &[InboundEvent]) -> Vec<Option<Written<()>>> {
        let unknown = self.unknown(events).await;
        let now = self.clock.now();
        let new = events.iter().zip(&unknown);
        let new: Vec<_> =
            new.filter_map(|(event, person)| Some(((*person)?.clone(), commit(event, now)))).collect();
        if new.is_empty() {
            return vec![None; events.len()];
        }
        let made = self.users.create_many(new).await.unwrap_or_default();
        let mut made = made.into_iter().map(|made| match made {
            Ok(written) => Some(written.map(drop)),
            Err(UserRepositoryError::AlreadyAcknowledged) => Some(Written::Before(())),
            Err(_) => None,
        });
        unknown.into_iter().map(|person| person.and_then(|_| made.next().flatten())).collect()
    }

    /// For each event, whom it tells of if that is somebody new; nobody where one would be alone, or that is in doubt.
    async fn unknown<'a>(&self, events: &'a [InboundEvent]) -> Vec<Option<&'a NewUser>> {
        let mut saved: Vec<_> = events.iter().map(|event| event.change.saved()).collect();
        let emails: Vec<_> = saved.iter().flatten().map(|person| person.email.clone()).collect();
        let known = if emails.len() > 1 { self.users.find_by_emails(&emails).await.ok() } else { None };
        let Some(known) = known else { return vec![None; events.len()] };
        let known: HashSet<_> = known.iter().map(|user| &user.email).collect();
        for person in &mut saved {
            *person = person.filter(|person| !known.contains(&person.email));
        }
        saved
    }

    async fn effect(&self, event: &InboundEvent) -> Result<Written<()>, UserRepositoryError> {
        let commit = commit(event, self.clock.now());
        match &event.change {
            InboundChange::PersonSaved(person) => self.save(person, commit).await,
            InboundChange::PersonRemoved(email) => self.remove(email, commit).await,
        }
    }

    async fn save(&self, person: &NewUser, commit: Commit) -> Result<Written<()>, UserRepositoryError> {
        let written = match self.users.find_by_email(&person.email).await? {
            Some(user) => {
                let changes = UserChanges { email: None, name: Some(person.name.clone()) };
                let unchanged = Precondition::OneOf(vec![user.version]);
                self.users.update(user.id, changes, unchanged, commit).await?
            }
            None => self.users.create(person.clone(), commit).await?,
        };
        Ok(written.map(drop))
    }

    async fn remove(&self, email: &Email, commit: Commit) -> Result<Written<()>, UserRepositoryError> {
        match (self.users.find_by_email(email).await?, commit.receipt.clone()) {
            (Some(user), _) => {
                let unchanged = Precondition::OneOf(vec![user.version]);
                Ok(self.users.delete(user.id, unchanged, commit).await?.map(drop))
            }
            (None, Some(receipt)) => self.users.acknowledge(receipt, commit.at).await,
            (None, None) => Ok(Written::Now(())),
        }
    }
}

/// What a store records of an event's effect, beside it.
fn commit(event: &InboundEvent, now: Timestamp) -> Commit {
    Commit::at(now).once(event.receipt(now)).traced(event.trace.clone())
}

#[cfg(test)]
mod tests;
