//! Clients that are as lean as can be, as they share the machine with the service that they ask: few threads, and
//! one request at a time on a connection.

mod connection;
mod outcomes;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::kit::Http;

pub(super) use connection::Asked;
use connection::Connection;
pub(crate) use outcomes::percentile;
use outcomes::{Outcome, Outcomes};

/// On how many threads clients work that ask again and again.
const THREADS: usize = 2;

/// How long a client waits that was not answered.
const A_MOMENT: Duration = Duration::from_millis(10);

/// What clients ask.
pub(crate) trait Work: Send + Sync + 'static {
    /// What a client asks next; `nth` is another number each time, whoever asks.
    fn next(&self, client: usize, nth: usize) -> Asked;
}

/// Has clients ask one service.
#[derive(Clone)]
pub(crate) struct Generator {
    address: String,
    work: Arc<dyn Work>,
    asked: Arc<AtomicUsize>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Generator {
    pub(crate) fn of(http: &Http, work: impl Work) -> Self {
        Self { address: http.address(), work: Arc::new(work), asked: Arc::default(), idle: Arc::default() }
    }

    /// So many clients, each of which asks again when it was answered.
    pub(crate) async fn by(&self, clients: usize, during: Duration) -> Outcomes {
        let threads = clients.min(THREADS);
        let until = Instant::now() + during;
        let mut all = JoinSet::new();
        for thread in 0..threads {
            let generator = self.clone();
            all.spawn_blocking(move || generator.thread((thread..clients).step_by(threads), until));
        }
        all.join_all().await.into_iter().collect()
    }

    /// So many requests a second, whatever becomes of those before: clients know nothing of each other.
    pub(crate) async fn at(&self, rate: f64, during: Duration) -> Outcomes {
        let began = Instant::now();
        let mut asked = 0_u32;
        let mut all = JoinSet::new();
        let mut outcomes = Outcomes::default();
        while began.elapsed() < during {
            loop {
                let due = began + Duration::from_secs_f64(f64::from(asked) / rate);
                if due > Instant::now() {
                    break;
                }
                asked += 1;
                let generator = self.clone();
                all.spawn(async move { generator.ask(due).await });
            }
            while let Some(done) = all.try_join_next() {
                outcomes.extend([done.expect("a client does not fail")]);
            }
            sleep(Duration::from_millis(1)).await;
        }
        outcomes.extend(all.join_all().await);
        outcomes
    }

    /// One request.
    pub(crate) async fn one(&self) -> Outcomes {
        self.ask(Instant::now()).await
    }

    /// What clients do on one thread.
    fn thread(&self, clients: impl Iterator<Item = usize>, until: Instant) -> Outcomes {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime starts").block_on(async {
            let mut all = JoinSet::new();
            for client in clients {
                let generator = self.clone();
                all.spawn(async move { generator.client(client, until).await });
            }
            all.join_all().await.into_iter().collect()
        })
    }

    async fn client(&self, client: usize, until: Instant) -> Outcomes {
        let mut outcomes = Outcomes::default();
        let mut kept = None;
        while Instant::now() < until {
            let asked = self.next(client);
            let outcome = self.exchange(&mut kept, &asked, Instant::now()).await;
            if outcome.is_err() {
                sleep(A_MOMENT).await;
            }
            outcomes.note(outcome);
        }
        outcomes
    }

    /// By a connection that is idle, or else by a new one.
    async fn ask(&self, due: Instant) -> Outcomes {
        let asked = self.next(0);
        let mut kept = self.idle().pop();
        let mut outcomes = Outcomes::default();
        outcomes.note(self.exchange(&mut kept, &asked, due).await);
        self.idle().extend(kept);
        outcomes
    }

    /// By the connection that is kept, or else by a new one, which then is kept.
    async fn exchange(
        &self,
        kept: &mut Option<Connection>,
        asked: &Asked,
        due: Instant,
    ) -> std::io::Result<Outcome> {
        // One that was idle for long may have been closed; then it says nothing.
        if let Some(mut connection) = kept.take()
            && let Ok(outcome) = connection.exchange(asked, due).await
        {
            *kept = Some(connection);
            return Ok(outcome);
        }
        let mut new = Connection::to(&self.address).await?;
        let outcome = new.exchange(asked, due).await?;
        *kept = Some(new);
        Ok(outcome)
    }

    fn next(&self, client: usize) -> Asked {
        self.work.next(client, self.asked.fetch_add(1, Ordering::Relaxed))
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
