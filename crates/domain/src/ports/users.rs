use std::sync::Arc;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use thiserror::Error;

use crate::{
    BoxError, Commit, Email, NewUser, Page, Precondition, Receipt, Timestamp, User, UserChanges, UserId,
    UserQuery, Version, Written,
};

/// Keeps users.
///
/// # What every write promises
///
/// A write is one transaction: the change, its [`Event`](crate::Event) and, where one is given, its
/// [`Receipt`] take effect together or not at all, even when the future that asked for it is dropped
/// at any await. A dropped write may still take effect; no later call is any worse for it.
///
/// A unique constraint decides whether an e-mail is taken: of two writes at once, one wins.
///
/// A receipt that is kept already, and has not expired, turns a write into
/// [`Written::Before`] with the first outcome, or into [`UserRepositoryError::ReceiptReused`] where its
/// fingerprint is another, or into [`UserRepositoryError::AlreadyAcknowledged`] where it was kept for
/// something that changed no user. A write that fails keeps no receipt.
///
/// # When this port changes
///
/// Whatever a write comes to record arrives in [`Commit`], and a new thing to change in [`UserChanges`]: both go
/// through [`User`] and [`Event`](crate::Event), which a store writes and reads field by field, so that a store
/// that lacks a column does not compile. A new filter arrives in [`UserFilter`](crate::UserFilter); a store that
/// does not know it lists too much, and fails the contract,
/// `repository_contract!`. A store never meets an error of this port as an input,
/// so that new ones are no matter to it.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait UserRepository: Send + Sync {
    /// The user with this id.
    async fn find(&self, id: UserId) -> Result<Option<User>, UserRepositoryError>;

    /// The user with this e-mail.
    async fn find_by_email(&self, email: &Email) -> Result<Option<User>, UserRepositoryError>;

    /// Those users that have one of these e-mails, in the order of ids: in one round trip, for some hundreds.
    async fn find_by_emails(&self, emails: &[Email]) -> Result<Vec<User>, UserRepositoryError>;

    /// One page of the users that a query asks for, with how far the feed of events was at that time.
    async fn list(&self, query: &UserQuery) -> Result<Page<User>, UserRepositoryError>;

    /// Adds a user, under an id that no user ever had, and records that it was created.
    ///
    /// # Errors
    ///
    /// [`EmailTaken`](UserRepositoryError::EmailTaken), and those of receipts.
    async fn create(&self, new: NewUser, commit: Commit) -> Result<Written<User>, UserRepositoryError>;

    /// Does as [`create`](Self::create) with each of many, in their order, and tells the outcome of each,
    /// in their order. Several may share a transaction; one that fails does not hold up the others. Where
    /// an e-mail stands twice, the first gets it.
    ///
    /// # Errors
    ///
    /// Only what failed them all: then none of those that share the failed transaction took effect.
    async fn create_many(
        &self,
        new: Vec<(NewUser, Commit)>,
    ) -> Result<Vec<Result<Written<User>, UserRepositoryError>>, UserRepositoryError>;

    /// Changes a user as [`User::changed`] says, and records that it was updated. Where nothing changes,
    /// nothing but the receipt is recorded, and the user comes back as it was.
    ///
    /// # Errors
    ///
    /// Judged in this order: [`NotFound`](UserRepositoryError::NotFound),
    /// [`PreconditionFailed`](UserRepositoryError::PreconditionFailed),
    /// [`EmailTaken`](UserRepositoryError::EmailTaken); and those of receipts, before all of them.
    async fn update(
        &self,
        id: UserId,
        changes: UserChanges,
        precondition: Precondition,
        commit: Commit,
    ) -> Result<Written<User>, UserRepositoryError>;

    /// Removes a user, records that it was deleted, and brings back the last that was known of it.
    ///
    /// # Errors
    ///
    /// Judged in this order: [`NotFound`](UserRepositoryError::NotFound),
    /// [`PreconditionFailed`](UserRepositoryError::PreconditionFailed); and those of receipts, before both.
    async fn delete(
        &self,
        id: UserId,
        precondition: Precondition,
        commit: Commit,
    ) -> Result<Written<User>, UserRepositoryError>;

    /// Keeps a receipt of something that changed no user, so that a repeat does not either.
    ///
    /// # Errors
    ///
    /// Those of receipts.
    async fn acknowledge(&self, receipt: Receipt, at: Timestamp) -> Result<Written<()>, UserRepositoryError>;

    /// All users in the order of their ids, in batches, from one snapshot: as they were when the first
    /// batch was asked for. Holds up no writer. The stream ends after its first error; one that ends without any was
    /// whole.
    ///
    /// The snapshot is held for as long as the stream is read, at some cost to the store. One whose receiver takes
    /// minutes for a batch may end with [`Unavailable`](UserRepositoryError::Unavailable): who has much to do for each
    /// user collects them first, or pages through a [`list`](Self::list).
    fn export(&self) -> BoxStream<'static, Result<Vec<User>, UserRepositoryError>>;
}

