//! Pipelining: short reads, many at a time on one connection of the runtime that they are asked on: each is sent
//! without waiting for the answers to those before it, and no other thread is woken for it.
//!
//! A pipeline promises nothing: what it does not answer, soon, the pool does.

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

/// How long nobody tries to open a pipeline that could not be opened, or that was slow.
const PAUSE: Duration = Duration::from_secs(1);

/// A read that the server answers at once, as by a key: those behind it wait for it. It may be done twice.
pub(crate) type Short<Asked, T> =
    for<'conn> fn(&'conn AsyncPgConnection, Asked) -> BoxFuture<'conn, Result<T, Error>>;

/// A pipeline for each runtime that reads.
pub(crate) struct Pipelines {
    pool: Pool,
    connector: Connector,
    /// How long a read waits for its answer on a pipeline.
    patience: Duration,
    made: Instant,
    places: PerRuntime<Place>,
}

/// What a runtime has of a pipeline.
type Place = Mutex<State>;

#[derive(Default)]
enum State {
    #[default]
    None,
    Opening,
    Open(Arc<Pipeline>),
}

struct Pipeline {
    connection: AsyncPgConnection,
    opened: Instant,
    life: Duration,
}

impl Pipelines {
    /// Opens nothing yet.
    pub(crate) fn new(pool: Pool, connector: Connector, patience: Duration) -> Self {
        Self { pool, connector, patience, made: Instant::now(), places: PerRuntime::default() }
    }

    /// Reads on this runtime's pipeline; by the pool where there is none, or where it is lost or slow.
    pub(crate) async fn read<Asked: Copy, T>(
        self: &Arc<Self>,
        read: Short<Asked, T>,
        asked: Asked,
    ) -> Result<T, Error> {
        match self.read_on_pipeline(read, asked).await {
            Some(outcome) => outcome,
            None => self.read_on_pool(read, asked).await,
        }
    }

    /// None where there is no pipeline, or where it is lost or slow. Whoever gives up amid a read leaves the pipeline
    /// as it is: its answer is passed over when it comes.
    pub(crate) async fn read_on_pipeline<Asked, T>(
        self: &Arc<Self>,
        read: Short<Asked, T>,
        asked: Asked,
    ) -> Option<Result<T, Error>> {
        let pipeline = self.pipeline()?;
        match timeout(self.patience, read(&pipeline.connection, asked)).await {
            Ok(Err(error)) if error.fault() == Fault::Lost => self.replace(&pipeline, Duration::ZERO),
            Ok(outcome) => return Some(outcome),
            Err(_late) => self.replace(&pipeline, PAUSE),
        }
        None
    }

    /// Reads on a connection of the pool, and once more where that was lost.
    pub(crate) async fn read_on_pool<Asked: Copy, T>(
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

    /// Whether this runtime has a pipeline. Where it has none, one is opened, for those who come later.
    pub(crate) fn has_one(self: &Arc<Self>) -> bool {
        self.pipeline().is_some()
    }

    /// The pipeline of this runtime. Where there is none that is of use, one is opened, for those who come later.
    fn pipeline(self: &Arc<Self>) -> Option<Arc<Pipeline>> {
        if self.pool.by_transaction {
            return None;
        }
        let place = self.places.get(Place::default);
        let mut state = lock(&place);
        match &*state {
            State::Opening => return None,
            State::Open(pipeline) if self.is_of_use(pipeline) => return Some(Arc::clone(pipeline)),
            State::Open(_) | State::None => {}
        }
        *state = State::Opening;
        drop(state);
        self.open(place, Duration::ZERO);
        None
    }

    fn is_of_use(&self, pipeline: &Pipeline) -> bool {
        pipeline.opened.elapsed() <= pipeline.life && !self.connector.turnover.is_past(pipeline.opened)
    }

    /// Puts another in the place of this runtime's pipeline, if it is still this one.
    fn replace(self: &Arc<Self>, pipeline: &Arc<Pipeline>, after: Duration) {
        let place = self.places.get(Place::default);
        let mut state = lock(&place);
        if matches!(&*state, State::Open(open) if Arc::ptr_eq(open, pipeline)) {
            *state = State::Opening;
            drop(state);
            self.open(place, after);
        }
    }

    /// Opens a pipeline, as a task of its own: whoever needs one does not wait for it. One that cannot be opened is
    /// tried again by whoever reads after a pause.
    fn open(self: &Arc<Self>, place: Arc<Place>, after: Duration) {
        let (pipelines, opening) = (Arc::clone(self), Opening(place));
        tokio::spawn(async move {
            sleep(after).await;
            let opened = Instant::now();
            match pipelines.connector.connect_here().await {
                Ok(connection) => {
                    let pipeline = Pipeline { connection, opened, life: life(opened, pipelines.made) };
                    *lock(&opening.0) = State::Open(Arc::new(pipeline));
                }
                Err(_away) => sleep(PAUSE).await,
            }
        });
    }
}

/// Where a pipeline is being opened; where that comes to nothing, also as its runtime ends, somebody else may try.
struct Opening(Arc<Place>);

impl Drop for Opening {
    fn drop(&mut self) {
        let mut state = lock(&self.0);
        if let State::Opening = *state {
            *state = State::None;
        }
    }
}
