//! Creates that share a commit: what costs a create most is that it is made durable, and what waits together can be
//! made durable together, in one statement. Each has its own outcome, which is told after the commit.
//!
//! Each runtime has a connection of its own for that, so that no other thread is woken for it. A create that is alone
//! waits for nobody; after several that were not, those who are ready to ask may join the next. Where a shared
//! statement fails as a whole, each create is done again in one of its own, so that none fails for another's fault; but
//! where nobody knows what became of it, or no connection at all was to be had, all are told so.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use roster_domain::ports::UserRepositoryError;
use roster_domain::{Commit, NewUser};
use tokio::runtime::{Handle, Id};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::timeout;

use crate::create_all::CreateAll;
use crate::error::Error;
use crate::many::{Outcome, same};
use crate::pool::Pool;
use crate::pools::Pools;
use crate::transaction::Unit;
use crate::write::{Once, Write};

/// How many creates share a commit at the most: some milliseconds of work.
const MOST: usize = 128;

/// How often the runtime lets others ask before those who wait are served.
const PASSES: usize = 8;

/// How many may wait on one runtime, so that they take no more than some megabytes.
const ROOM: usize = 2_048;

/// How long a statement holds up those who come after it. One that takes longer waits for somebody else, as for a lock,
/// and they need not.
const HELD_UP: Duration = Duration::from_millis(20);

/// Where creates wait for each other: on each runtime those that are asked for there. A clone is the same.
#[derive(Clone)]
pub(crate) struct Shared {
    pools: Pools,
    places: Arc<Mutex<HashMap<Id, Place>>>,
}

/// What a runtime has of creates.
#[derive(Default)]
struct Place {
    /// Those that wait.
    queue: VecDeque<Asked>,
    /// Whether somebody takes them.
    is_served: bool,
    /// Those who have the runtime's connection, and for longer than others wait for them.
    held_up: Option<JoinHandle<()>>,
}

impl Place {
    /// Whether nobody has the runtime's connection.
    fn is_free(&self) -> bool {
        self.held_up.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

/// A create that was asked for.
struct Asked {
    new: NewUser,
    commit: Commit,
    answer: Answer,
}

type Answer = oneshot::Sender<Outcome>;

impl Asked {
    fn into_parts(self) -> ((NewUser, Commit), Answer) {
        ((self.new, self.commit), self.answer)
    }
}

impl Shared {
    pub(crate) fn new(pools: Pools) -> Self {
        Self { pools, places: Arc::default() }
    }

    /// Makes a user, with others if there are any. Where nobody waits for the outcome any more, it is done whole or not
    /// at all.
    pub(crate) async fn create(&self, new: NewUser, commit: Commit) -> Outcome {
        let (answer, outcome) = oneshot::channel();
        self.ask(Asked { new, commit, answer })?;
        outcome.await.unwrap_or_else(|ended| Err(UserRepositoryError::Unavailable(ended.into())))
    }

    fn ask(&self, asked: Asked) -> Result<(), Error> {
        let here = Handle::current().id();
        let mut places = self.places();
        let place = places.entry(here).or_default();
        if place.queue.len() >= ROOM {
            return Err(Error::Unavailable("too many creates wait".into()));
        }
        place.queue.push_back(asked);
        let is_served = std::mem::replace(&mut place.is_served, true);
        // A runtime that ends drops what is spawned at once, which looks there, too.
        drop(places);
        if !is_served {
            tokio::spawn(Turns { shared: self.clone(), here, is_over: false }.run());
        }
        Ok(())
    }

    /// Does creates, and tells their outcomes.
    async fn commit(self, batch: Vec<Asked>, own: Option<Pool>) {
        let batch = match <[Asked; 1]>::try_from(batch) {
            Ok([alone]) => return self.once(own, alone.into_parts()).await,
            Err(batch) => batch,
        };
        let (rows, answers): (Vec<_>, Vec<_>) = batch.into_iter().map(Asked::into_parts).unzip();
        let together = CreateAll(rows);
        match self.transaction(own, &together).await {
            Ok(outcomes) => tell(answers, outcomes),
            Err(error) if error.spares_connection() => {
                join_all(together.0.into_iter().zip(answers).map(|create| self.once(None, create))).await;
            }
            Err(error) => tell(answers, same(error, together.0.len())),
        }
    }

    /// One create, in a statement of its own.
    async fn once(&self, own: Option<Pool>, ((new, commit), answer): ((NewUser, Commit), Answer)) {
        let outcome = self.transaction(own, &Once(Write::Create(new), commit)).await;
        tell([answer], [outcome.map_err(UserRepositoryError::from)]);
    }

    /// On the runtime's own connection, if it is there for that; where it cannot be had nothing was begun, and one that is
    /// for all does it.
    async fn transaction<U: Unit>(&self, own: Option<Pool>, unit: &U) -> Result<U::Outcome, Error> {
        if let Some(own) = own {
            match own.transaction(unit).await {
                Err(Error::Unavailable(_)) => {}
                done => return done,
            }
        }
        self.pools.common.transaction(unit).await
    }

    fn places(&self) -> MutexGuard<'_, HashMap<Id, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever asked may be gone; what was done stays.
fn tell(answers: impl IntoIterator<Item = Answer>, outcomes: impl IntoIterator<Item = Outcome>) {
    for (answer, outcome) in answers.into_iter().zip(outcomes) {
        let _ = answer.send(outcome);
    }
}

/// Who takes those that wait on one runtime, until there are none.
struct Turns {
    shared: Shared,
    here: Id,
    is_over: bool,
}

impl Turns {
    /// Those that are under way when others come after them have the runtime's connection, and the others have one
    /// that is for all.
    async fn run(mut self) {
        while let Some((batch, is_free)) = self.next() {
            let is_alone = batch.len() == 1;
            let own = is_free.then(|| self.shared.pools.own(self.here));
            let mut under_way = tokio::spawn(self.shared.clone().commit(batch, own));
            let is_late = timeout(HELD_UP, &mut under_way).await.is_err();
            if is_late && is_free {
                self.shared.places().entry(self.here).or_default().held_up = Some(under_way);
            }
            if !is_alone {
                self.gather().await;
            }
        }
    }

    /// Lets those who are ready to ask do so, for as long as more come. Who was just answered may be among them.
    async fn gather(&self) {
        let mut before = self.count();
        for _ in 0..PASSES {
            yield_now().await;
            let now = self.count();
            if now == before || now >= MOST {
                return;
            }
            before = now;
        }
    }

    /// How many wait.
    fn count(&self) -> usize {
        self.shared.places().get(&self.here).map_or(0, |place| place.queue.len())
    }

    /// The next that go together, and whether the runtime's connection is there for them. Whoever gave up may have said so:
    /// what was not begun is not done.
    fn next(&mut self) -> Option<(Vec<Asked>, bool)> {
        let mut places = self.shared.places();
        let place = places.get_mut(&self.here)?;
        place.queue.retain(|asked| !asked.answer.is_closed());
        if place.queue.is_empty() {
            place.is_served = false;
            self.is_over = true;
            return None;
        }
        let most = place.queue.len().min(MOST);
        Some((place.queue.drain(..most).collect(), place.is_free()))
    }
}

impl Drop for Turns {
    /// Those who still wait hear of it where this ends before its time, as its runtime does.
    fn drop(&mut self) {
        if !self.is_over {
            self.shared.places().remove(&self.here);
        }
    }
}
