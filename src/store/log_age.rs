//! How long entries of the log have been there, as this node has itself seen: the only measure by which they go.
//!
//! A wall clock may be wrong, on this node or on the one that wrote an entry, and a follower that begins after an
//! entry is gone accepts the tokens it ended. So positions are noted with the uptime at which they were seen, in memory
//! only: after a restart the time begins anew.

use std::collections::VecDeque;
use std::time::Duration;

use super::retention::LOG_KEPT;
use crate::model::counters::Position;

/// Notes closer than this to the one before are not kept, so that there are few of them.
const APART: Duration = Duration::from_secs(20);

/// The positions this node has seen, and when, by a clock that counts suspended time and that nobody sets.
#[derive(Debug, Default)]
pub struct LogAge {
    seen: VecDeque<(Duration, Position)>,
    outlived: Position,
}

impl LogAge {
    /// Notes that the log reached `head` at `uptime`, which is to be read after `head` was.
    pub fn see(&mut self, head: Position, uptime: Duration) {
        // A log that went back has other entries at the positions after its end.
        while self.seen.back().is_some_and(|(_, seen)| *seen > head) {
            self.seen.pop_back();
        }
        self.outlived = self.outlived.min(head);
        let is_close =
            |(at, seen): &(Duration, Position)| uptime.saturating_sub(*at) < APART || *seen == head;
        if !self.seen.back().is_some_and(is_close) {
            self.seen.push_back((uptime, head));
        }
    }

    /// The last position that was seen as long ago as entries are kept.
    pub fn outlived(&mut self, uptime: Duration) -> Position {
        while let Some((at, head)) = self.seen.front().copied()
            && uptime.saturating_sub(at) >= LOG_KEPT
        {
            self.outlived = self.outlived.max(head);
            self.seen.pop_front();
        }
        self.outlived
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const BOOT: Duration = Duration::from_secs(10 * 24 * 60 * 60);

    fn age(notes: &[(u64, u64)]) -> LogAge {
        let mut age = LogAge::default();
        for (second, head) in notes {
            age.see(Position::new(*head), BOOT + Duration::from_secs(*second));
        }
        age
    }

    #[test]
    fn an_entry_is_outlived_65_minutes_after_it_was_first_seen() {
        let mut age = age(&[(0, 7), (60, 9), (3_600, 9)]);
        assert_eq!(age.outlived(BOOT + Duration::from_secs(65 * 60 - 1)), Position::new(0));
        assert_eq!(age.outlived(BOOT + LOG_KEPT), Position::new(7));
        assert_eq!(age.outlived(BOOT + LOG_KEPT + SECOND * 60), Position::new(9));
    }

    #[test]
    fn an_uptime_of_days_at_the_start_outlives_nothing() {
        assert_eq!(LogAge::default().outlived(BOOT), Position::new(0));
        assert_eq!(age(&[(0, 7)]).outlived(BOOT), Position::new(0));
    }

    #[test]
    fn notes_are_few_and_never_older_than_what_they_saw() {
        let mut age = age(&[(0, 1)]);
        for second in 1..20_000 {
            age.see(Position::new(1 + second), BOOT + Duration::from_secs(second));
            assert!(
                age.outlived(BOOT + Duration::from_secs(second)).value() <= 1 + second.saturating_sub(3_900)
            );
        }
        assert!(age.seen.len() <= 200, "{}", age.seen.len());
        let last = age.seen.back().unwrap().1;
        for second in 20_000..30_000 {
            age.see(last, BOOT + Duration::from_secs(second));
        }
        assert_eq!(age.seen.back().unwrap().1, last);
        assert!(age.seen.len() <= 200, "a log in which nothing happens adds none");
    }

    #[test]
    fn a_log_that_went_back_is_seen_anew() {
        let mut age = age(&[(0, 9), (60, 5), (120, 12)]);
        assert_eq!(age.outlived(BOOT + LOG_KEPT + SECOND * 119), Position::new(5));
        assert_eq!(age.outlived(BOOT + LOG_KEPT + SECOND * 120), Position::new(12));
        age.see(Position::new(3), BOOT + LOG_KEPT + SECOND * 200);
        assert_eq!(age.outlived(BOOT + LOG_KEPT + SECOND * 200), Position::new(3), "no more is there");
    }
}
