//! Group commit, of creates: what costs a create most is that it is made durable, and what waits together can be
//! made durable together, in one statement. Each has its own outcome, which is told after the commit.
//!
//! Each runtime has a connection of its own for that, so that no other thread is woken for it. A create that is alone
//! waits for nobody; after several that were not, those who are ready to ask may join the next. Where a shared
//! statement fails as a whole, each create is done again in one of its own, so that none fails for another's fault; but
//! where nobody knows what became of it, or no connection at all was to be had, all are told so.

use std::time::Duration;

use futures_util::future::join_all;
use roster_domain::ports::UserRepositoryError;
use roster_domain::{Commit, NewUser};
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::create_all::CreateAll;
use crate::create_many::Outcome;
use crate::error::Error;
use crate::per_runtime::PerRuntime;
use crate::pool::Pool;
use crate::pools::Pools;
use crate::queue::{self, Queue};
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
pub(crate) struct GroupCommit {
    pools: Pools,
    queues: PerRuntime<Queue<Asked, Outcome>>,
}

/// A create that was asked for.
type Asked = (NewUser, Commit);
type Waiting = queue::Waiting<Asked, Outcome>;
type Turn = queue::Turn<Asked, Outcome>;

impl GroupCommit {
    pub(crate) fn new(pools: Pools) -> Self {
        Self { pools, queues: PerRuntime::default() }
    }

    /// Makes a user, with others if there are any. Where nobody waits for the outcome any more, it is done whole or not
    /// at all.
    pub(crate) async fn create(&self, new: NewUser, commit: Commit) -> Outcome {
        let queue = self.queues.get(Queue::default);
        if queue.count() >= ROOM {
            return Err(UserRepositoryError::Unavailable("too many creates wait".into()));
        }
        let (outcome, turn) = queue.join((new, commit));
        if let Some(turn) = turn {
            tokio::spawn(self.clone().serve(turn));
        }
        outcome.await.unwrap_or_else(|ended| Err(UserRepositoryError::Unavailable(ended.into())))
    }

    /// Takes those that wait, until there are none. Those that are under way when others come after them have the
    /// runtime's connection, and the others have one that is for all.
    async fn serve(self, mut turn: Turn) {
        let own = self.pools.own();
        loop {
            let batch = turn.next(MOST);
            if batch.is_empty() {
                return;
            }
            let is_alone = batch.len() == 1;
            let own = own.is_free().then(|| own.clone());
            // One that takes longer goes on.
            let _ = timeout(HELD_UP, tokio::spawn(self.clone().commit(batch, own))).await;
            if !is_alone {
                gather(&turn).await;
            }
        }
    }

    /// Does creates, and tells their outcomes.
    async fn commit(self, batch: Vec<Waiting>, own: Option<Pool>) {
        let batch = match <[Waiting; 1]>::try_from(batch) {
            Ok([alone]) => return self.once(own, alone).await,
            Err(batch) => batch,
        };
        let (rows, answers): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        let together = CreateAll(rows);
        match self.transaction(own, &together).await {
            Ok(outcomes) => tell(answers, outcomes),
            Err(error) if error.spares_connection() => {
                join_all(together.0.into_iter().zip(answers).map(|create| self.once(None, create))).await;
            }
            Err(error) => {
                let failed = UserRepositoryError::from(error).repeated(answers.len());
                tell(answers, failed.map(Err));
            }
        }
    }

    /// One create, in a statement of its own, unless whoever asked has given up meanwhile.
    async fn once(&self, own: Option<Pool>, ((new, commit), answer): Waiting) {
        if answer.is_closed() {
            return;
        }
        let outcome = self.transaction(own, &Once(Write::Create(new), commit)).await;
        tell([answer], [outcome.map_err(UserRepositoryError::from)]);
    }

    /// On the runtime's own connection, if it is there for that; where it cannot be had nothing was begun, and one that
    /// is for all does it.
    async fn transaction<U: Unit>(&self, own: Option<Pool>, unit: &U) -> Result<U::Outcome, Error> {
        if let Some(own) = own {
            match own.transaction(unit).await {
                Err(Error::Unavailable(_)) => {}
                done => return done,
            }
        }
        self.pools.common.transaction(unit).await
    }
}

/// Lets those who are ready to ask do so, for as long as more come. Who was just answered may be among them.
async fn gather(turn: &Turn) {
    let mut before = turn.count();
    for _ in 0..PASSES {
        yield_now().await;
        let now = turn.count();
        if now == before || now >= MOST {
            return;
        }
        before = now;
    }
}

/// Whoever asked may be gone; what was done stays.
fn tell(
    answers: impl IntoIterator<Item = oneshot::Sender<Outcome>>,
    outcomes: impl IntoIterator<Item = Outcome>,
) {
    for (answer, outcome) in answers.into_iter().zip(outcomes) {
        let _ = answer.send(outcome);
    }
}
