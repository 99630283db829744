//! How long the server lets a session take before it ends what takes longer.

use std::time::Duration;

/// How long a transaction may wait for its own program.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(10);

/// How the server finds out that the other end of a session is gone without a word, as with a machine that lost its
/// power or its network: within six seconds, in place of the system's two hours. What the session locked is free then.
const VANISHED: &str = "-c tcp_keepalives_idle=3 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3";

/// How long an answer may be on its way.
const WAY: Duration = Duration::from_secs(1);

/// The longest time-out that the server knows, some 24 days.
const MOST: u128 = i32::MAX as u128;

/// The server's time-outs, each to the millisecond; zero is without limit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    statement: Duration,
    idle: Duration,
    lock: Duration,
}

impl Timeouts {
    /// What suits a request. A wait for a lock is given up before the statement's time is over; where that is a second and
    /// a half or more, after the second in which a server finds out that two wait for each other.
    pub(crate) fn of_requests(statement: Duration) -> Self {
        Self { statement, idle: IDLE_IN_TRANSACTION, lock: statement.saturating_mul(3) / 4 }
    }

    /// A migration takes as long as it takes, but waits for a lock no longer than `lock`.
    pub(crate) fn of_migrations(lock: Duration) -> Self {
        Self { statement: Duration::ZERO, idle: Duration::ZERO, lock }
    }

    /// How long a server that enforces them may say nothing to what it was asked: to prepare a statement, and to do it,
    /// each have the statement's time. None where that has no end.
    pub(crate) fn silence(self) -> Option<Duration> {
        (self.statement.as_millis() > 0).then(|| self.statement.saturating_mul(2).saturating_add(WAY))
    }

    /// For a session, as it begins, which costs no round trip.
    pub(crate) fn options(self) -> String {
        let timeouts = self.settings().map(|(name, millis)| format!("-c {name}={millis}")).join(" ");
        format!("{timeouts} {VANISHED}")
    }

    /// For the transaction that is under way: in a session that is shared with others nothing else is sure.
    pub(crate) fn local(self) -> String {
        self.settings().map(|(name, millis)| format!("SET LOCAL {name} = {millis}")).join("; ")
    }

    fn settings(self) -> [(&'static str, u128); 3] {
        let millis = |limit: Duration| limit.as_millis().min(MOST);
        [
            ("statement_timeout", millis(self.statement)),
            ("idle_in_transaction_session_timeout", millis(self.idle)),
            ("lock_timeout", millis(self.lock)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_or_each_transaction_has_its_timeouts() {
        assert_eq!(
            Timeouts::of_requests(Duration::from_secs(3)).options(),
            "-c statement_timeout=3000 -c idle_in_transaction_session_timeout=10000 -c lock_timeout=2250 \
             -c tcp_keepalives_idle=3 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3"
        );
        assert_eq!(Timeouts::of_requests(Duration::from_secs(3)).silence(), Some(Duration::from_secs(7)));
        assert_eq!(Timeouts::of_migrations(Duration::from_secs(60)).silence(), None);
        assert_eq!(
            Timeouts::of_migrations(Duration::from_secs(60)).local(),
            "SET LOCAL statement_timeout = 0; \
             SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL lock_timeout = 60000"
        );
    }

    /// Seen to fail where a server was asked for more than it can count, and so let nobody in.
    #[test]
    fn no_limit_is_beyond_what_the_server_knows() {
        let longest = Timeouts::of_requests(Duration::MAX).options();
        let expected = "-c statement_timeout=2147483647 -c idle_in_transaction_session_timeout=10000 \
             -c lock_timeout=2147483647 ";
        assert!(longest.starts_with(expected), "{longest}");
    }
}
