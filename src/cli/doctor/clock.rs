//! The wall clock: with a wrong one tokens expire early or late, and nodes of a shared store stop answering.

use time::macros::datetime;

use super::diagnosis::{Diagnosis, Grade};
use crate::service::stores::Timestamp;
use crate::world::reference::{TOLERATED, behind_record};

/// The subject of the findings.
pub(super) const ABOUT: &str = "clock";
/// The earliest plausible time in Unix seconds: no version of the service is older.
const EARLIEST: i64 = datetime!(2026-01-01 00:00 UTC).unix_timestamp();

pub(super) fn examine(now: i64) -> Diagnosis {
    if now < EARLIEST { wrong("the clock stands before 2026") } else { Diagnosis::good(ABOUT, "plausible") }
}

/// A finding if the clock is so far behind the time of a record that the service warns of it at its start.
pub(super) fn behind(recorded: i64, now: i64) -> Option<Diagnosis> {
    let late = behind_record(Timestamp::from_unix(recorded), Timestamp::from_unix(now))?;
    Some(wrong(&format!("the clock is {} s behind the newest record of the store", late.as_secs())))
}

/// A finding if the clock and the database's differ by more than [`TOLERATED`].
pub(super) fn apart(theirs: i64, now: i64) -> Option<Diagnosis> {
    let ahead = now.saturating_sub(theirs);
    let way = if ahead > 0 { "ahead of" } else { "behind" };
    (ahead.unsigned_abs() > TOLERATED.as_secs())
        .then(|| wrong(&format!("the clock is {} s {way} the database's", ahead.abs())))
}

fn wrong(what: &str) -> Diagnosis {
    Diagnosis::new(
        ABOUT,
        Grade::Bad,
        what,
        "set the clock; `timedatectl` shows it, and chrony or ntpd keep it right",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_before_the_service_existed_is_bad() {
        assert_eq!(examine(0).grade, Grade::Bad);
        assert_eq!(examine(EARLIEST).grade, Grade::Good);
    }

    #[test]
    fn a_clock_behind_the_store_is_bad_beyond_the_leeway() {
        assert_eq!(behind(1_060, 1_000), None);
        assert_eq!(behind(1_061, 1_000).map(|diagnosis| diagnosis.grade), Some(Grade::Bad));
        assert_eq!(behind(1_000, 2_000), None);
    }

    #[test]
    fn a_clock_apart_from_the_databases_is_bad_on_either_side() {
        assert_eq!((apart(1_060, 1_000), apart(1_000, 1_060)), (None, None));
        let what = |theirs, now| apart(theirs, now).map(|diagnosis| diagnosis.what);
        assert_eq!(what(1_061, 1_000).as_deref(), Some("the clock is 61 s behind the database's"));
        assert_eq!(what(1_000, 4_600).as_deref(), Some("the clock is 3600 s ahead of the database's"));
    }
}
