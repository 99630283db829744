//! How often a client may ask: a principal, or an address, where there are no credentials or none that are any good.
//! By the generic cell rate algorithm, that is so many requests at once, and as many again in each period. Whoever asks too often is told how long to wait, and everyone how much they have left
//! (draft-ietf-httpapi-ratelimit-headers-09).

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, web};
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use metrics::counter;

use super::Limits;
use super::client::{TrustedProxies, network};
use crate::access::Principal;
use crate::config::{LimitsConfig, Rate};
use crate::http::error::ApiError;

/// How much of its quota a client has left, and how long until it has all of it again.
pub(in crate::http) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The quota of each client, and the period that it is for.
pub(in crate::http) const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// How many clients are told from one another. Each is one of these by a hash that nobody outside can know, so
/// that memory is bounded whoever asks; two that are the same share their quota.
const SLOTS: u64 = 1 << 18;

/// How often each client may ask.
#[derive(Clone)]
pub(super) struct RateLimit(Arc<Counts>);

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
struct Left {
    requests: u32,
    wait: Option<Duration>,
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
    fn request(&self, request: &ServiceRequest) -> Left {
        let address = self.address(request);
        let slot = match request.extensions().get::<Principal>() {
            Some(principal) if !principal.is_anonymous() => self.slot(&Counted::RequestsOf(principal.name())),
            _ => self.slot(&Counted::RequestsFrom(address)),
        };
        self.count(slot)
    }

    /// Counts a credential that was refused. After too many, no more are looked at for a while.
    fn refused(&self, slot: u32) {
        if let Some(wait) = self.count(slot).wait {
            self.barred().insert(slot, Instant::now() + wait);
        }
    }

    /// For how long still no credential is looked at.
    fn is_barred(&self, slot: u32) -> Option<Duration> {
        let mut barred = self.barred();
        let wait = barred.get(&slot)?.checked_duration_since(Instant::now());
        if wait.is_none() {
            barred.remove(&slot);
        }
        wait
    }

    fn barred(&self) -> MutexGuard<'_, HashMap<u32, Instant>> {
        self.0.barred.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, counted: &Counted<'_>) -> u32 {
        u32::try_from(self.0.hasher.hash_one(counted) % SLOTS).unwrap_or_default()
    }

    fn count(&self, slot: u32) -> Left {
        match self.0.slots.check_key(&slot) {
            Ok(state) => Left { requests: state.remaining_burst_capacity(), wait: None },
            Err(not_until) => {
                let now = self.0.slots.clock().now();
                Left { requests: 0, wait: Some(not_until.wait_time_from(now)) }
            }
        }
    }

    fn tell(&self, left: &Left, headers: &mut HeaderMap) {
        let Rate { requests, period } = self.0.rate;
        let used = requests.get().saturating_sub(left.requests);
        let seconds = (period * used / requests.get()).as_secs_f64().ceil();
        let state = format!("\"client\";r={};t={seconds}", left.requests);
        if let Ok(state) = HeaderValue::try_from(state) {
            headers.insert(RATE_LIMIT, state);
        }
        headers.insert(RATE_LIMIT_POLICY, self.0.policy.clone());
    }
}

/// Lets a client go on that has not asked too often.
pub(in crate::http) async fn limit<B: MessageBody>(
    limits: web::Data<Limits>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let Some(rate) = &limits.rate else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    let left = rate.request(&request);
    let mut answer = match left.wait {
        None => next.call(request).await?.map_into_left_body(),
        Some(wait) => refuse(&request, wait),
    };
    rate.tell(&left, answer.headers_mut());
    Ok(answer)
}

/// Lets a client go on to where its credential is looked at, unless too many from its address were no good.
pub(in crate::http) async fn limit_refusals<B: MessageBody>(
    limits: web::Data<Limits>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let Some(rate) = &limits.rate else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    let slot = rate.slot(&Counted::RefusalsFrom(rate.address(&request)));
    if let Some(wait) = rate.is_barred(slot) {
        return Ok(refuse(&request, wait));
    }
    let answer = next.call(request).await?;
    if answer.status() == StatusCode::UNAUTHORIZED {
        rate.refused(slot);
    }
    Ok(answer.map_into_left_body())
}

fn refuse<B>(request: &ServiceRequest, wait: Duration) -> ServiceResponse<EitherBody<B, BoxBody>> {
    counter!("roster_requests_limited_total").increment(1);
    let answer = HttpResponse::from_error(ApiError::RateLimited(wait));
    ServiceResponse::new(request.request().clone(), answer).map_into_right_body()
}
