use async_trait::async_trait;
use futures_core::future::BoxFuture;

use crate::services::InboundService;

/// Brings events of others.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait EventSource: Send + Sync {
    /// Hands each event to `inbound`, those of one subject in their order, until `stop` ends; then it finishes
    /// the one under way. An event is acknowledged after it took effect. While one fails for a passing cause,
    /// nothing behind it is handed on; one that can never succeed is put among the dead letters.
    ///
    /// It may be dropped at any moment: what was not acknowledged comes again.
    async fn run(&self, inbound: InboundService, stop: BoxFuture<'static, ()>);
}
