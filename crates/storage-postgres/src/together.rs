//! Short reads that are asked for together: those of one kind go in one statement, which costs the server, and this
//! program, little more than one of them would.
//!
//! None is held back for others: together are those that a runtime has heard by the time it comes to send the first. And
//! none fails for another: where the statement fails as a whole, each is asked for alone.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use diesel_async::AsyncPgConnection;
use futures_core::future::BoxFuture;
use futures_util::future::join_all;
use tokio::runtime::{Handle, Id};
use tokio::sync::oneshot;

use crate::error::Error;
use crate::lines::Lines;

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
    places: Arc<Mutex<HashMap<Id, Waiting<Asked, T>>>>,
}

/// Those who wait: what each asks for, and how it is told.
type Waiting<Asked, T> = Vec<(Asked, oneshot::Sender<Result<T, Error>>)>;

impl<Asked, T> Clone for Together<Asked, T> {
    fn clone(&self) -> Self {
        Self { lines: Arc::clone(&self.lines), places: Arc::clone(&self.places), ..*self }
    }
}

impl<Asked: Send + 'static, T: Send + 'static> Together<Asked, T> {
    pub(crate) fn new(lines: Arc<Lines>, all: All<Asked, T>, most: usize) -> Self {
        Self { lines, all, most, places: Arc::default() }
    }

    /// Reads with others, if there are any. None where it is to be asked for alone, and not on a line.
    pub(crate) async fn read(&self, asked: Asked) -> Option<Result<T, Error>> {
        self.join(asked)?.await.ok()
    }

    /// Waits with others on this runtime, or is the first of them.
    fn join(&self, asked: Asked) -> Option<oneshot::Receiver<Result<T, Error>>> {
        let (answer, outcome) = oneshot::channel();
        let here = Handle::current().id();
        match self.places().entry(here) {
            Entry::Occupied(mut place) => {
                place.get_mut().push((asked, answer));
                return Some(outcome);
            }
            Entry::Vacant(_) if !self.lines.has_one() => return None,
            Entry::Vacant(place) => place.insert(vec![(asked, answer)]),
        };
        // A runtime that ends drops what is spawned at once, which looks there, too.
        tokio::spawn(Turn { together: self.clone(), here, is_over: false }.run());
        Some(outcome)
    }

    async fn answer(&self, waiting: Waiting<Asked, T>) {
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

impl<Asked, T> Together<Asked, T> {
    fn places(&self) -> MutexGuard<'_, HashMap<Id, Waiting<Asked, T>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever answers those that wait on one runtime.
struct Turn<Asked, T> {
    together: Together<Asked, T>,
    here: Id,
    is_over: bool,
}

impl<Asked: Send + 'static, T: Send + 'static> Turn<Asked, T> {
    async fn run(mut self) {
        self.is_over = true;
        let mut waiting = self.together.places().remove(&self.here).unwrap_or_default();
        waiting.retain(|(_, answer)| !answer.is_closed());
        let mut statements = Vec::new();
        while !waiting.is_empty() {
            let rest = waiting.split_off(waiting.len().min(self.together.most));
            statements.push(self.together.answer(waiting));
            waiting = rest;
        }
        join_all(statements).await;
    }
}

impl<Asked, T> Drop for Turn<Asked, T> {
    /// Those who wait hear of it where this ends before its time, as its runtime does.
    fn drop(&mut self) {
        if !self.is_over {
            self.together.places().remove(&self.here);
        }
    }
}
