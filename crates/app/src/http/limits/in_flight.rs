//! How many requests are done at once. One that finds no place is refused while that costs next to nothing:
//! what waits in a queue takes memory and time, and mostly is not wanted any more when it is done.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};
use metrics::counter;

use super::Limits;
use crate::http::error::ApiError;

/// The places of requests, of which there are only so many.
#[derive(Clone)]
pub struct InFlight(Arc<Places>);

struct Places {
    most: usize,
    taken: AtomicUsize,
}

impl InFlight {
    /// So many at once.
    pub fn at_most(most: usize) -> Self {
        Self(Arc::new(Places { most, taken: AtomicUsize::new(0) }))
    }

    /// A place for a request.
    fn enter(&self) -> Result<Place, ApiError> {
        let place = Place { places: self.0.clone(), is_taken: Cell::default() };
        place.take().map(|()| place)
    }
}

/// What a request holds while it is in flight. It is free again when this is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    is_taken: Cell<bool>,
}

impl Place {
    fn take(&self) -> Result<(), ApiError> {
        let Places { most, taken } = &*self.places;
        let more = |taken| (taken < *most).then_some(taken + 1);
        if taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_err() {
            counter!("roster_requests_shed_total").increment(1);
            return Err(ApiError::Overloaded);
        }
        self.is_taken.set(true);
        Ok(())
    }

    fn leave(&self) {
        if self.is_taken.replace(false) {
            self.places.taken.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Waits for the client, and gives the place to others for as long: a client that is slow to send takes
    /// a connection, and nothing that others need.
    pub(super) async fn without<F: Future>(&self, body: F) -> Result<F::Output, ApiError> {
        self.leave();
        let body = body.await;
        self.take().map(|()| body)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Lets a request in where there is a place for it.
pub(in crate::http) async fn admit<B: MessageBody>(
    limits: web::Data<Limits>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let place = Rc::new(limits.in_flight.enter()?);
    request.extensions_mut().insert(place.clone());
    let answer = next.call(request).await;
    place.leave();
    answer
}
