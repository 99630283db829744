//! What drives a connection: until whoever has it lets go of it, or its server says nothing for longer than it lets a
//! statement take.
//!
//! A server that hangs, or a proxy before it, may still acknowledge what it is sent. Then its own time-out ends nothing,
//! and the socket finds nothing wrong.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use diesel::connection::{Instrumentation, InstrumentationEvent};
use futures_util::future::{ready, select};
use futures_util::{TryStreamExt, stream};
use tokio::time::sleep;
use tokio_postgres::tls::TlsStream;
use tokio_postgres::{Connection, Socket};

/// How often it is looked whether the server says nothing, and whether anybody still has the connection.
const LOOK: Duration = Duration::from_millis(500);

/// Whoever has a connection that is driven. Diesel tells it of each statement.
pub(crate) struct Owner(Arc<Mutex<Asked>>);

/// Since when an answer is waited for, if one is.
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

/// Drives a connection, on this runtime, for as long as the owner is there; no longer than its server says nothing for
/// `silence`, where there is a limit to that.
pub(crate) fn drive<T>(mut connection: Connection<Socket, T>, silence: Option<Duration>) -> Owner
where
    T: TlsStream + Unpin + Send + 'static,
{
    let owner = Owner(Arc::default());
    let watched = Arc::downgrade(&owner.0);
    // Notices are for whoever would read them, and how it ended is told to whoever asks something of it.
    let messages = stream::poll_fn(move |cx| connection.poll_message(cx));
    let driven = messages.try_for_each(|_notice| ready(Ok(())));
    tokio::spawn(async move { drop(select(driven, pin!(is_over(watched, silence))).await) });
    owner
}

async fn is_over(owner: Weak<Mutex<Asked>>, silence: Option<Duration>) {
    loop {
        sleep(LOOK).await;
        let Some(asked) = owner.upgrade() else { return };
        let asked = *asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.zip(silence).is_some_and(|(asked, silence)| asked.elapsed() > silence) {
            return;
        }
    }
}
