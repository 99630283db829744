use std::time::Duration;

use async_trait::async_trait;
use roster_domain::ports::{Directory, DirectoryError, Examination, Finding, HealthCheck, Unhealthy};
use roster_domain::{DirectoryId, DirectoryPerson};

/// Stands where no directory is set: whoever asks is told so, and nothing is wrong with that.
pub(crate) struct NoDirectory;

#[async_trait]
impl Directory for NoDirectory {
    async fn find(&self, _: DirectoryId) -> Result<Option<DirectoryPerson>, DirectoryError> {
        let source = "no directory is set: see --directory-url".into();
        Err(DirectoryError::Unavailable { retry_after: Duration::from_secs(60), source })
    }
}

#[async_trait]
impl HealthCheck for NoDirectory {
    async fn check(&self) -> Result<(), Unhealthy> {
        Ok(())
    }
}

#[async_trait]
impl Examination for NoDirectory {
    async fn examine(&self) -> Vec<Finding> {
        vec![Finding::ok("directory", "none is set: requests for its people are unavailable")]
    }
}
