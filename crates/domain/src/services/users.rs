use std::sync::Arc;

use crate::ports::{Clock, UserRepository, UserRepositoryError};
use crate::{
    BusinessRule, Commit, DomainError, NewUser, Page, Precondition, Receipt, User, UserChanges, UserId,
    UserQuery, Written,
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

    /// Adds a user; once, where a receipt is given, however often it is asked.
    pub async fn create(&self, new: NewUser, receipt: Option<Receipt>) -> Result<Written<User>, DomainError> {
        Ok(self.users.create(new, self.commit().once(receipt)).await?)
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
            UserRepositoryError::ReceiptReused => Self::ReceiptReused,
            UserRepositoryError::ReceiptInProgress => Self::ReceiptInProgress,
            UserRepositoryError::Unavailable(source) => Self::Unavailable(source),
            UserRepositoryError::Internal(source) => Self::Internal(source),
        }
    }
}
