//! A point in time in whole seconds, as used in tokens, records and answers.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A point in time: whole seconds since the Unix epoch, UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The point in time `seconds` after the Unix epoch.
    pub const fn from_unix(seconds: i64) -> Self {
        Self(seconds)
    }

    /// The number of seconds since the Unix epoch.
    pub const fn unix(self) -> i64 {
        self.0
    }

    /// Formats the time as RFC 3339 in UTC with whole seconds: `2026-11-22T10:25:12Z`. Years are clamped to 0–9999.
    pub fn rfc3339(self) -> String {
        let clamped = self.0.clamp(-62_167_219_200, 253_402_300_799);
        let moment = OffsetDateTime::from_unix_timestamp(clamped).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        moment.format(&Rfc3339).unwrap_or_default()
    }

    /// Parses exactly what [`Timestamp::rfc3339`] writes; `None` for any other spelling.
    pub fn parse(text: &str) -> Option<Self> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        let parsed = Self(moment.unix_timestamp());
        (parsed.rfc3339() == text).then_some(parsed)
    }

    /// The time from `self` until `later`; zero if `later` is not after `self`.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_secs(u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_secs()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_secs()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_nothing_else() {
        let moment = Timestamp::from_unix(1_795_342_812);
        assert_eq!(moment.rfc3339(), "2026-11-22T10:20:12Z");
        assert_eq!(Timestamp::parse("2026-11-22T10:20:12Z"), Some(moment));
        for other in
            ["2026-11-22T10:20:12.5Z", "2026-11-22T10:20:12+00:00", "2026-11-22t10:20:12z", "", "now"]
        {
            assert_eq!(Timestamp::parse(other), None, "{other}");
        }
    }
}
