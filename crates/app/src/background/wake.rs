use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use roster_domain::ports::{UserRepository, UserRepositoryError};
use roster_domain::{
    Commit, Email, NewUser, Page, Precondition, Receipt, Timestamp, User, UserChanges, UserId, UserQuery,
    Written,
};
use tokio::sync::Notify;

/// Wakes whoever waits for events that were committed.
#[derive(Clone, Default)]
pub(super) struct Wake(Arc<Notify>);

impl Wake {
    /// Ends after a commit of this program, at once if there was one since it was last waited for.
    pub(super) async fn committed(&self) {
        self.0.notified().await;
    }
}

/// A repository that wakes somebody after each commit.
pub(super) struct Announcing {
    users: Arc<dyn UserRepository>,
    wake: Wake,
}

impl Announcing {
    pub(super) fn new(users: Arc<dyn UserRepository>, wake: Wake) -> Self {
        Self { users, wake }
    }

    fn announced<T>(&self, outcome: Result<T>) -> Result<T> {
        if outcome.is_ok() {
            self.wake.0.notify_one();
        }
        outcome
    }
}

type Result<T, E = UserRepositoryError> = std::result::Result<T, E>;

#[async_trait]
impl UserRepository for Announcing {
    async fn find(&self, id: UserId) -> Result<Option<User>> {
        self.users.find(id).await
    }

    async fn find_by_email(&self, email: &Email) -> Result<Option<User>> {
        self.users.find_by_email(email).await
    }

    async fn find_by_emails(&self, emails: &[Email]) -> Result<Vec<User>> {
        self.users.find_by_emails(emails).await
    }

    async fn list(&self, query: &UserQuery) -> Result<Page<User>> {
        self.users.list(query).await
    }

    async fn create(&self, new: NewUser, commit: Commit) -> Result<Written<User>> {
        self.announced(self.users.create(new, commit).await)
    }

    async fn create_many(&self, new: Vec<(NewUser, Commit)>) -> Result<Vec<Result<Written<User>>>> {
        self.announced(self.users.create_many(new).await)
    }

    async fn update(
        &self,
        id: UserId,
        changes: UserChanges,
        precondition: Precondition,
        commit: Commit,
    ) -> Result<Written<User>> {
        self.announced(self.users.update(id, changes, precondition, commit).await)
    }

    async fn delete(&self, id: UserId, precondition: Precondition, commit: Commit) -> Result<Written<User>> {
        self.announced(self.users.delete(id, precondition, commit).await)
    }

    async fn acknowledge(&self, receipt: Receipt, at: Timestamp) -> Result<Written<()>> {
        self.users.acknowledge(receipt, at).await
    }

    fn export(&self) -> BoxStream<'static, Result<Vec<User>>> {
        self.users.export()
    }
}
