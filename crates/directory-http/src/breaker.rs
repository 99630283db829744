//! A circuit breaker over calls. The crates for it count either failures in a row or a rate, and let either
//! everyone or nobody through once the pause is over; this one needs both counts, and a single probe that a
//! dropped call does not take along.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

/// How many failures in a row open the circuit.
const FAILURES_IN_A_ROW: u32 = 5;
/// How many calls there must be in the window for their rate to count.
const CALLS_FOR_A_RATE: usize = 10;
/// How far back calls count for the rate.
const WINDOW: Duration = Duration::from_secs(10);
/// The most calls whose outcomes are remembered: the oldest make room.
const MOST_REMEMBERED: usize = 1024;
/// A call that is given up after longer than this has failed: whoever gave it up had waited for the directory.
const GIVEN_UP: Duration = Duration::from_millis(500);

/// Lets calls through while they succeed, and refuses them for a while when they do not.
#[derive(Debug)]
pub(crate) struct Breaker {
    open_for: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Closed(Record),
    Open {
        until: Instant,
    },
    /// The pause is over; where a probe is under way, its outcome decides.
    HalfOpen {
        probing: bool,
    },
}

/// How a circuit is, in the log by its name and in metrics by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Circuit {
    Closed,
    HalfOpen,
    Open,
}

impl Circuit {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half-open",
            Self::Open => "open",
        }
    }
}

/// What became of the calls of late.
#[derive(Debug, Default)]
struct Record {
    failures_in_a_row: u32,
    /// When each call ended, and whether it failed; the oldest first.
    outcomes: VecDeque<(Instant, bool)>,
}

/// Why a call may not be made; it may after this time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) retry_after: Duration,
}

/// The leave to make one call. Dropped without an outcome, soon, it is as if there had been no call; later, the call
/// has failed.
#[derive(Debug)]
pub(crate) struct Permit<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
    began: Instant,
    has_ended: bool,
}

impl Breaker {
    pub(crate) fn new(open_for: Duration) -> Self {
        Self { open_for, state: Mutex::new(State::Closed(Record::default())) }
    }

