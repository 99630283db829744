//! What a request may take of the program: time, a place among those in flight, a connection, a share.

mod client;
mod connection;
mod deadlines;
mod in_flight;
mod rate;

pub(in crate::http) use connection::Busy;
pub(crate) use connection::Patience;
use deadlines::Clock;
pub(crate) use deadlines::Deadlines;
pub(crate) use in_flight::InFlight;
pub(in crate::http) use in_flight::Place;
use rate::RateLimit;
pub(in crate::http) use rate::{RATE_LIMIT, RATE_LIMIT_POLICY};

use std::rc::Rc;
use std::time::Duration;

use actix_web::dev::ServiceRequest;
use actix_web::{HttpMessage, HttpRequest};

use crate::config::LimitsConfig;
use crate::http::problem::error::ApiError;

/// The limits of all requests.
#[derive(Clone)]
pub(crate) struct Limits {
    deadlines: Deadlines,
    in_flight: InFlight,
    rate: Option<RateLimit>,
}

impl Limits {
    /// As the settings have them.
    pub(crate) fn new(config: &LimitsConfig) -> Self {
        let deadlines = Deadlines { body: config.body_timeout, answer: config.request_timeout };
        let limits = Self::of(deadlines, InFlight::at_most(config.max_requests.get()));
        Self { rate: RateLimit::of(config), ..limits }
    }

    /// How long each request may take, and how many there may be at once; not how often a client may ask.
    pub(crate) fn of(deadlines: Deadlines, in_flight: InFlight) -> Self {
        Self { deadlines, in_flight, rate: None }
    }

    /// Begins to count the time of a request.
    pub(in crate::http) fn begin(&self, request: &ServiceRequest) -> Clock {
        let clock = self.deadlines.begin();
        request.extensions_mut().insert(clock.clone());
        clock
    }

    /// A place for a request among those in flight.
    pub(in crate::http) fn enter(&self, request: &ServiceRequest) -> Result<Rc<Place>, ApiError> {
        let place = Rc::new(self.in_flight.enter()?);
        request.extensions_mut().insert(place.clone());
        Ok(place)
    }

    /// How often clients may ask, where that is limited.
    pub(in crate::http) fn rate(&self) -> Option<&RateLimit> {
        self.rate.as_ref()
    }
}

/// As long as it takes.
const ENDLESS: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What of its limits a request does not use up while it waits for its client.
pub(in crate::http) struct Receiving {
    clock: Option<Clock>,
    place: Option<Rc<Place>>,
}

impl Receiving {
    /// For this request.
    pub(in crate::http) fn of(request: &HttpRequest) -> Self {
        let extensions = request.extensions();
        Self { clock: extensions.get().cloned(), place: extensions.get().cloned() }
    }

    /// Waits for the body, for as long as bodies may take.
    pub(in crate::http) async fn wait<T>(
        self,
        body: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<T, ApiError> {
        let received = async {
            match self.place {
                Some(place) => place.without(body).await?,
                None => body.await,
            }
        };
        match self.clock {
            Some(clock) => clock.receiving(clock.body(), received).await,
            None => received.await,
        }
    }

    /// Waits for what takes each part of the body as it comes: it has limits of its own, and once it is done there is
    /// nothing left that a place is needed for.
    pub(in crate::http) async fn stream<F: Future>(self, work: F) -> F::Output {
        if let Some(place) = self.place {
            place.leave();
        }
        match self.clock {
            Some(clock) => clock.receiving(ENDLESS, work).await,
            None => work.await,
        }
    }
}
