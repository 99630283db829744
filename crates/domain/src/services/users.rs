use std::sync::Arc;

use futures_core::stream::BoxStream;

use crate::ports::{Clock, UserRepository, UserRepositoryError};
use crate::{
    BusinessRule, Commit, DomainError, NewUser, Page, Precondition, RepeatableRequest, User, UserChanges,
    UserId, UserQuery, Written,
};

/// What can be done with users.
#[derive(Clone)]
pub struct UserService {
    users: Arc<dyn UserRepository>,
    clock: Arc<dyn Clock>,
}

impl UserService {
    /// A service on these ports.
    pub fn new(users: Arc<dyn UserRepository>, clock: Arc<dyn Clock>) -> Self {
        Self { users, clock }
    }

    /// Adds a user; once, where the request may be repeated, however often it is. What ends in an error may
    /// be asked again with the same key, or something else with it.
    pub async fn create(
        &self,
        new: NewUser,
        request: Option<RepeatableRequest>,
    ) -> Result<Written<User>, DomainError> {
        let commit = self.commit();
        let receipt = request.map(|request| request.receipt(commit.at));
        Ok(self.users.create(new, commit.once(receipt)).await?)
    }

    /// The user with this id.
    pub async fn get(&self, id: UserId) -> Result<User, DomainError> {
        let user = self.users.find(id).await?;
        user.ok_or_else(|| DomainError::user_not_found(id.get()))
    }

    /// One page of the users that a query asks for.
    pub async fn list(&self, query: &UserQuery) -> Result<Page<User>, DomainError> {
        Ok(self.users.list(query).await?)
    }

    /// Changes a user, if it is at a version that the precondition allows. What changes nothing leaves
    /// the user at the version that it has, and tells nobody.
    pub async fn update(
        &self,
        id: UserId,
        changes: UserChanges,
        precondition: Precondition,
    ) -> Result<User, DomainError> {
        let written = self.users.update(id, changes, precondition, self.commit());
        Ok(written.await?.into_inner())
    }

    /// Removes a user, if it is at a version that the precondition allows.
    pub async fn delete(&self, id: UserId, precondition: Precondition) -> Result<(), DomainError> {
        self.users.delete(id, precondition, self.commit()).await?;
        Ok(())
    }

    /// All users in the order of their ids, in batches, from one snapshot that holds up no writer. The stream
    /// ends after its first error.
    pub fn export(&self) -> BoxStream<'static, Result<Vec<User>, UserRepositoryError>> {
        self.users.export()
    }

    fn commit(&self) -> Commit {
        Commit::at(self.clock.now())
    }
}

