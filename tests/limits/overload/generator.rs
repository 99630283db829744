//! Clients that create users, as lean as can be: they share the machine with the service.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::kit::{Http, creation};

/// What became of requests, and how long it took.
#[derive(Default)]
pub(super) struct Outcomes {
    /// Answered with 201.
    pub(super) done: Vec<Duration>,
    /// How many of them before the load was over.
    in_time: u32,
    /// Answered with 503.
    pub(super) refused: Vec<Duration>,
    /// Anything else.
    pub(super) failed: Vec<String>,
}

impl Outcomes {
    /// How many requests were done in a second of the load.
    pub(super) fn rate(&self, during: Duration) -> f64 {
        f64::from(self.in_time) / during.as_secs_f64()
    }

    fn note(&mut self, outcome: Result<u16, std::io::Error>, took: Duration, is_in_time: bool) {
        match outcome {
            Ok(201) => {
                self.done.push(took);
                self.in_time += u32::from(is_in_time);
            }
            Ok(503) => self.refused.push(took),
            Ok(other) => self.failed.push(other.to_string()),
            Err(error) => self.failed.push(error.to_string()),
        }
    }
}

/// How many requests are under way at once: more, with those to another service beside, than a process may commonly
/// have open, a request waits for its socket, and its time counts.
const SOCKETS: usize = 4_000;

/// Makes requests of one service.
#[derive(Clone)]
pub(super) struct Generator {
    address: String,
    /// How many requests the service does at once.
    pub(super) places: usize,
    users: Arc<AtomicUsize>,
    idle: Arc<Mutex<Vec<TcpStream>>>,
    sockets: Arc<Semaphore>,
    outcomes: Arc<Mutex<Outcomes>>,
}

impl Generator {
    pub(super) fn of(http: &Http, places: usize) -> Self {
        let address = http.address();
        let sockets = Arc::new(Semaphore::new(SOCKETS));
        Self {
            address,
            places,
            users: Arc::default(),
            idle: Arc::default(),
            sockets,
            outcomes: Arc::default(),
        }
    }

    /// So many clients, each of which asks again when it was answered.
    pub(super) async fn by(&self, clients: usize, during: Duration) -> Outcomes {
        let until = Instant::now() + during;
        let mut all = JoinSet::new();
        for _ in 0..clients {
            let generator = self.clone();
            all.spawn(async move {
                while Instant::now() < until {
                    generator.ask(Instant::now(), until).await;
                }
            });
        }
        all.join_all().await;
        self.outcomes()
    }

    /// So many requests a second, whatever becomes of those before: clients know nothing of each other.
    pub(super) async fn at(&self, rate: f64, during: Duration) -> Outcomes {
        let began = Instant::now();
        let mut asked = 0_u32;
        let mut all = JoinSet::new();
        while began.elapsed() < during {
            loop {
                let due = began + Duration::from_secs_f64(f64::from(asked) / rate);
                if due > Instant::now() {
                    break;
                }
                asked += 1;
                let generator = self.clone();
                all.spawn(async move { generator.ask(due, began + during).await });
            }
            while all.try_join_next().is_some() {}
            sleep(Duration::from_millis(1)).await;
        }
        all.join_all().await;
        self.outcomes()
    }

    /// One request, which is done.
    pub(super) async fn one(&self) {
        self.ask(Instant::now(), Instant::now()).await;
        assert_eq!(self.outcomes().done.len(), 1, "the service has recovered");
    }

    async fn ask(&self, due: Instant, until: Instant) {
        let _socket = self.sockets.acquire().await.expect("it is never closed");
        let outcome = self.create().await;
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).note(
            outcome,
            due.elapsed(),
            Instant::now() <= until,
        );
    }

    async fn create(&self) -> std::io::Result<u16> {
        let nth = self.users.fetch_add(1, Ordering::Relaxed);
        let (head, body) = creation("", &format!("user{nth}"));
        let request = head + &body;
        let kept = self.idle().pop();
        if let Some(mut kept) = kept {
            // One that was idle for long may have been closed; then it says nothing.
            if let Ok(status) = exchange(&mut kept, &request).await {
                self.idle().push(kept);
                return Ok(status);
            }
        }
        let mut new = TcpStream::connect(&self.address).await?;
        new.set_nodelay(true)?;
        let status = exchange(&mut new, &request).await?;
        self.idle().push(new);
        Ok(status)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outcomes(&self) -> Outcomes {
        std::mem::take(&mut *self.outcomes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Sends a request, reads the answer to its end, and tells its status.
async fn exchange(stream: &mut TcpStream, request: &str) -> std::io::Result<u16> {
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::with_capacity(2_048);
    loop {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or_default();
        if body.len() >= length {
            return Ok(head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default());
        }
    }
}
