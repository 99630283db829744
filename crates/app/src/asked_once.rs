//! What many may want to know at a moment, and is asked once for all of them.

use std::sync::Arc;

use async_trait::async_trait;
use roster_domain::chain;
use roster_domain::ports::{HealthCheck, Unhealthy};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Whether something is well. Who asks while another does waits for the same answer, and takes no place of others.
pub(crate) struct AskedOnce {
    of: Arc<dyn HealthCheck>,
    last: Mutex<Option<(Instant, Result<(), String>)>>,
}

impl AskedOnce {
    pub(crate) fn of(of: Arc<dyn HealthCheck>) -> Self {
        Self { of, last: Mutex::default() }
    }
}

#[async_trait]
impl HealthCheck for AskedOnce {
    async fn check(&self) -> Result<(), Unhealthy> {
        let asked = Instant::now();
        let mut last = self.last.lock().await;
        let known = last.take().filter(|(at, _)| *at > asked);
        let (at, told) = if let Some(known) = known {
            known
        } else {
            let told = self.of.check().await.map_err(|Unhealthy(why)| chain(&*why));
            (Instant::now(), told)
        };
        *last = Some((at, told.clone()));
        told.map_err(|why| Unhealthy(why.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use futures_util::future::join_all;
    use tokio::time::sleep;

    use super::*;

    /// Away the first time that it is asked.
    #[derive(Default)]
    struct Slow(AtomicUsize);

    #[async_trait]
    impl HealthCheck for Slow {
        async fn check(&self) -> Result<(), Unhealthy> {
            sleep(Duration::from_secs(1)).await;
            let nth = self.0.fetch_add(1, Ordering::Relaxed);
            if nth == 0 { Err(Unhealthy("it is away".into())) } else { Ok(()) }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_ask_at_once_hear_the_same() {
        let slow = Arc::new(Slow::default());
        let once = AskedOnce::of(slow.clone());

        let told = join_all((0..100).map(|_| once.check())).await;
        assert!(told.iter().all(|told| told.as_ref().is_err_and(|why| chain(why).contains("it is away"))));
        assert!(once.check().await.is_ok(), "who asks later hears how it is then");
        assert_eq!(slow.0.load(Ordering::Relaxed), 2);
    }
}
