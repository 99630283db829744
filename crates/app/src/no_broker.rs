use async_trait::async_trait;
use futures_util::future::BoxFuture;
use roster_domain::ports::{EventSource, Examination, Finding, HealthCheck, Unhealthy};
use roster_domain::services::InboundService;

/// Stands where no broker is set: events go to the feed alone, and nothing is wrong with that.
pub(crate) struct NoBroker;

#[async_trait]
impl EventSource for NoBroker {
    async fn run(&self, _: InboundService, stop: BoxFuture<'static, ()>) {
        stop.await;
    }
}

#[async_trait]
impl HealthCheck for NoBroker {
    async fn check(&self) -> Result<(), Unhealthy> {
        Ok(())
    }
}

#[async_trait]
impl Examination for NoBroker {
    async fn examine(&self) -> Vec<Finding> {
        vec![Finding::ok("broker", "none is set: events go to the feed alone")]
    }
}
