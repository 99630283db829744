//! What drives a connection: until whoever has it lets go of it, or its server says nothing for longer than it may.
//!
//! A server that hangs, or a proxy before it, may still acknowledge what it is sent. Then its own time-out ends
//! nothing, and the socket finds nothing wrong.

use std::pin::pin;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use diesel::connection::{Instrumentation, InstrumentationEvent};
use futures_util::future::{Either, ready, select};
use futures_util::{TryStreamExt, stream};
use metrics::counter;
use tokio::time::sleep;
use tokio_postgres::tls::TlsStream;
use tokio_postgres::{Connection, Socket};

use crate::lock::lock;

/// How often it is looked whether the server says nothing, and whether anybody still has the connection.
const LOOK: Duration = Duration::from_millis(500);

/// Whoever has a connection that is driven, which ends with this. Diesel tells it of each statement.
pub(crate) struct Owner(Arc<Mutex<Asked>>);

/// Since when the beginning of an answer is waited for, if one is.
type Asked = Option<Instant>;

impl Instrumentation for Owner {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        let asked = match event {
            InstrumentationEvent::StartQuery { .. } => Some(Instant::now()),
            InstrumentationEvent::FinishQuery { .. } => None,
            _ => return,
        };
        *lock(&self.0) = asked;
    }
}

/// Drives a connection, on this runtime, for as long as the owner is there. Where its server says nothing for `silence`
/// to what it was asked, the connection is closed, and `given_up` is told when that was asked.
pub(crate) fn drive<T, F>(
    mut connection: Connection<Socket, T>,
    silence: Option<Duration>,
    given_up: impl FnOnce(Instant) -> F + Send + 'static,
) -> Owner
where
    T: TlsStream + Unpin + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let owner = Owner(Arc::default());
    let watched = Arc::downgrade(&owner.0);
    // What a server has to say beside its answers is told to nobody; nor is how it ended, but to whoever asks next.
    let messages = stream::poll_fn(move |cx| connection.poll_message(cx));
    let driven = Box::pin(messages.try_for_each(|_notice| ready(Ok(()))));
    tokio::spawn(async move {
        let Either::Right((Some(asked), driven)) = select(driven, pin!(silent(watched, silence))).await
        else {
            return;
        };
        // First of all: who asked is not to be told any more that it was done after all.
        drop(driven);
        counter!("roster_database_connections_hung_total").increment(1);
        given_up(asked).await;
    });
    owner
}

/// Waits until an answer is waited for in vain, and tells since when; or until the owner is gone. An answer that is
/// there already may not have been read yet, where this program was held up itself: so it is looked twice.
async fn silent(owner: Weak<Mutex<Asked>>, silence: Option<Duration>) -> Option<Instant> {
    let mut late = None;
    loop {
        sleep(LOOK).await;
        let asked = *lock(&*owner.upgrade()?);
        let before = late;
        late = asked.filter(|asked| silence.is_some_and(|silence| asked.elapsed() > silence));
        if late.is_some() && late == before {
            return late;
        }
    }
}
