//! What each runtime has of its own, so that no other thread is woken for it; until that runtime ends.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::pending;
use std::sync::{Arc, Mutex, Weak};

use tokio::runtime::{Handle, Id};

use crate::lock::lock;

/// One for each runtime. A clone is the same.
pub(crate) struct PerRuntime<T>(Arc<All<T>>);

type All<T> = Mutex<HashMap<Id, Arc<T>>>;

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
        let new = match lock(&self.0).entry(here) {
            Entry::Occupied(one) => return Arc::clone(one.get()),
            Entry::Vacant(place) => Arc::clone(place.insert(Arc::new(make()))),
        };
        let kept = Kept { all: Arc::downgrade(&self.0), here };
        // A runtime that ends drops what is spawned at once: so nothing is locked here.
        tokio::spawn(async move {
            let _until_the_end = kept;
            pending::<()>().await;
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
}
