//! Batching: short reads that are asked for together. Those of one kind go in one statement, which costs the server,
//! and this program, little more than one of them would.
//!
//! None is held back for others: together are those that a runtime has heard by the time it comes to send the first.
//! And none fails for another: where the statement fails as a whole, each is asked for alone.

use std::sync::Arc;

use diesel_async::AsyncPgConnection;
use futures_core::future::BoxFuture;
use futures_util::future::join_all;

use crate::error::Error;
use crate::per_runtime::PerRuntime;
use crate::pipelines::Pipelines;
use crate::queue::{Queue, Turn, Waiting};

/// Reads for all who ask, on a pipeline.
type All<Asked, T> = for<'conn> fn(&'conn AsyncPgConnection, Vec<Asked>) -> Answers<'conn, T>;

/// The answer to each, in the order in which they ask; or why there is none for anybody, as where the pipeline is lost.
pub(crate) type Answers<'conn, T> = BoxFuture<'conn, Result<Vec<Result<T, Error>>, Error>>;

/// Where reads of one kind come together: on each runtime those that are asked for there. A clone is the same.
pub(crate) struct Batched<Asked, T> {
    pipelines: Arc<Pipelines>,
    all: All<Asked, T>,
    /// How many are one statement at the most, so that those behind it on the pipeline do not wait for long.
    most: usize,
    queues: PerRuntime<Queue<Asked, Result<T, Error>>>,
}

impl<Asked, T> Clone for Batched<Asked, T> {
    fn clone(&self) -> Self {
        Self { pipelines: Arc::clone(&self.pipelines), queues: self.queues.clone(), ..*self }
    }
}

impl<Asked: Send + 'static, T: Send + 'static> Batched<Asked, T> {
    pub(crate) fn new(pipelines: Arc<Pipelines>, all: All<Asked, T>, most: usize) -> Self {
        Self { pipelines, all, most, queues: PerRuntime::default() }
    }

    /// Reads with others, if there are any. None where it is to be asked for alone, and not on a pipeline.
    pub(crate) async fn read(&self, asked: Asked) -> Option<Result<T, Error>> {
        let queue = self.queues.get(Queue::default);
        if !queue.is_served() && !self.pipelines.has_one() {
            return None;
        }
        let (outcome, turn) = queue.join(asked);
        if let Some(turn) = turn {
            tokio::spawn(self.clone().serve(turn));
        }
        outcome.await.ok()
    }

    async fn serve(self, turn: Turn<Asked, Result<T, Error>>) {
        let mut waiting = turn.all();
        let mut statements = Vec::new();
        while !waiting.is_empty() {
            let rest = waiting.split_off(waiting.len().min(self.most));
            statements.push(self.answer(waiting));
            waiting = rest;
        }
        join_all(statements).await;
    }

    async fn answer(&self, waiting: Vec<Waiting<Asked, Result<T, Error>>>) {
        let (asked, answers): (Vec<_>, Vec<_>) = waiting.into_iter().unzip();
        let Some(found) = self.pipelines.read_on_pipeline(self.all, asked).await else { return };
        let found = match found {
            Ok(found) => found,
            Err(error) if answers.len() == 1 => vec![Err(error)],
            Err(_for_one_of_them) => return,
        };
        for (answer, found) in answers.into_iter().zip(found) {
            // Whoever asked may be gone.
            let _ = answer.send(found);
        }
    }
}
