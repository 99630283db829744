//! Short reads, many at a time on one connection of the runtime that they are asked on: each is sent without waiting
//! for the answers to those before it, and no other thread is woken for it.
//!
//! There is nothing that a line promises: what it does not answer, soon, the pool does.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use diesel_async::AsyncPgConnection;
use futures_core::future::BoxFuture;
use tokio::time::{sleep, timeout};

use crate::connector::Connector;
use crate::error::{Error, Fault};
use crate::lock::lock;
use crate::per_runtime::PerRuntime;
use crate::pool::{Pool, life};

/// How long nobody tries to open a line that could not be opened, or that was slow.
const PAUSE: Duration = Duration::from_secs(1);

/// A read that the server answers at once, as by a key: those behind it wait for it. It may be done twice.
pub(crate) type Short<Asked, T> =
    for<'line> fn(&'line AsyncPgConnection, Asked) -> BoxFuture<'line, Result<T, Error>>;

/// A line for each runtime that reads.
pub(crate) struct Lines {
    pool: Pool,
    connector: Connector,
    /// How long a read waits for its answer on a line.
    patience: Duration,
    made: Instant,
    places: PerRuntime<Place>,
}

/// What a runtime has of a line.
type Place = Mutex<State>;

#[derive(Default)]
enum State {
    #[default]
    None,
    Opening,
    Open(Arc<Line>),
}

struct Line {
    connection: AsyncPgConnection,
    opened: Instant,
    life: Duration,
}

impl Lines {
    /// Opens nothing yet.
    pub(crate) fn new(pool: Pool, connector: Connector, patience: Duration) -> Self {
        Self { pool, connector, patience, made: Instant::now(), places: PerRuntime::default() }
    }

    /// Reads on this runtime's line; by the pool where there is none, or where it is lost or slow.
    pub(crate) async fn read<Asked: Copy, T>(
        self: &Arc<Self>,
        read: Short<Asked, T>,
        asked: Asked,
    ) -> Result<T, Error> {
        match self.read_by_line(read, asked).await {
            Some(outcome) => outcome,
            None => self.read_by_pool(read, asked).await,
        }
    }

    /// None where there is no line, or where it is lost or slow. Whoever gives up amid a read leaves the line as it is:
    /// its answer is passed over when it comes.
    pub(crate) async fn read_by_line<Asked, T>(
        self: &Arc<Self>,
        read: Short<Asked, T>,
        asked: Asked,
    ) -> Option<Result<T, Error>> {
        let line = self.line()?;
        match timeout(self.patience, read(&line.connection, asked)).await {
            Ok(Err(error)) if error.fault() == Fault::Lost => self.replace(&line, Duration::ZERO),
            Ok(outcome) => return Some(outcome),
            Err(_late) => self.replace(&line, PAUSE),
        }
        None
    }

    /// Reads on a connection of the pool, and once more where that was lost.
    pub(crate) async fn read_by_pool<Asked: Copy, T>(
        &self,
        read: Short<Asked, T>,
        asked: Asked,
    ) -> Result<T, Error> {
        match self.read_once(read, asked).await {
            Err(error) if error.fault() == Fault::Lost => self.read_once(read, asked).await,
            outcome => outcome,
        }
    }

    async fn read_once<Asked, T>(&self, read: Short<Asked, T>, asked: Asked) -> Result<T, Error> {
        let conn = self.pool.lend().await?;
        let outcome = self.pool.in_time(read(&conn, asked)).await;
        conn.finish(outcome).await
    }

    /// Whether this runtime has a line. Where it has none, one is opened, for those who come later.
    pub(crate) fn has_one(self: &Arc<Self>) -> bool {
        self.line().is_some()
    }

    /// The line of this runtime. Where there is none that is of use, one is opened, for those who come later.
    fn line(self: &Arc<Self>) -> Option<Arc<Line>> {
        if self.pool.by_transaction {
            return None;
        }
        let place = self.places.get(Place::default);
        let mut state = lock(&place);
        match &*state {
            State::Opening => return None,
            State::Open(line) if self.is_of_use(line) => return Some(Arc::clone(line)),
            State::Open(_) | State::None => {}
        }
        *state = State::Opening;
        drop(state);
        self.open(place, Duration::ZERO);
        None
    }

    fn is_of_use(&self, line: &Line) -> bool {
        line.opened.elapsed() <= line.life && !self.connector.turnover.is_past(line.opened)
    }

    /// Puts another in the place of this runtime's line, if it is still this one.
    fn replace(self: &Arc<Self>, line: &Arc<Line>, after: Duration) {
        let place = self.places.get(Place::default);
        let mut state = lock(&place);
        if matches!(&*state, State::Open(open) if Arc::ptr_eq(open, line)) {
            *state = State::Opening;
            drop(state);
            self.open(place, after);
        }
    }

    /// Opens a line, as a task of its own: whoever needs one does not wait for it. One that cannot be opened is tried
    /// again by whoever reads after a pause.
    fn open(self: &Arc<Self>, place: Arc<Place>, after: Duration) {
        let (lines, opening) = (Arc::clone(self), Opening(place));
        tokio::spawn(async move {
            sleep(after).await;
            let opened = Instant::now();
            match lines.connector.connect_here().await {
                Ok(connection) => {
                    let line = Line { connection, opened, life: life(opened, lines.made) };
                    *lock(&opening.0) = State::Open(Arc::new(line));
                }
                Err(_away) => sleep(PAUSE).await,
            }
        });
    }
}

/// Where a line is being opened; where that comes to nothing, also as its runtime ends, somebody else may try.
struct Opening(Arc<Place>);

impl Drop for Opening {
    fn drop(&mut self) {
        let mut state = lock(&self.0);
        if let State::Opening = *state {
            *state = State::None;
        }
    }
}
