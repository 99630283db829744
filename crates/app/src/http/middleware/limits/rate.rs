//! How often a client may ask: a principal, or an address, where there are no credentials or none that are any good.
//! By the generic cell rate algorithm, that is so many requests at once, and as many again in each period. Whoever asks
//! too often is told how long to wait, and everyone how much they have left (draft-ietf-httpapi-ratelimit-headers-09).

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use metrics::counter;

use super::client::{TrustedProxies, network};
use crate::access::Principal;
use crate::config::{LimitsConfig, Rate};
use crate::http::problem::error::ApiError;

/// How much of its quota a client has left, and how long until it has all of it again.
pub(in crate::http) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The quota of each client, and the period that it is for.
pub(in crate::http) const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// How many clients are told from one another. Each is one of these by a hash that nobody outside can know, so
/// that memory is bounded whoever asks; two that are the same share their quota.
const SLOTS: u64 = 1 << 18;

/// How often each client may ask.
#[derive(Clone)]
pub(in crate::http) struct RateLimit(Arc<Counts>);

struct Counts {
    rate: Rate,
    policy: HeaderValue,
    proxies: TrustedProxies,
    hasher: RandomState,
    slots: RateLimiter<u32, DefaultKeyedStateStore<u32>, DefaultClock, StateInformationMiddleware>,
    /// Whose credentials are not looked at before a time.
    barred: Mutex<HashMap<u32, Instant>>,
}

/// Who is counted, and for what.
#[derive(Hash)]
enum Counted<'a> {
    RequestsOf(&'a str),
    RequestsFrom(IpAddr),
    RefusalsFrom(IpAddr),
}

/// What is left to a client after a request; or how long it has to wait, where it may not ask.
pub(in crate::http) struct Share<'a> {
    of: &'a RateLimit,
    requests: u32,
    wait: Option<Duration>,
}

/// The credentials from one address that were no good.
pub(in crate::http) struct Refusals<'a> {
    of: &'a RateLimit,
    slot: u32,
}

impl RateLimit {
    /// As the settings have it; `None` where there is no limit.
    pub(super) fn of(config: &LimitsConfig) -> Option<Self> {
        let rate = config.rate_limit?;
        let one = rate.period / rate.requests.get();
        let quota = Quota::with_period(one)?.allow_burst(rate.requests);
        let policy = format!("\"client\";q={};w={}", rate.requests, rate.period.as_secs());
        let proxies =
            TrustedProxies { networks: config.trusted_proxies.clone(), header: config.proxy_header };
        Some(Self(Arc::new(Counts {
            rate,
            policy: HeaderValue::try_from(policy).ok()?,
            proxies,
            hasher: RandomState::new(),
            slots: RateLimiter::hashmap(quota).with_middleware(),
            barred: Mutex::default(),
        })))
    }

    /// The address that is behind a request.
    fn address(&self, request: &ServiceRequest) -> IpAddr {
        let peer = request.peer_addr().map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.ip());
        network(self.0.proxies.client(peer, request.headers()))
    }

    /// Counts a request whose sender is known, as far as it has a credential.
    pub(in crate::http) fn share(&self, request: &ServiceRequest) -> Share<'_> {
        let address = self.address(request);
        let slot = match request.extensions().get::<Principal>() {
            Some(principal) if !principal.is_anonymous() => self.slot(&Counted::RequestsOf(principal.name())),
            _ => self.slot(&Counted::RequestsFrom(address)),
        };
        self.count(slot)
    }

    /// The credentials that were refused to whoever sent a request.
    pub(in crate::http) fn refusals(&self, request: &ServiceRequest) -> Refusals<'_> {
        Refusals { of: self, slot: self.slot(&Counted::RefusalsFrom(self.address(request))) }
    }

    fn barred(&self) -> MutexGuard<'_, HashMap<u32, Instant>> {
        self.0.barred.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, counted: &Counted<'_>) -> u32 {
        u32::try_from(self.0.hasher.hash_one(counted) % SLOTS).unwrap_or_default()
    }

    fn count(&self, slot: u32) -> Share<'_> {
        match self.0.slots.check_key(&slot) {
            Ok(state) => Share { of: self, requests: state.remaining_burst_capacity(), wait: None },
            Err(not_until) => {
                let now = self.0.slots.clock().now();
                Share { of: self, requests: 0, wait: Some(not_until.wait_time_from(now)) }
            }
        }
    }
}

impl Share<'_> {
    /// Refuses a request of a client that asks too often.
    pub(in crate::http) fn check(&self) -> Result<(), ApiError> {
        self.wait.map_or(Ok(()), limited)
    }

    /// Tells the client what is left.
    pub(in crate::http) fn tell(&self, headers: &mut HeaderMap) {
        let Counts { rate: Rate { requests, period }, policy, .. } = &*self.of.0;
        let used = requests.get().saturating_sub(self.requests);
        let seconds = (*period * used / requests.get()).as_secs_f64().ceil();
        let state = format!("\"client\";r={};t={seconds}", self.requests);
        if let Ok(state) = HeaderValue::try_from(state) {
            headers.insert(RATE_LIMIT, state);
        }
        headers.insert(RATE_LIMIT_POLICY, policy.clone());
    }
}

impl Refusals<'_> {
    /// Refuses a request while no more credentials are looked at.
    pub(in crate::http) fn check(&self) -> Result<(), ApiError> {
        let mut barred = self.of.barred();
        let Some(until) = barred.get(&self.slot) else { return Ok(()) };
        if let Some(wait) = until.checked_duration_since(Instant::now()) {
            return limited(wait);
        }
        barred.remove(&self.slot);
        Ok(())
    }

    /// Counts one more. After too many, no more are looked at for a while.
    pub(in crate::http) fn add(self) {
        if let Some(wait) = self.of.count(self.slot).wait {
            self.of.barred().insert(self.slot, Instant::now() + wait);
        }
    }
}

fn limited(wait: Duration) -> Result<(), ApiError> {
    counter!("roster_requests_limited_total").increment(1);
    Err(ApiError::RateLimited(wait))
}
