//! What each runtime has of its own, so that no other thread is woken for it; until that runtime ends.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, Weak};

use tokio::runtime::{Handle, Id};
use tokio::sync::oneshot;

use crate::lock::lock;

/// One for each runtime. A clone is the same.
pub(crate) struct PerRuntime<T>(Arc<All<T>>);

type All<T> = Mutex<HashMap<Id, Place<T>>>;

/// What one runtime has; whoever looks after its end is told when nobody needs that any more.
struct Place<T> {
    own: Arc<T>,
    _needed: oneshot::Sender<Infallible>,
}

impl<T> Clone for PerRuntime<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for PerRuntime<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Send + Sync + 'static> PerRuntime<T> {
    /// The one of this runtime, which is made where there is none yet.
    pub(crate) fn get(&self, make: impl FnOnce() -> T) -> Arc<T> {
        let here = Handle::current().id();
        let (new, unneeded) = match lock(&self.0).entry(here) {
            Entry::Occupied(place) => return Arc::clone(&place.get().own),
            Entry::Vacant(place) => {
                let (needed, unneeded) = oneshot::channel();
                (Arc::clone(&place.insert(Place { own: Arc::new(make()), _needed: needed }).own), unneeded)
            }
        };
        let kept = Kept { all: Arc::downgrade(&self.0), here };
        // A runtime that ends drops what is spawned at once: so nothing is locked here.
        tokio::spawn(async move {
            let _until_the_end = kept;
            let _ = unneeded.await;
        });
        new
    }
}

/// What a runtime has, for as long as it does not drop this.
struct Kept<T> {
    all: Weak<All<T>>,
    here: Id,
}

impl<T> Drop for Kept<T> {
    fn drop(&mut self) {
        let Some(all) = self.all.upgrade() else { return };
        let gone = lock(&all).remove(&self.here);
        // Whatever it does in its end, nothing is locked by then.
        drop(gone);
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn each_runtime_has_one_until_it_ends() {
        let (all, mut made) = (PerRuntime::default(), 0..);
        let runtimes = [(), ()].map(|()| Builder::new_current_thread().build().unwrap());
        let mut of = |nth: usize| runtimes[nth].block_on(async { *all.get(|| made.next().unwrap()) });
        assert_eq!([of(0), of(1), of(0), of(1)], [0, 1, 0, 1]);
        drop(runtimes);
        assert_eq!(lock(&all.0).len(), 0);
    }

    #[test]
    fn what_nobody_needs_leaves_nothing_behind() {
        let runtime = Builder::new_current_thread().build().unwrap();
        let tasks = || runtime.metrics().num_alive_tasks();
        runtime.block_on(async {
            let all = PerRuntime::default();
            assert_eq!((*all.get(|| 7), tasks()), (7, 1));
            drop(all);
            tokio::task::yield_now().await;
            assert_eq!(tasks(), 0);
        });
    }
}
