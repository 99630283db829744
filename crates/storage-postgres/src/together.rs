//! Short reads that are asked for together: those of one kind go in one statement, which costs the server, and this
//! program, little more than one of them would.
//!
//! None is held back for others: together are those that a runtime has heard by the time it comes to send the first. And
//! none fails for another: where the statement fails as a whole, each is asked for alone.

use std::sync::Arc;

use diesel_async::AsyncPgConnection;
use futures_core::future::BoxFuture;
use futures_util::future::join_all;

use crate::error::Error;
use crate::lines::Lines;
use crate::per_runtime::PerRuntime;
use crate::queue::{Queue, Turn, Waiting};

/// Reads for all who ask, on a line.
type All<Asked, T> = for<'line> fn(&'line AsyncPgConnection, Vec<Asked>) -> Answers<'line, T>;

/// The answer to each, in the order in which they ask; or why there is none for anybody, as where the line is lost.
pub(crate) type Answers<'line, T> = BoxFuture<'line, Result<Vec<Result<T, Error>>, Error>>;

/// Where reads of one kind come together: on each runtime those that are asked for there. A clone is the same.
pub(crate) struct Together<Asked, T> {
    lines: Arc<Lines>,
    all: All<Asked, T>,
    /// How many are one statement at the most, so that those behind it on the line do not wait for long.
    most: usize,
    queues: PerRuntime<Queue<Asked, Result<T, Error>>>,
}

impl<Asked, T> Clone for Together<Asked, T> {
    fn clone(&self) -> Self {
        Self { lines: Arc::clone(&self.lines), queues: self.queues.clone(), ..*self }
    }
}

impl<Asked: Send + 'static, T: Send + 'static> Together<Asked, T> {
    pub(crate) fn new(lines: Arc<Lines>, all: All<Asked, T>, most: usize) -> Self {
        Self { lines, all, most, queues: PerRuntime::default() }
    }

    /// Reads with others, if there are any. None where it is to be asked for alone, and not on a line.
    pub(crate) async fn read(&self, asked: Asked) -> Option<Result<T, Error>> {
        let queue = self.queues.get(Queue::default);
        if !queue.is_served() && !self.lines.has_one() {
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
        let Some(found) = self.lines.read_by_line(self.all, asked).await else { return };
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
