use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use metrics::counter;
use roster_domain::ports::{Directory, DirectoryError, HealthCheck, Unhealthy};
use roster_domain::{BoxError, DirectoryId, DirectoryPerson};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::Span;

use crate::attempt::{AttemptError, attempt};
use crate::breaker::{Breaker, Circuit};
use crate::config::DirectoryConfig;
use crate::measured::{Call, measure};
use crate::retry::{pause_after, pauses};
use crate::transport::{HttpSend, client};

/// The directory, asked over HTTP.
pub struct HttpDirectory {
    config: DirectoryConfig,
    transport: Arc<dyn HttpSend>,
    breaker: Breaker,
    calls: Semaphore,
}

type Found = Result<Option<DirectoryPerson>, DirectoryError>;

impl HttpDirectory {
    /// The directory that `config` describes. No connection is made before the first call.
    ///
    /// # Errors
    ///
    /// Where no HTTP client can be had.
    pub fn new(config: DirectoryConfig) -> Result<Self, BoxError> {
        let client = client(&config)?;
        Ok(Self::over(Arc::new(client), config))
    }

    /// The same, over a transport of the caller's.
    pub fn over(transport: Arc<dyn HttpSend>, config: DirectoryConfig) -> Self {
        let (breaker, calls) =
            (Breaker::new(config.open_for), Semaphore::new(config.max_calls.min(Semaphore::MAX_PERMITS)));
        Self { config, transport, breaker, calls }
    }

    /// Measures the state of the breaker, which changes by itself as time goes by.
    pub fn measure(&self) {
        measure(&self.breaker);
    }

    /// Makes a call, if the limit of calls at once and the breaker let it through.
    async fn guarded(&self, id: DirectoryId) -> Found {
        let Ok(_place) = self.calls.try_acquire() else {
            let source = format!("{} calls are under way already", self.config.max_calls);
            return Err(DirectoryError::Unavailable {
                retry_after: Duration::from_secs(1),
                source: source.into(),
            });
        };
        let permit = self.breaker.enter().map_err(|refused| DirectoryError::Unavailable {
            retry_after: refused.retry_after,
            source: "the circuit is open: the directory failed too often of late".into(),
        })?;
        let found = self.within_budget(id).await;
        permit.ended(found.as_ref().is_err_and(AttemptError::is_of_directory));
        found.map_err(failure)
    }

    /// Tries until there is an answer, or no use, or no time.
    async fn within_budget(&self, id: DirectoryId) -> Result<Option<DirectoryPerson>, AttemptError> {
        let deadline = Instant::now() + self.config.budget;
        let mut pauses = pauses(&self.config);
        for attempts in 1.. {
            Span::current().record("attempts", attempts);
            counter!("roster_directory_attempts_total").increment(1);
            let once = timeout_at(deadline, attempt(&*self.transport, &self.config, id)).await;
            let error = match once.unwrap_or(Err(AttemptError::TimedOut)) {
                Ok(found) => return Ok(found),
                Err(error) => error,
            };
            let pause = pauses.next().and_then(|pause| pause_after(&error, pause));
            let left = deadline.saturating_duration_since(Instant::now());
            match pause.filter(|pause| *pause < left) {
                Some(pause) => sleep(pause).await,
                None => return Err(error),
            }
        }
        Err(AttemptError::NoRequest("there was no attempt".into()))
    }
}

fn failure(error: AttemptError) -> DirectoryError {
    match error {
        AttemptError::TimedOut => DirectoryError::TimedOut(error.into()),
        _ => DirectoryError::Failed(error.into()),
    }
}

#[async_trait]
impl Directory for HttpDirectory {
    async fn find(&self, id: DirectoryId) -> Found {
        let mut call = Call::begin(&self.breaker, id);
        let found = call.within(self.guarded(id)).await;
        call.ended(outcome(&found), found.is_err());
        found
    }
}

#[async_trait]
impl HealthCheck for HttpDirectory {
    /// By the breaker: the directory itself is not asked.
    async fn check(&self) -> Result<(), Unhealthy> {
        match self.breaker.circuit() {
            Circuit::Closed => Ok(()),
            other => Err(Unhealthy(format!("the circuit is {}", other.name()).into())),
        }
    }
}

fn outcome(found: &Found) -> &'static str {
    match found {
        Ok(Some(_)) => "found",
        Ok(None) => "not_found",
        Err(DirectoryError::Unavailable { .. }) => "not_asked",
        Err(DirectoryError::TimedOut(_)) => "timed_out",
        Err(_) => "failed",
    }
}
