//! What drives a connection: until whoever has it lets go of it, or its server hangs.
//!
//! A server that hangs, or a proxy before it, may still acknowledge what it is sent. Then its own time-out ends nothing,
//! and the socket finds nothing wrong.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use diesel::connection::{Instrumentation, InstrumentationEvent};
use futures_util::future::{ready, select};
use futures_util::{TryStreamExt, stream};
use metrics::counter;
use tokio::time::sleep;
use tokio_postgres::tls::TlsStream;
use tokio_postgres::{Connection, Socket};

/// How often it is looked whether the server says nothing, and whether anybody still has the connection.
const LOOK: Duration = Duration::from_millis(500);

/// Whoever has a connection that is driven, which ends with this. Diesel tells it of each statement.
pub(crate) struct Owner(Arc<Mutex<Asked>>);

/// Since when an answer is waited for, if one is. What comes after its beginning is not waited for here.
type Asked = Option<Instant>;

impl Instrumentation for Owner {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        let asked = match event {
            InstrumentationEvent::StartQuery { .. } => Some(Instant::now()),
            InstrumentationEvent::FinishQuery { .. } => None,
            _ => return,
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = asked;
    }
}

/// Drives a connection, on this runtime, for as long as the owner is there. Where its server says nothing for `silence`,
/// it is asked whether it `lets_in` anybody: one that does may take its time, as for a commit that a standby is to
/// acknowledge, and one that does not has hung.
pub(crate) fn drive<T, F>(
    mut connection: Connection<Socket, T>,
    silence: Option<Duration>,
    lets_in: impl Fn() -> F + Send + 'static,
) -> Owner
where
    T: TlsStream + Unpin + Send + 'static,
    F: Future<Output = bool> + Send,
{
    let owner = Owner(Arc::default());
    let watched = Arc::downgrade(&owner.0);
    // What a server has to say beside its answers is told to nobody; nor is how it ended, but to whoever asks next.
    let messages = stream::poll_fn(move |cx| connection.poll_message(cx));
    let driven = messages.try_for_each(|_notice| ready(Ok(())));
    tokio::spawn(async move { drop(select(driven, pin!(is_over(watched, silence, lets_in))).await) });
    owner
}

async fn is_over<F: Future<Output = bool>>(
    owner: Weak<Mutex<Asked>>,
    silence: Option<Duration>,
    lets_in: impl Fn() -> F,
) {
    let asked = || owner.upgrade().map(|asked| *asked.lock().unwrap_or_else(PoisonError::into_inner));
    let mut there = Instant::now();
    loop {
        sleep(LOOK).await;
        let Some(now) = asked() else { return };
        let Some((since, silence)) = now.zip(silence) else { continue };
        if since.max(there).elapsed() <= silence {
            continue;
        }
        if lets_in().await {
            there = Instant::now();
        } else if asked() == Some(now) {
            counter!("roster_database_connections_hung_total").increment(1);
            return;
        }
    }
}
