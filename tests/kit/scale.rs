//! How often a test does what it does again and again: a few times in every run, and as often as it takes to be
//! sure of it where somebody asks for that.

use std::env;
use std::time::Duration;

/// Generous: it is there to name a test that hangs, not to measure one.
const DEADLINE: Duration = Duration::from_secs(240);

/// The same, where a test does more than usual.
const LONG_DEADLINE: Duration = Duration::from_secs(4 * 3600);

/// How often it is done: `usual`, unless `ROSTER_TEST_TIMES` says otherwise.
pub(crate) fn times(usual: usize) -> usize {
    told().unwrap_or(usual)
}

/// How long something may take whose figure is this: that, where nothing runs beside it (`just figures`), else thrice
/// as long.
pub(crate) fn in_time(figure: Duration) -> Duration {
    if is_alone() { figure } else { 3 * figure }
}

/// Whether nothing runs beside the test.
pub(crate) fn is_alone() -> bool {
    env::var_os("ROSTER_TEST_ALONE").is_some()
}

/// How long a test may take.
pub(crate) fn deadline() -> Duration {
    if told().is_some() { LONG_DEADLINE } else { DEADLINE }
}

fn told() -> Option<usize> {
    let told = env::var("ROSTER_TEST_TIMES").ok()?;
    Some(told.parse().expect("ROSTER_TEST_TIMES is a number"))
}
