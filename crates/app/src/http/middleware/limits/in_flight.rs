//! How many requests are done at once. One that finds no place is refused while that costs next to nothing:
//! what waits in a queue takes memory and time, and mostly is not wanted any more when it is done.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use metrics::counter;
use tokio::time::sleep;
use tracing::warn;

use crate::http::problem::error::ApiError;

/// How often the log tells of requests that found no place: one line for each would be work, when there is too much.
const TELLING: Duration = Duration::from_secs(1);

/// The places of requests, of which there are only so many.
#[derive(Clone)]
pub(crate) struct InFlight(Arc<Places>);

struct Places {
    most: usize,
    taken: AtomicUsize,
    /// How many requests found none, of which the log has not told.
    untold: AtomicU64,
    /// Whether somebody is about to tell.
    is_telling: AtomicBool,
}

impl InFlight {
    /// So many at once.
    pub(crate) fn at_most(most: usize) -> Self {
        let (untold, is_telling) = (AtomicU64::new(0), AtomicBool::new(false));
        Self(Arc::new(Places { most, taken: AtomicUsize::new(0), untold, is_telling }))
    }

    /// A place for a request.
    pub(super) fn enter(&self) -> Result<Place, ApiError> {
        let place = Place { places: self.0.clone(), is_taken: Cell::default() };
        place.take().map(|()| place)
    }
}

impl Places {
    /// Counts a request that found no place, and sees to it that the log tells of it, with those that come soon after.
    fn refuse(self: &Arc<Self>) {
        counter!("roster_requests_shed_total").increment(1);
        self.untold.fetch_add(1, Ordering::Relaxed);
        if !self.is_telling.swap(true, Ordering::Relaxed) {
            let places = self.clone();
            tokio::spawn(async move {
                sleep(TELLING).await;
                places.is_telling.store(false, Ordering::Relaxed);
                places.tell();
            });
        }
    }

    fn tell(&self) {
        let (refused, places) = (self.untold.swap(0, Ordering::Relaxed), self.most);
        if refused > 0 {
            warn!(refused, places, "refused requests: all places are taken");
        }
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        self.tell();
    }
}

/// What a request holds while it is in flight. It is free again when this is dropped.
pub(in crate::http) struct Place {
    places: Arc<Places>,
    is_taken: Cell<bool>,
}

impl Place {
    fn take(&self) -> Result<(), ApiError> {
        let Places { most, taken, .. } = &*self.places;
        let more = |taken| (taken < *most).then_some(taken + 1);
        if taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_err() {
            self.places.refuse();
            return Err(ApiError::Overloaded);
        }
        self.is_taken.set(true);
        Ok(())
    }

    /// Gives the place to others.
    pub(in crate::http) fn leave(&self) {
        if self.is_taken.replace(false) {
            self.places.taken.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Waits for the client, or for whoever has keys, and gives the place to others for as long: a client that is slow
    /// to send takes a connection, and nothing that others need.
    pub(in crate::http) async fn without<F: Future>(&self, waiting: F) -> Result<F::Output, ApiError> {
        self.leave();
        let waited = waiting.await;
        self.take().map(|()| waited)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
    }
}
