use async_trait::async_trait;
use thiserror::Error;

use crate::BoxError;

/// Tells whether something that the program stands on answers.
///
/// # When this port changes
///
/// It stays as it is: whatever there is more to tell of something is an [`Examination`](crate::ports::Examination).
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait HealthCheck: Send + Sync {
    /// Asks it, with a real round trip where it is remote, and waits no longer than a few seconds.
    async fn check(&self) -> Result<(), Unhealthy>;
}

/// It does not answer, or not as it should.
#[derive(Debug, Error)]
#[error("does not answer")]
pub struct Unhealthy(#[source] pub BoxError);
