//! What is measured of requests: how many, with which outcome, and how long they take, by route.

use std::cell::{OnceCell, RefCell};
use std::time::Duration;

use actix_web::dev::ResourceMap;
use actix_web::http::{Method, StatusCode, Uri};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use crate::http::request::path::stripped;

/// What a request is called whose route is none of ours, so that nobody makes up names of series.
const NO_ROUTE: &str = "none";

/// What a method is called that nobody has heard of (OpenTelemetry's conventions for HTTP).
pub(in crate::http) const OTHER_METHOD: &str = "_OTHER";

/// The status of a request whose client went away before it had one.
const ABANDONED: &str = "abandoned";

/// The measuring of one worker of the server. It finds each series once.
pub(in crate::http) struct Measured {
    routes: RefCell<Vec<OfRoute>>,
    map: OnceCell<ResourceMap>,
    in_flight: Gauge,
}

/// The requests at one route. There are few, and so they are found sooner by a look at each than by a hash.
struct OfRoute {
    route: String,
    methods: Vec<OfMethod>,
}

/// Those of one method.
struct OfMethod {
    method: &'static str,
    duration: Histogram,
    outcomes: Vec<(Option<StatusCode>, Counter)>,
}

impl Measured {
    pub(in crate::http) fn new() -> Self {
        let in_flight = gauge!("roster_http_requests_in_flight");
        Self { routes: RefCell::default(), map: OnceCell::new(), in_flight }
    }

    /// A request has come.
    pub(in crate::http) fn begin(&self, map: &ResourceMap) {
        self.map.get_or_init(|| map.clone());
        self.in_flight.increment(1.0);
    }

    /// The route of a request that never came to it, or that is not there any more to be asked.
    pub(in crate::http) fn route_of(&self, uri: &Uri) -> Option<String> {
        let path = uri.path();
        self.map.get()?.match_pattern(stripped(path).unwrap_or(path))
    }

    /// A request has ended, with this status, or without one, where its client went away.
    pub(in crate::http) fn end(
        &self,
        route: Option<&str>,
        method: &'static str,
        status: Option<StatusCode>,
        took: Duration,
    ) {
        self.in_flight.decrement(1.0);
        let route = route.unwrap_or(NO_ROUTE);
        let mut routes = self.routes.borrow_mut();
        let known = |known: &OfRoute| known.route == route;
        let of_route = found(&mut routes, known, || OfRoute { route: route.to_owned(), methods: Vec::new() });
        let known = |known: &OfMethod| known.method == method;
        let of_method = found(&mut of_route.methods, known, || OfMethod::new(route, method));
        of_method.duration.record(took);
        of_method.count(route, status);
    }
}

impl OfMethod {
    fn new(route: &str, method: &'static str) -> Self {
        let duration = histogram!("roster_http_request_duration_seconds", "method" => method, "route" => route.to_owned());
        Self { method, duration, outcomes: Vec::new() }
    }

    fn count(&mut self, route: &str, status: Option<StatusCode>) {
        let method = self.method;
        let (_, counter) = found(
            &mut self.outcomes,
            |(known, _)| *known == status,
            || {
                let outcome =
                    status.map_or_else(|| ABANDONED.to_owned(), |status| status.as_str().to_owned());
                let route = route.to_owned();
                (
                    status,
                    counter!("roster_http_requests_total", "method" => method, "route" => route, "status" => outcome),
                )
            },
        );
        counter.increment(1);
    }
}

/// The one that is known so; it is made where there is none.
#[expect(clippy::indexing_slicing, reason = "it is where it was found, or put")]
fn found<T>(all: &mut Vec<T>, is_it: impl Fn(&T) -> bool, made: impl FnOnce() -> T) -> &mut T {
    let nth = all.iter().position(is_it).unwrap_or_else(|| {
        all.push(made());
        all.len() - 1
    });
    &mut all[nth]
}

/// A method's name; one that nobody has heard of has none of its own.
pub(in crate::http) fn name_of(method: &Method) -> &'static str {
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
        _ => OTHER_METHOD,
    }
}