    /// Asks for leave to make a call.
    pub(crate) fn enter(&self) -> Result<Permit<'_>, Refused> {
        let mut state = self.state();
        if let State::Open { until } = *state {
            let left = until.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                return Err(Refused { retry_after: left });
            }
            *state = State::HalfOpen { probing: false };
        }
        let is_probe = match &mut *state {
            State::HalfOpen { probing: true } => return Err(Refused { retry_after: Duration::from_secs(1) }),
            State::HalfOpen { probing } => {
                *probing = true;
                true
            }
            _ => false,
        };
        Ok(Permit { breaker: self, is_probe, began: Instant::now(), has_ended: false })
    }

    /// How the circuit is at this moment.
    pub(crate) fn circuit(&self) -> Circuit {
        match &*self.state() {
            State::Closed(_) => Circuit::Closed,
            State::Open { until } if *until > Instant::now() => Circuit::Open,
            State::HalfOpen { .. } | State::Open { .. } => Circuit::HalfOpen,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> State {
        State::Open { until: Instant::now() + self.open_for }
    }
}

impl Permit<'_> {
    /// The call has ended, well or not.
    pub(crate) fn ended(mut self, failed: bool) {
        self.end(failed);
    }

    fn end(&mut self, failed: bool) {
        self.has_ended = true;
        let breaker = self.breaker;
        let mut state = breaker.state();
        let next = match &mut *state {
            State::Closed(record) => record.add(failed).then(|| breaker.open()),
            State::HalfOpen { .. } if self.is_probe && failed => Some(breaker.open()),
            State::HalfOpen { .. } if self.is_probe => Some(State::Closed(Record::default())),
            // A call from before the circuit opened says nothing of how things are now.
            State::HalfOpen { .. } | State::Open { .. } => None,
        };
        if let Some(next) = next {
            match (&*state, &next) {
                (State::Closed(_), _) => {
                    warn!("the circuit to the directory opens: it failed too often of late");
                }
                (_, State::Closed(_)) => info!("the circuit to the directory is closed: it answers again"),
                _ => {}
            }
            *state = next;
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        if self.began.elapsed() > GIVEN_UP {
            self.end(true);
        } else if self.is_probe
            && let State::HalfOpen { probing } = &mut *self.breaker.state()
        {
            *probing = false;
        }
    }
}

impl Record {
    /// Remembers an outcome, and tells whether it is the one too many.
    fn add(&mut self, failed: bool) -> bool {
        let now = Instant::now();
        while self.outcomes.front().is_some_and(|(at, _)| now.duration_since(*at) > WINDOW)
            || self.outcomes.len() >= MOST_REMEMBERED
        {
            self.outcomes.pop_front();
        }
        self.outcomes.push_back((now, failed));
        self.failures_in_a_row = if failed { self.failures_in_a_row + 1 } else { 0 };
        let calls = self.outcomes.len();
        let failures = self.outcomes.iter().filter(|(_, failed)| *failed).count();
        failed
            && (self.failures_in_a_row >= FAILURES_IN_A_ROW
                || (calls >= CALLS_FOR_A_RATE && failures * 2 >= calls))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const OPEN_FOR: Duration = Duration::from_secs(10);

    fn call(breaker: &Breaker, failed: bool) -> bool {
        breaker.enter().map(|permit| permit.ended(failed)).is_ok()
    }

    fn opened() -> Breaker {
        let breaker = Breaker::new(OPEN_FOR);
        for _ in 0..5 {
            assert!(call(&breaker, true));
        }
        breaker
    }

    #[tokio::test(start_paused = true)]
    async fn five_failures_in_a_row_open_it() {
        let breaker = Breaker::new(OPEN_FOR);
        for failed in [true, true, true, true, false, true, true, true, true] {
            assert!(call(&breaker, failed));
        }
        assert_eq!(breaker.circuit(), Circuit::Closed);
        assert!(call(&breaker, true));
        assert_eq!(breaker.enter().err(), Some(Refused { retry_after: OPEN_FOR }));
        advance(Duration::from_secs(4)).await;
        assert_eq!(breaker.enter().err(), Some(Refused { retry_after: Duration::from_secs(6) }));
    }

    #[tokio::test(start_paused = true)]
    async fn half_of_ten_or_more_within_ten_seconds_open_it() {
        let breaker = Breaker::new(OPEN_FOR);
        for _ in 0..4 {
            assert!(call(&breaker, false) && call(&breaker, true));
        }
        assert!(call(&breaker, false));
        assert_eq!(breaker.circuit(), Circuit::Closed);
        assert!(call(&breaker, true), "the tenth call, the fifth that failed");
        assert_eq!(breaker.circuit(), Circuit::Open);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_older_than_the_window_does_not_count() {
        let breaker = Breaker::new(OPEN_FOR);
        for _ in 0..4 {
            assert!(call(&breaker, false) && call(&breaker, true));
        }
        advance(WINDOW + Duration::from_millis(1)).await;
        assert!(call(&breaker, false) && call(&breaker, true));
        assert_eq!(breaker.circuit(), Circuit::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn a_single_probe_goes_through_after_the_pause_and_decides() {
        for failed in [true, false] {
            let breaker = opened();
            assert_eq!(breaker.circuit(), Circuit::Open);
            advance(OPEN_FOR).await;
            assert_eq!(breaker.circuit(), Circuit::HalfOpen, "though nobody asked");
            let probe = breaker.enter().unwrap();
            assert!(breaker.enter().is_err(), "one probe at a time");
            assert_eq!(breaker.circuit(), Circuit::HalfOpen);
            probe.ended(failed);
            assert_eq!(breaker.circuit(), if failed { Circuit::Open } else { Circuit::Closed });
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_is_dropped_leaves_its_place_to_another() {
        let breaker = opened();
        advance(OPEN_FOR).await;
        drop(breaker.enter().unwrap());
        assert!(call(&breaker, false));
        assert_eq!(breaker.circuit(), Circuit::Closed);
    }

    // Seen to fail where a call that was dropped counted for nothing, however long it had taken.
    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_dropped_after_a_while_has_failed() {
        for (after, circuit) in [(500, Circuit::Closed), (501, Circuit::Open)] {
            let breaker = Breaker::new(OPEN_FOR);
            for _ in 0..5 {
                let permit = breaker.enter().unwrap();
                advance(Duration::from_millis(after)).await;
                drop(permit);
            }
            assert_eq!(breaker.circuit(), circuit, "{after}");
        }
        let breaker = opened();
        advance(OPEN_FOR).await;
        let probe = breaker.enter().unwrap();
        advance(Duration::from_secs(1)).await;
        drop(probe);
        assert_eq!(breaker.circuit(), Circuit::Open);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_from_before_does_not_close_it() {
        let breaker = Breaker::new(OPEN_FOR);
        let slow = breaker.enter().unwrap();
        for _ in 0..5 {
            call(&breaker, true);
        }
        slow.ended(false);
        assert_eq!(breaker.circuit(), Circuit::Open);
    }
}
