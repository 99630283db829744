//! When a call is tried again, and after which pause.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use reqwest::StatusCode;

use crate::attempt::AttemptError;
use crate::config::DirectoryConfig;

/// The pauses between the attempts of a call: exponential, each up to twice as long by chance, so that many
/// who failed together do not come back together. There are no more of them than retries.
pub(crate) fn pauses(config: &DirectoryConfig) -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(config.first_pause)
        .with_max_times(config.retries)
        .with_jitter()
        .build()
}

/// The pause after `error`, where `pause` is next: the directory's own wish, where it is longer; none where
/// another attempt would change nothing.
pub(crate) fn pause_after(error: &AttemptError, pause: Duration) -> Option<Duration> {
    match error {
        AttemptError::Connect(_) => Some(pause),
        AttemptError::Status { status, retry_after } if is_passing(*status) => {
            Some(retry_after.unwrap_or_default().max(pause))
        }
        _ => None,
    }
}

fn is_passing(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_millis(100);

    fn status(code: u16, retry_after: Option<u64>) -> AttemptError {
        let status = StatusCode::from_u16(code).unwrap();
        AttemptError::Status { status, retry_after: retry_after.map(Duration::from_secs) }
    }

    #[test]
    fn what_may_pass_is_tried_again() {
        for code in [429, 500, 502, 503, 504] {
            assert_eq!(pause_after(&status(code, None), PAUSE), Some(PAUSE), "{code}");
            assert_eq!(pause_after(&status(code, Some(2)), PAUSE), Some(Duration::from_secs(2)), "{code}");
            assert_eq!(pause_after(&status(code, Some(0)), PAUSE), Some(PAUSE), "{code}");
        }
        assert_eq!(pause_after(&AttemptError::Connect("refused".into()), PAUSE), Some(PAUSE));
    }

    #[test]
    fn what_would_be_the_same_again_is_not() {
        for code in [301, 302, 400, 401, 403, 408, 410, 418, 422, 501, 505] {
            assert_eq!(pause_after(&status(code, Some(1)), PAUSE), None, "{code}");
        }
        assert_eq!(pause_after(&AttemptError::TooLarge(1), PAUSE), None);
        assert_eq!(pause_after(&AttemptError::TimedOut, PAUSE), None);
    }

    #[test]
    fn pauses_grow_and_end() {
        let config = DirectoryConfig::new("https://a.example").unwrap();
        let pauses: Vec<_> = pauses(&config).collect();
        assert_eq!(pauses.len(), 2);
        for (pause, least) in pauses.into_iter().zip([100, 200]) {
            assert!((least..=2 * least).contains(&pause.as_millis()), "{pause:?}");
        }
    }
}
