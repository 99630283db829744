//! Points in time, as precise as every store keeps them.

use std::fmt;

use chrono::{DateTime, Datelike, SecondsFormat, Timelike, Utc};

/// How long `2026-11-23T10:00:00.000000Z` is.
const LENGTH: usize = 27;

/// The first and the last microsecond of the years that RFC 3339 can write: 0 … 9999.
const FIRST: i64 = -62_167_219_200_000_000;
const LAST: i64 = 253_402_300_799_999_999;

/// A point in time, in UTC, to the microsecond, of the years 0 … 9999: what is written reads back the same from any
/// store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// `None` where the point is in none of those years.
    pub fn from_micros(since_unix_epoch: i64) -> Option<Self> {
        let micros = (FIRST..=LAST).contains(&since_unix_epoch).then_some(since_unix_epoch)?;
        DateTime::from_timestamp_micros(micros).map(Self)
    }

    /// The point that is nearest to this many microseconds since the epoch.
    fn nearest(since_unix_epoch: i64) -> Self {
        Self::from_micros(since_unix_epoch.clamp(FIRST, LAST)).unwrap_or(Self(DateTime::UNIX_EPOCH))
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub fn as_micros(self) -> i64 {
        self.0.timestamp_micros()
    }

    /// The same point, as `chrono` has it.
    pub fn as_datetime(self) -> DateTime<Utc> {
        self.0
    }

    /// Hands over the time as text: RFC 3339, with six digits of a second.
    fn with_text<T>(self, write: impl FnOnce(&str) -> T) -> T {
        match self.to_ascii().as_ref().map(|text| std::str::from_utf8(text)) {
            Some(Ok(text)) => write(text),
            _ => write(&self.0.to_rfc3339_opts(SecondsFormat::Micros, true)),
        }
    }

    /// The text of a year of four digits. A page of users has many times; `chrono` takes five times as long.
    fn to_ascii(self) -> Option<[u8; LENGTH]> {
        // In UTC, as it is kept: a time with an offset adds it anew for each part that is asked for.
        let time = self.0.naive_utc();
        let year = u32::try_from(time.year()).ok().filter(|year| *year <= 9999)?;
        let parts = [
            (year, 4, b'-'),
            (time.month(), 2, b'-'),
            (time.day(), 2, b'T'),
            (time.hour(), 2, b':'),
            (time.minute(), 2, b':'),
            (time.second(), 2, b'.'),
            (time.nanosecond() / 1_000, 6, b'Z'),
        ];
        let mut text = [b'0'; LENGTH];
        let mut places = text.iter_mut().rev();
        for (mut number, digits, after) in parts.into_iter().rev() {
            *places.next()? = after;
            for place in places.by_ref().take(digits) {
                *place += u8::try_from(number % 10).ok()?;
                number /= 10;
            }
        }
        Some(text)
    }

    /// The point `duration` earlier, or the first one that there is.
    #[must_use]
    pub fn minus(self, duration: std::time::Duration) -> Self {
        Self::nearest(self.as_micros().saturating_sub(micros(duration)))
    }

    /// The point `duration` later, or the last one that there is.
    #[must_use]
    pub fn plus(self, duration: std::time::Duration) -> Self {
        Self::nearest(self.as_micros().saturating_add(micros(duration)))
    }
}

fn micros(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl From<DateTime<Utc>> for Timestamp {
    /// Drops what is finer than a microsecond. A leap second is the first one after it, as Unix counts; a point of
    /// another year is the nearest that there is.
    fn from(time: DateTime<Utc>) -> Self {
        Self::nearest(time.timestamp_micros())
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339, with six digits of a second: `2026-11-23T10:00:00.000000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.write_str(text))
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_text(|text| serializer.serialize_str(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_that_of_rfc_3339() {
        let text = |micros| Timestamp::from_micros(micros).unwrap().to_string();
        assert_eq!(text(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(text(951_827_696_000_100), "2000-02-29T12:34:56.000100Z");
        assert_eq!(text(-1), "1969-12-31T23:59:59.999999Z");
        assert_eq!(text(253_402_300_799_999_999), "9999-12-31T23:59:59.999999Z");
    }

    #[test]
    fn a_point_that_no_store_could_give_back_is_the_nearest_that_it_can() {
        let leap: DateTime<Utc> = "2016-12-31T23:59:60.25Z".parse().unwrap();
        assert_eq!(Timestamp::from(leap).to_string(), "2017-01-01T00:00:00.250000Z");
        let fine: DateTime<Utc> = "2016-12-31T23:59:59.9999999Z".parse().unwrap();
        assert_eq!(Timestamp::from(fine).to_string(), "2016-12-31T23:59:59.999999Z");
        let (first, last) = ("0000-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z");
        let now = Timestamp::from_micros(0).unwrap();
        assert_eq!(now.minus(std::time::Duration::MAX).to_string(), first);
        assert_eq!(now.plus(std::time::Duration::MAX).to_string(), last);
        assert_eq!(Timestamp::from(DateTime::<Utc>::MIN_UTC).to_string(), first);
        assert_eq!(Timestamp::from(DateTime::<Utc>::MAX_UTC).to_string(), last);
        for time in [Timestamp::from(leap), now.plus(std::time::Duration::MAX)] {
            assert_eq!(Timestamp::from_micros(time.as_micros()), Some(time));
        }
        assert_eq!((Timestamp::from_micros(FIRST - 1), Timestamp::from_micros(LAST + 1)), (None, None));
    }

    #[test]
    fn every_time_is_written_as_chrono_writes_it() {
        let years = (-1_969..8_029).map(|year| year * 31_556_952 * 1_000_000 + year * 7_919);
        for time in years.map(|micros| Timestamp::from_micros(micros).unwrap()) {
            assert_eq!(time.to_string(), time.0.to_rfc3339_opts(SecondsFormat::Micros, true));
        }
    }
}
