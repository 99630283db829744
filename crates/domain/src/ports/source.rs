use async_trait::async_trait;
use futures_core::future::BoxFuture;

use crate::services::InboundService;

/// Brings events of others.
///
/// # When this port changes
///
/// What a source brings is parsed by the domain ([`InboundEvent`](crate::InboundEvent)), so that a new kind of
/// event needs nothing of a source. What `run` is handed may grow, which is a breaking release.
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
