//! Those who wait to be served together, and who of them serves.

use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

use crate::lock::lock;

/// Those who wait.
pub(crate) struct Queue<Asked, T>(Mutex<State<Asked, T>>);

struct State<Asked, T> {
    waiting: Vec<Waiting<Asked, T>>,
    is_served: bool,
}

/// What somebody asks for, and how they are told.
pub(crate) type Waiting<Asked, T> = (Asked, oneshot::Sender<T>);

impl<Asked, T> Default for Queue<Asked, T> {
    fn default() -> Self {
        Self(Mutex::new(State { waiting: Vec::new(), is_served: false }))
    }
}

impl<Asked, T> Queue<Asked, T> {
    /// Adds one who waits, for what is told here. Where nobody serves those who wait, it is their turn to do so.
    pub(crate) fn join(self: &Arc<Self>, asked: Asked) -> (oneshot::Receiver<T>, Option<Turn<Asked, T>>) {
        let (answer, outcome) = oneshot::channel();
        let mut state = lock(&self.0);
        state.waiting.push((asked, answer));
        let is_first = !std::mem::replace(&mut state.is_served, true);
        (outcome, is_first.then(|| Turn { queue: Arc::clone(self), is_over: false }))
    }

    pub(crate) fn is_served(&self) -> bool {
        lock(&self.0).is_served
    }

    /// How many wait.
    pub(crate) fn count(&self) -> usize {
        lock(&self.0).waiting.len()
    }
}

/// The turn of whoever serves. Those who wait hear of it where it ends before its time, as its runtime does.
pub(crate) struct Turn<Asked, T> {
    queue: Arc<Queue<Asked, T>>,
    is_over: bool,
}

impl<Asked, T> Turn<Asked, T> {
    /// All who wait. The turn is over: who comes now has another.
    pub(crate) fn all(mut self) -> Vec<Waiting<Asked, T>> {
        self.end()
    }

    /// The next who go together, so many at the most. The turn is over where nobody waits.
    pub(crate) fn next(&mut self, most: usize) -> Vec<Waiting<Asked, T>> {
        let mut state = lock(&self.queue.0);
        state.waiting.retain(is_awaited);
        let most = state.waiting.len().min(most);
        self.is_over = most == 0;
        state.is_served = !self.is_over;
        state.waiting.drain(..most).collect()
    }

    /// How many wait.
    pub(crate) fn count(&self) -> usize {
        self.queue.count()
    }

    fn end(&mut self) -> Vec<Waiting<Asked, T>> {
        let mut state = lock(&self.queue.0);
        self.is_over = true;
        state.is_served = false;
        let mut waiting = std::mem::take(&mut state.waiting);
        waiting.retain(is_awaited);
        waiting
    }
}

/// Whoever gave up may have said so: what was not begun is not done.
fn is_awaited<Asked, T>((_, answer): &Waiting<Asked, T>) -> bool {
    !answer.is_closed()
}

impl<Asked, T> Drop for Turn<Asked, T> {
    fn drop(&mut self) {
        if !self.is_over {
            self.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked<T>(waiting: Vec<Waiting<u8, T>>) -> Vec<u8> {
        waiting.into_iter().map(|(asked, _)| asked).collect()
    }

    #[test]
    fn the_first_serves_all_and_is_followed_by_who_comes_later() {
        let queue = Arc::new(Queue::<u8, ()>::default());
        let (_first, turn) = queue.join(1);
        let (_second, none) = queue.join(2);
        assert!(none.is_none() && queue.is_served());
        assert_eq!(asked(turn.unwrap().all()), [1, 2]);
        assert!(!queue.is_served());
        assert!(queue.join(3).1.is_some());
    }

    #[test]
    fn who_serves_goes_on_until_nobody_waits_and_passes_over_who_gave_up() {
        let queue = Arc::new(Queue::<u8, ()>::default());
        let (_first, turn) = queue.join(1);
        let mut turn = turn.unwrap();
        let (_second, gave_up, _fourth) = (queue.join(2), queue.join(3), queue.join(4));
        drop(gave_up);
        assert_eq!((asked(turn.next(2)), queue.count()), (vec![1, 2], 1));
        assert_eq!((asked(turn.next(2)), queue.is_served()), (vec![4], true));
        assert_eq!((asked(turn.next(2)), queue.is_served()), (vec![], false));
    }

    #[test]
    fn a_turn_that_ends_before_its_time_is_heard_of() {
        let queue = Arc::new(Queue::<u8, ()>::default());
        let (mut first, turn) = queue.join(1);
        drop(turn);
        assert_eq!(first.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        assert!(!queue.is_served());
    }
}
