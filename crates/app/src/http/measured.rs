//! What is measured of requests: how many, with which outcome, and how long they take, by route.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use actix_web::dev::ResourceMap;
use actix_web::http::{Method, StatusCode, Uri};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

/// What a request is called whose route is none of ours, so that nobody makes up names of series.
const NO_ROUTE: &str = "none";

/// The status of a request whose client went away before it had one.
const ABANDONED: &str = "abandoned";

/// The measuring of one worker of the server. It finds each series once.
pub(super) struct Measured {
    routes: RefCell<HashMap<String, Vec<OfMethod>>>,
    map: OnceCell<ResourceMap>,
    in_flight: Gauge,
}

/// The requests of one method at one route.
struct OfMethod {
    method: &'static str,
    duration: Histogram,
    outcomes: Vec<(Option<StatusCode>, Counter)>,
}

impl Measured {
    pub(super) fn new() -> Self {
        let in_flight = gauge!("roster_http_requests_in_flight");
        Self { routes: RefCell::default(), map: OnceCell::new(), in_flight }
    }

    /// A request has come.
    pub(super) fn begin(&self, map: &ResourceMap) {
        self.map.get_or_init(|| map.clone());
        self.in_flight.increment(1.0);
    }

    /// The route of a request that is not there any more to be asked.
    pub(super) fn route_of(&self, uri: &Uri) -> Option<String> {
        self.map.get()?.match_pattern(uri.path())
    }

    /// A request has ended, with this status, or without one, where its client went away.
    pub(super) fn end(
        &self,
        route: Option<&str>,
        method: &'static str,
        status: Option<StatusCode>,
        took: Duration,
    ) {
        self.in_flight.decrement(1.0);
        let route = route.unwrap_or(NO_ROUTE);
        let mut routes = self.routes.borrow_mut();
        if !routes.contains_key(route) {
            routes.insert(route.to_owned(), Vec::new());
        }
        let Some(methods) = routes.get_mut(route) else { return };
        let found = methods.iter().position(|known| known.method == method);
        let nth = found.unwrap_or_else(|| {
            methods.push(OfMethod::new(route, method));
            methods.len() - 1
        });
        if let Some(known) = methods.get_mut(nth) {
            known.duration.record(took);
            known.count(route, status);
        }
    }
}

impl OfMethod {
    fn new(route: &str, method: &'static str) -> Self {
        let duration = histogram!("roster_http_request_duration_seconds", "method" => method, "route" => route.to_owned());
        Self { method, duration, outcomes: Vec::new() }
    }

    fn count(&mut self, route: &str, status: Option<StatusCode>) {
        if let Some((_, counter)) = self.outcomes.iter().find(|(known, _)| *known == status) {
            return counter.increment(1);
        }
        let (method, route) = (self.method, route.to_owned());
        let outcome = status.map_or_else(|| ABANDONED.to_owned(), |status| status.as_str().to_owned());
        let counter =
            counter!("roster_http_requests_total", "method" => method, "route" => route, "status" => outcome);
        counter.increment(1);
        self.outcomes.push((status, counter));
    }
}

/// A method's name; one that nobody has heard of has none of its own.
pub(super) fn name_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "other",
    }
}