impl From<UserRepositoryError> for DomainError {
    fn from(error: UserRepositoryError) -> Self {
        match error {
            UserRepositoryError::EmailTaken => BusinessRule::EmailTaken.into(),
            UserRepositoryError::NotFound(id) => Self::user_not_found(id.get()),
            UserRepositoryError::PreconditionFailed { current } => Self::PreconditionFailed { current },
            UserRepositoryError::ReceiptReused | UserRepositoryError::AlreadyAcknowledged => {
                Self::ReceiptReused
            }
            UserRepositoryError::ReceiptInProgress => Self::ReceiptInProgress,
            UserRepositoryError::Unavailable(source) => Self::unavailable(source),
            UserRepositoryError::Internal(source) => Self::Internal(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_executor::block_on;
    use mockall::predicate::{always, eq};

    use super::*;
    use crate::ports::MockUserRepository;
    use crate::testing::{InMemory, ManualClock};
    use crate::{Email, IdempotencyKey, Name, Receipt, Timestamp, Version};

    fn now() -> Timestamp {
        Timestamp::from_micros(1_767_225_600_000_001).unwrap()
    }

    fn service(users: MockUserRepository) -> UserService {
        UserService::new(Arc::new(users), Arc::new(ManualClock::at(now())))
    }

    fn ada() -> NewUser {
        NewUser { email: Email::parse("ada@example.org").unwrap(), name: Name::parse("Ada").unwrap() }
    }

    fn id() -> UserId {
        UserId::new(7).unwrap()
    }

    fn request() -> RepeatableRequest {
        let key = IdempotencyKey::parse("b").unwrap();
        RepeatableRequest { scope: "a".into(), key, fingerprint: [1; 32] }
    }

    #[test]
    fn a_create_is_made_at_the_time_of_the_clock_and_with_a_receipt_where_it_may_be_repeated() {
        let day = now().plus(Duration::from_secs(24 * 60 * 60));
        let (scope, key, fingerprint) = ("request a".into(), "b".into(), [1; 32]);
        let receipt = Receipt { scope, key, fingerprint, expires_at: day };
        for (request, receipt) in [(None, None), (Some(request()), Some(receipt))] {
            let created = User::created(id(), ada(), now());
            let (commit, outcome) = (Commit::at(now()).once(receipt), created.clone());
            let mut users = MockUserRepository::new();
            users.expect_create().with(eq(ada()), eq(commit)).return_once(|_, _| Ok(Written::Now(outcome)));

            let written = block_on(service(users).create(ada(), request)).unwrap();

            assert_eq!(written, Written::Now(created));
        }
    }

    #[test]
    fn a_repeat_brings_back_the_first_outcome_for_a_day_and_then_the_key_is_free() {
        let clock = Arc::new(ManualClock::at(now()));
        let service = UserService::new(Arc::new(InMemory::default()), clock.clone());
        let create = |new: NewUser| block_on(service.create(new, Some(request())));
        let first = create(ada()).unwrap().into_inner();

        clock.set(now().plus(Duration::from_secs(24 * 60 * 60 - 1)));
        assert_eq!(create(ada()).unwrap(), Written::Before(first.clone()));

        clock.set(now().plus(Duration::from_secs(24 * 60 * 60)));
        assert!(matches!(create(ada()), Err(DomainError::BusinessRule(_))), "it is a request like any other");
        let bob = NewUser { email: Email::parse("bob@example.org").unwrap(), ..ada() };
        let second = create(bob.clone()).unwrap();
        assert!(matches!(&second, Written::Now(user) if user.id != first.id), "{second:?}");
        assert_eq!(create(bob).unwrap(), Written::Before(second.into_inner()));
    }

    #[test]
    fn a_user_who_is_not_there_is_not_found() {
        let mut users = MockUserRepository::new();
        users.expect_find().with(eq(id())).return_once(|_| Ok(None));

        let error = block_on(service(users).get(id())).unwrap_err();

        assert!(matches!(error, DomainError::NotFound { entity: "User", id: 7 }), "{error:?}");
        assert_eq!(error.to_string(), "User 7 not found");
    }

    #[test]
    fn changes_and_precondition_reach_the_repository_as_they_are() {
        let precondition = Precondition::OneOf(vec![Version::FIRST]);
        let changes = UserChanges { name: Some(Name::parse("Ada King").unwrap()), email: None };
        let before = User::created(id(), ada(), now());
        let after = before.changed(&changes, now()).unwrap();
        let (outcome, last) = (after.clone(), after.clone());
        let mut users = MockUserRepository::new();
        users
            .expect_update()
            .with(eq(id()), eq(changes.clone()), eq(precondition.clone()), eq(Commit::at(now())))
            .return_once(|_, _, _, _| Ok(Written::Now(outcome)));
        users
            .expect_delete()
            .with(eq(id()), eq(precondition.clone()), eq(Commit::at(now())))
            .return_once(|_, _, _| Ok(Written::Now(last)));
        let service = service(users);

        assert_eq!(block_on(service.update(id(), changes, precondition.clone())).unwrap(), after);
        block_on(service.delete(id(), precondition)).unwrap();
    }

    #[test]
    fn each_error_of_the_repository_is_the_one_of_the_domain() {
        let current = Version::FIRST;
        for (error, expected) in [
            (UserRepositoryError::EmailTaken, "Email already exists"),
            (UserRepositoryError::NotFound(id()), "User 7 not found"),
            (
                UserRepositoryError::PreconditionFailed { current },
                "User is at version 1, which does not fit the request",
            ),
            (UserRepositoryError::ReceiptReused, "Idempotency-Key was used for another request"),
            (UserRepositoryError::AlreadyAcknowledged, "Idempotency-Key was used for another request"),
            (
                UserRepositoryError::ReceiptInProgress,
                "A request with this Idempotency-Key is still in progress",
            ),
            (UserRepositoryError::Unavailable("gone".into()), "unavailable"),
            (UserRepositoryError::Internal("odd".into()), "internal error"),
        ] {
            let mut users = MockUserRepository::new();
            users.expect_create().with(always(), always()).return_once(|_, _| Err(error));
            let error = block_on(service(users).create(ada(), None)).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }
}
