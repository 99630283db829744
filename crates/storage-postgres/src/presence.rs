//! Which servers let anybody in.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

/// How long it is taken to be as it was when it was tried: long enough for all who have connections that say nothing.
const FRESH: Duration = Duration::from_secs(1);

/// What was tried of late. A clone is the same.
#[derive(Clone, Default)]
pub(crate) struct Presence(Arc<Mutex<HashMap<String, Tried>>>);

struct Tried {
    at: Instant,
    lets_in: bool,
}

impl Presence {
    /// Whether this server lets anybody in, by one attempt at a time.
    pub(crate) async fn of(&self, server: String, attempt: impl Future<Output = bool>) -> bool {
        let mut tried = self.0.lock().await;
        if let Some(last) = tried.get(&server)
            && last.at.elapsed() < FRESH
        {
            return last.lets_in;
        }
        let lets_in = attempt.await;
        tried.insert(server, Tried { at: Instant::now(), lets_in });
        lets_in
    }
}
