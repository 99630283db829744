//! Points in time, as precise as every store keeps them.

use std::fmt;

use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};

/// A point in time, in UTC, to the microsecond: what is written reads back the same from any store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// `None` where the point is outside of what a calendar can name, some 262,000 years from now.
    pub fn from_micros(since_unix_epoch: i64) -> Option<Self> {
        DateTime::from_timestamp_micros(since_unix_epoch).map(Self)
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub fn as_micros(self) -> i64 {
        self.0.timestamp_micros()
    }

    /// The same point, as `chrono` has it.
    pub fn as_datetime(self) -> DateTime<Utc> {
        self.0
    }

    /// The point `duration` earlier, or the first one that there is.
    #[must_use]
    pub fn minus(self, duration: std::time::Duration) -> Self {
        chrono::TimeDelta::from_std(duration)
            .ok()
            .and_then(|duration| self.0.checked_sub_signed(duration))
            .map_or(Self(DateTime::<Utc>::MIN_UTC), Self::from)
    }

    /// The point `seconds` later, or the last one that there is.
    #[must_use]
    pub fn plus_seconds(self, seconds: u32) -> Self {
        self.0
            .checked_add_signed(chrono::TimeDelta::seconds(seconds.into()))
            .map_or(Self(DateTime::<Utc>::MAX_UTC), Self::from)
    }
}

impl From<DateTime<Utc>> for Timestamp {
    /// Drops what is finer than a microsecond.
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.trunc_subsecs(6))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339, with six digits of a second: `2026-11-23T10:00:00.000000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
