use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use roster_domain::ports::{UserRepository, UserRepositoryError};
use roster_domain::{
    Commit, Email, NewUser, Page, Precondition, Receipt, Timestamp, User, UserChanges, UserId, UserQuery,
    Written,
};
use tracing::field::Empty;
use tracing::{Instrument, Span, debug_span};

use super::traces::{self, TARGET};

/// A repository each of whose calls is a span, and each of whose writes says in its commit which.
pub(super) struct Traced {
    users: Arc<dyn UserRepository>,
    /// What keeps them, as OpenTelemetry calls it.
    database: &'static str,
}

type Result<T, E = UserRepositoryError> = std::result::Result<T, E>;

/// A call of the store.
macro_rules! step {
    ($self:ident, $name:literal) => {
        debug_span!(
            target: TARGET,
            $name,
            otel.kind = "client",
            otel.status_code = Empty,
            db.system.name = $self.database,
        )
    };
}

impl Traced {
    pub(super) fn new(users: Arc<dyn UserRepository>, database: &'static str) -> Self {
        Self { users, database }
    }
}

/// Waits for a call within its span. That an e-mail is taken or a user not there is no error of the store.
async fn within<T>(span: Span, call: impl Future<Output = Result<T>>) -> Result<T> {
    let outcome = call.instrument(span.clone()).await;
    if let Err(UserRepositoryError::Unavailable(_) | UserRepositoryError::Internal(_)) = &outcome {
        span.record("otel.status_code", "error");
    }
    outcome
}

/// A commit that is part of the span; or of what it was part of, where that is another trace, or the span is not sampled
/// or not wanted.
fn part_of(span: &Span, commit: Commit) -> Commit {
    let Some(here) = span.in_scope(traces::current) else { return commit };
    let is_elsewhere = commit.trace.as_ref().is_some_and(|trace| trace.trace_id() != here.trace_id());
    if is_elsewhere { commit } else { commit.traced(here) }
}

#[async_trait]
impl UserRepository for Traced {
    async fn find(&self, id: UserId) -> Result<Option<User>> {
        within(step!(self, "users.find"), self.users.find(id)).await
    }

    async fn find_by_email(&self, email: &Email) -> Result<Option<User>> {
        within(step!(self, "users.find_by_email"), self.users.find_by_email(email)).await
    }

    async fn find_by_emails(&self, emails: &[Email]) -> Result<Vec<User>> {
        within(step!(self, "users.find_by_emails"), self.users.find_by_emails(emails)).await
    }

    async fn list(&self, query: &UserQuery) -> Result<Page<User>> {
        within(step!(self, "users.list"), self.users.list(query)).await
    }

    async fn create(&self, new: NewUser, commit: Commit) -> Result<Written<User>> {
        let span = step!(self, "users.create");
        let commit = part_of(&span, commit);
        within(span, self.users.create(new, commit)).await
    }

    async fn create_many(&self, new: Vec<(NewUser, Commit)>) -> Result<Vec<Result<Written<User>>>> {
        let span = step!(self, "users.create_many");
        let new = new.into_iter().map(|(new, commit)| (new, part_of(&span, commit))).collect();
        within(span, self.users.create_many(new)).await
    }

    async fn update(
        &self,
        id: UserId,
        changes: UserChanges,
        precondition: Precondition,
        commit: Commit,
    ) -> Result<Written<User>> {
        let span = step!(self, "users.update");
        let commit = part_of(&span, commit);
        within(span, self.users.update(id, changes, precondition, commit)).await
    }

    async fn delete(&self, id: UserId, precondition: Precondition, commit: Commit) -> Result<Written<User>> {
        let span = step!(self, "users.delete");
        let commit = part_of(&span, commit);
        within(span, self.users.delete(id, precondition, commit)).await
    }

    async fn acknowledge(&self, receipt: Receipt, at: Timestamp) -> Result<Written<()>> {
        within(step!(self, "users.acknowledge"), self.users.acknowledge(receipt, at)).await
    }

    fn export(&self) -> BoxStream<'static, Result<Vec<User>>> {
        self.users.export()
    }
}
