//! How long a request may take: its body to come in, and, from then on, what is done about it.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::http::problem::error::ApiError;

/// How long requests may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadlines {
    /// For a body to come in.
    pub body: Duration,
    /// For whatever is done without waiting for the client.
    pub answer: Duration,
}

/// What one request waits for, and until when.
#[derive(Clone)]
pub(in crate::http) struct Clock {
    deadlines: Deadlines,
    phase: Rc<Cell<Phase>>,
}

#[derive(Clone, Copy)]
enum Phase {
    Receiving { until: Instant },
    Answering { until: Instant },
}

impl Phase {
    fn until(self) -> Instant {
        match self {
            Self::Receiving { until } | Self::Answering { until } => until,
        }
    }

    fn late(self) -> ApiError {
        match self {
            Self::Receiving { .. } => ApiError::BodyTimedOut,
            Self::Answering { .. } => ApiError::DeadlineExceeded,
        }
    }
}

impl Deadlines {
    /// Begins to count for a request whose head is there.
    pub(super) fn begin(self) -> Clock {
        let until = Instant::now() + self.answer;
        Clock { deadlines: self, phase: Rc::new(Cell::new(Phase::Answering { until })) }
    }
}

impl Clock {
    /// Does something for the request for as long as it may take.
    pub(in crate::http) async fn within<F: Future>(&self, work: F) -> Result<F::Output, ApiError> {
        let mut work = pin!(work);
        loop {
            let until = self.phase.get().until();
            let in_this_phase = poll_fn(|cx| match work.as_mut().poll(cx) {
                Poll::Pending if self.phase.get().until() < until => Poll::Ready(None),
                polled => polled.map(Some),
            });
            match timeout_at(until, in_this_phase).await {
                Ok(Some(done)) => return Ok(done),
                // The request is in another phase by now, and so has other time.
                Ok(None) => {}
                Err(_) if self.phase.get().until() > until => {}
                Err(_) => return Err(self.phase.get().late()),
            }
        }
    }

    /// How long a body may take.
    pub(super) fn body(&self) -> Duration {
        self.deadlines.body
    }

    /// Waits for the client.
    pub(super) async fn receiving<F: Future>(&self, limit: Duration, body: F) -> F::Output {
        self.phase.set(Phase::Receiving { until: Instant::now() + limit });
        let body = body.await;
        self.phase.set(Phase::Answering { until: Instant::now() + self.deadlines.answer });
        body
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{sleep, timeout};

    use super::*;

    const DEADLINES: Deadlines =
        Deadlines { body: Duration::from_millis(400), answer: Duration::from_millis(100) };

    #[actix_web::test]
    async fn what_takes_longer_than_it_may_is_given_up() {
        let late = DEADLINES.begin().within(sleep(Duration::from_secs(60))).await;
        assert!(matches!(late, Err(ApiError::DeadlineExceeded)), "{late:?}");
    }

    #[actix_web::test]
    async fn a_body_has_time_of_its_own_and_what_follows_has_all_of_its_own() {
        let clock = DEADLINES.begin();
        let done = clock.within(async {
            clock.receiving(DEADLINES.body, sleep(Duration::from_millis(200))).await;
            sleep(Duration::from_millis(20)).await;
        });
        assert!(done.await.is_ok());

        let clock = DEADLINES.begin();
        let late = clock.within(clock.receiving(DEADLINES.body, sleep(Duration::from_secs(60)))).await;
        assert!(matches!(late, Err(ApiError::BodyTimedOut)), "{late:?}");

        // Seen to fail where a body had the time of an answer, where that is longer.
        let minutes = Duration::from_secs(60);
        let clock = Deadlines { answer: minutes, ..DEADLINES }.begin();
        let late = timeout(minutes / 2, clock.within(clock.receiving(DEADLINES.body, sleep(minutes)))).await;
        assert!(matches!(late, Ok(Err(ApiError::BodyTimedOut))), "{late:?}");

        let clock = DEADLINES.begin();
        let late = clock.within(async {
            clock.receiving(DEADLINES.body, async {}).await;
            sleep(Duration::from_secs(60)).await;
        });
        let late = late.await;
        assert!(matches!(late, Err(ApiError::DeadlineExceeded)), "{late:?}");
    }
}