impl Precondition {
    /// The user that a store found under this id, if it is there and may be changed as it is.
    ///
    /// # Errors
    ///
    /// [`NotFound`](UserRepositoryError::NotFound), or
    /// [`PreconditionFailed`](UserRepositoryError::PreconditionFailed).
    pub fn judge(&self, id: UserId, found: Option<User>) -> Result<User, UserRepositoryError> {
        let user = found.ok_or(UserRepositoryError::NotFound(id))?;
        let current = user.version;
        if self.allows(current) { Ok(user) } else { Err(UserRepositoryError::PreconditionFailed { current }) }
    }
}

/// Why a repository did not do what it was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum UserRepositoryError {
    /// Another user has this e-mail.
    #[error("the e-mail is taken")]
    EmailTaken,
    /// There is no user with this id.
    #[error("there is no user {0}")]
    NotFound(UserId),
    /// The user has another version than the precondition allows.
    #[error("the user is at version {current}")]
    PreconditionFailed {
        /// The version that it has.
        current: Version,
    },
    /// The receipt is kept already, with another fingerprint.
    #[error("the receipt was given for something else")]
    ReceiptReused,
    /// The receipt is kept already, for something that changed no user.
    #[error("the receipt was given, and changed no user")]
    AlreadyAcknowledged,
    /// The receipt was given to a write that is still under way, and did not end in time.
    #[error("the receipt is being written")]
    ReceiptInProgress,
    /// The store does not answer, or has no room for more work; it may later.
    #[error("the user store does not answer")]
    Unavailable(#[source] BoxError),
    /// Anything else: what is stored breaks today's rules, or a query is wrong.
    #[error("the user store failed")]
    Internal(#[source] BoxError),
}

impl UserRepositoryError {
    /// The failure of several writes at once, for each of so many.
    pub fn repeated(self, times: usize) -> impl Iterator<Item = Self> {
        let is_passing = matches!(self, Self::Unavailable(_));
        let shared = Arc::new(self);
        std::iter::repeat_with(move || {
            let source = Box::new(Arc::clone(&shared));
            if is_passing { Self::Unavailable(source) } else { Self::Internal(source) }
        })
        .take(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain;

    #[test]
    fn each_of_several_fails_as_all_did() {
        let away = UserRepositoryError::Unavailable("nobody answers".into());
        let broken = UserRepositoryError::Internal("it is broken".into());
        for (failure, cause, is_passing) in [(away, "nobody answers", true), (broken, "it is broken", false)]
        {
            let failed: Vec<_> = failure.repeated(3).collect();
            assert_eq!(failed.len(), 3);
            for one in failed {
                assert_eq!(matches!(one, UserRepositoryError::Unavailable(_)), is_passing);
                assert!(chain(&one).ends_with(cause), "{}", chain(&one));
            }
        }
    }
}
