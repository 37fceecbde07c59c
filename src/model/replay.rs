//! **The refresh decision**: how a presented refresh token is answered, once its device is known to be live.
//!
//! An honest user must not be signed out by a lost answer, two tabs, a client whose parallel requests refresh
//! independently, or a phone that changes networks; a thief must not stay unnoticed for long.
//!
//! A device may have been opened for an app that never stores the refresh token of an answer. It does not rotate: its one
//! token is honoured until the device ends, and whether a copy of it is in use cannot be told.

use std::time::Duration;

use super::counters::{Generation, Sequence};
use super::network::Network;
use super::refresh_state::RefreshState;
use super::timestamp::Timestamp;

/// The period over which recoveries are counted.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The largest assumed clock difference between nodes. A window that starts further in the future was opened before
/// the clock was set back and counts as over; else an old token would be accepted until the clock catches up.
const SKEW: Duration = Duration::from_secs(60);

/// Whether the period of `length` from `start` has not ended at `now`.
fn lasts(start: Timestamp, length: Duration, now: Timestamp) -> bool {
    start <= now + SKEW && now < start + length
}

/// The settings of the refresh-token replay rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayPolicy {
    /// How long after an advance the newest refresh token and the one before are answered with the newest again, if
    /// presented from the network the device advanced from.
    pub grace: Duration,
    /// The most recoveries of a device in 24 hours.
    pub recoveries: usize,
    /// Disables grace and recoveries: the newest token advances, the previous one is reuse, and a lost answer signs
    /// the user out. A device that does not rotate goes on as without it.
    pub strict: bool,
}

impl Default for ReplayPolicy {
    fn default() -> Self {
        Self { grace: Duration::from_secs(60), recoveries: 5, strict: false }
    }
}

/// The classification of a presented refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// The token is newer than any handed out: the store was rolled back. The request is refused, an alarm raised,
    /// nothing ended.
    Ahead,
    /// The token is older than a password change: refused, but not a sign of theft.
    BelowFloor,
    /// The token is the newest one: the sequence advances.
    Rotate,
    /// The token is the newest one of a device that does not rotate: it stays the newest, and the device stays on.
    Renew,
    /// The token is the newest or the previous one, within the grace window and from the remembered network; after a
    /// recovery the previous token also repeats from any network. The newest one is answered, nothing is written.
    Repeat,
    /// The token is the previous one outside the window, with recoveries left: the newest one is answered and the
    /// recovery counted.
    Recover,
    /// The token was used before: the device is ended.
    Reuse,
}

impl RefreshState {
    /// Classifies the sequence `presented` from `network` at `now`: the first rule that applies. `rotates` says whether a
    /// refresh brings the device a new token. `now` comes from a clock that is not set while the process runs, as in
    /// [`RefreshState::rotate`], [`RefreshState::renew`] and [`RefreshState::recover`].
    pub fn classify(
        &self,
        presented: Sequence,
        network: Network,
        rotates: bool,
        policy: &ReplayPolicy,
        now: Timestamp,
    ) -> Replay {
        if presented > self.current {
            return Replay::Ahead;
        }
        if self.is_below_floor(presented) {
            return Replay::BelowFloor;
        }
        let since_advance = self.advanced.filter(|at| lasts(*at, policy.grace, now));
        let from_there = self.network == Some(network);
        if presented == self.current {
            // A device advances once a window from one network: a client whose parallel requests refresh each on its own
            // would leave tokens behind that no rule may forgive.
            let again = since_advance.is_some() && from_there && !(rotates && policy.strict);
            return match (again, rotates) {
                (true, _) => Replay::Repeat,
                (false, true) => Replay::Rotate,
                (false, false) => Replay::Renew,
            };
        }
        if presented.next() != self.current || policy.strict {
            return Replay::Reuse;
        }
        let recovery = self.recoveries.last().filter(|_| self.recovered);
        let window_open = since_advance.or(recovery.copied()).is_some_and(|at| lasts(at, policy.grace, now));
        if window_open && (from_there || self.recovered) {
            return Replay::Repeat;
        }
        let granted = self.recoveries.iter().filter(|at| lasts(**at, DAY, now)).count();
        if granted < policy.recoveries { Replay::Recover } else { Replay::Reuse }
    }

    /// Advances to the next refresh token, which is handed out to `network`.
    pub fn rotate(&mut self, network: Network, now: Timestamp) {
        self.current = self.current.next();
        self.advanced = Some(now);
        self.network = Some(network);
        self.recovered = false;
    }

    /// Honours the token of a device that does not rotate, presented from `network`.
    pub fn renew(&mut self, network: Network, now: Timestamp) {
        self.advanced = Some(now);
        self.network = Some(network);
        self.recovered = false;
    }

    /// Grants a recovery: reopens the grace window without remembering a network.
    pub fn recover(&mut self, now: Timestamp) {
        self.recoveries.retain(|at| lasts(*at, DAY, now));
        self.recoveries.push(now);
        self.recovered = true;
    }

    /// Whether a refresh token of this sequence is from before the last change of the password.
    pub fn is_below_floor(&self, presented: Sequence) -> bool {
        presented < self.floor
    }

    /// Refuses every refresh token handed out so far: the next sequence becomes the lowest accepted, and `generation`
    /// the lowest whose access tokens are.
    pub fn raise_floor(&mut self, generation: Generation) {
        self.current = self.current.next();
        self.floor = self.current;
        self.floor_generation = generation;
        self.advanced = None;
        self.recovered = false;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix(1_000_000 + second)
    }

    fn network(text: &str) -> Network {
        Network::of(text.parse().unwrap())
    }

    struct Phone {
        state: RefreshState,
        rotates: bool,
        policy: ReplayPolicy,
    }

    impl Phone {
        fn at_home() -> Self {
            let (state, policy) = (RefreshState::opened(network("192.0.2.1")), ReplayPolicy::default());
            Self { state, rotates: true, policy }
        }

        fn that_never_stores_an_answer() -> Self {
            Self { rotates: false, ..Self::at_home() }
        }

        fn presents(&mut self, sequence: u64, from: &str, second: i64) -> Replay {
            let from = network(from);
            let sequence = Sequence::new(sequence);
            let replay = self.state.classify(sequence, from, self.rotates, &self.policy, at(second));
            match replay {
                Replay::Rotate => self.state.rotate(from, at(second)),
                Replay::Renew => self.state.renew(from, at(second)),
                Replay::Recover => self.state.recover(at(second)),
                _ => {}
            }
            replay
        }
    }

    #[test]
    fn a_lost_answer_and_parallel_tabs_get_the_same_successor() {
        let mut phone = Phone::at_home();
        assert_eq!(phone.presents(0, "192.0.2.1", 0), Replay::Rotate);
        assert_eq!(phone.presents(0, "192.0.2.1", 1), Replay::Repeat);
        assert_eq!(phone.presents(0, "192.0.2.99", 59), Replay::Repeat);
        assert_eq!(phone.state.current, Sequence::new(1));
    }

    #[test]
    fn the_grace_window_ends_on_the_second() {
        let mut phone = Phone::at_home();
        phone.presents(0, "192.0.2.1", 0);
        assert_eq!(phone.presents(0, "192.0.2.1", 60), Replay::Recover);
    }

    #[test]
    fn a_device_advances_once_a_minute_from_one_network() {
        let mut phone = Phone::at_home();
        assert_eq!(phone.presents(0, "192.0.2.1", 0), Replay::Rotate, "a sign-in is no advance");
        for second in [0, 1, 59] {
            assert_eq!(phone.presents(1, "192.0.2.1", second), Replay::Repeat);
            assert_eq!(
                phone.presents(0, "192.0.2.1", second),
                Replay::Repeat,
                "and so does who read it before"
            );
        }
        assert_eq!(phone.presents(1, "192.0.2.1", 60), Replay::Rotate, "the minute is over to the second");
        assert_eq!(phone.presents(2, "198.51.100.1", 61), Replay::Rotate, "who moved on is not held up");
        assert_eq!(
            phone.presents(3, "192.0.2.1", 62),
            Replay::Rotate,
            "one network is remembered, the last one"
        );
        assert_eq!(phone.presents(4, "192.0.2.1", 63), Replay::Repeat);
    }

    #[test]
    fn a_recovery_is_no_advance() {
        let mut phone = Phone::at_home();
        phone.presents(0, "192.0.2.1", 0);
        assert_eq!(phone.presents(0, "198.51.100.1", 50), Replay::Recover);
        assert_eq!(phone.presents(1, "192.0.2.1", 59), Replay::Repeat);
        assert_eq!(
            phone.presents(0, "192.0.2.1", 109),
            Replay::Repeat,
            "the recovery opened the window again"
        );
        assert_eq!(
            phone.presents(1, "192.0.2.1", 109),
            Replay::Rotate,
            "but the newest token waits for no recovery"
        );
    }

    #[test]
    fn the_other_address_family_is_another_network() {
        let mut phone = Phone::at_home();
        phone.presents(0, "2001:db8:7::1", 0);
        phone.presents(1, "192.0.2.1", 1);
        assert_eq!(phone.presents(1, "2001:db8:7::1", 2), Replay::Recover, "it was left, and is counted");
    }

    #[test]
    fn another_network_is_a_recovery_and_is_not_remembered() {
        let mut phone = Phone::at_home();
        phone.presents(0, "192.0.2.1", 0);
        assert_eq!(phone.presents(0, "198.51.100.1", 1), Replay::Recover);
        assert_eq!(
            phone.presents(0, "203.0.113.1", 2),
            Replay::Repeat,
            "a recovery was granted for this one"
        );
        assert_eq!(phone.presents(1, "192.0.2.1", 60), Replay::Rotate);
        assert_eq!(
            phone.presents(1, "198.51.100.1", 61),
            Replay::Recover,
            "the recovery's network was not remembered"
        );
    }

    #[test]
    fn five_recoveries_a_day_then_reuse() {
        let mut phone = Phone::at_home();
        for round in 0..5 {
            let second = i64::try_from(round).unwrap() * 1_000;
            assert_eq!(phone.presents(round, "192.0.2.1", second), Replay::Rotate);
            assert_eq!(phone.presents(round, "198.51.100.1", second + 1), Replay::Recover);
        }
        assert_eq!(phone.presents(5, "192.0.2.1", 5_000), Replay::Rotate);
        assert_eq!(phone.presents(5, "198.51.100.1", 5_001), Replay::Reuse);
        assert_eq!(
            phone.presents(5, "198.51.100.1", 86_401),
            Replay::Recover,
            "the first recovery is a day old"
        );
    }

    #[test]
    fn a_clock_that_is_set_back_opens_no_window_again() {
        let mut phone = Phone::at_home();
        phone.presents(0, "192.0.2.1", 3_600);
        assert_eq!(phone.presents(0, "192.0.2.1", 3_600 - 60), Replay::Repeat, "as far as clocks differ");
        assert_eq!(phone.presents(0, "192.0.2.1", 3_600 - 61), Replay::Recover, "counted, not for nothing");
        assert_eq!(phone.presents(1, "192.0.2.1", 0), Replay::Rotate);
    }

    #[test]
    fn recoveries_dated_ahead_are_forgiven() {
        let mut phone = Phone::at_home();
        let year = 365 * 86_400;
        for round in 0..5 {
            let second = year + i64::try_from(round).unwrap() * 1_000;
            assert_eq!(phone.presents(round, "192.0.2.1", second), Replay::Rotate);
            assert_eq!(phone.presents(round, "198.51.100.1", second + 61), Replay::Recover);
        }
        assert_eq!(phone.presents(5, "192.0.2.1", 0), Replay::Rotate);
        assert_eq!(phone.presents(5, "192.0.2.1", 61), Replay::Recover);
        assert_eq!(phone.state.recoveries, [at(61)]);
    }

    #[test]
    fn two_behind_is_reuse() {
        let mut phone = Phone::at_home();
        phone.presents(0, "192.0.2.1", 0);
        phone.presents(1, "192.0.2.1", 60);
        assert_eq!(phone.presents(0, "192.0.2.1", 61), Replay::Reuse);
    }

    #[test]
    fn a_sequence_never_handed_out_is_ahead() {
        assert_eq!(Phone::at_home().presents(1, "192.0.2.1", 0), Replay::Ahead);
    }

    #[test]
    fn below_the_floor_is_dead_and_no_reuse() {
        let mut phone = Phone::at_home();
        phone.presents(0, "192.0.2.1", 0);
        phone.state.raise_floor(Generation::new(2));
        assert_eq!(phone.presents(0, "192.0.2.1", 1), Replay::BelowFloor);
        assert_eq!(phone.presents(1, "192.0.2.1", 1), Replay::BelowFloor);
        assert_eq!(phone.presents(2, "192.0.2.1", 1), Replay::Rotate);
    }

    #[test]
    fn strict_has_no_grace_and_no_recoveries() {
        let mut phone = Phone::at_home();
        phone.policy.strict = true;
        phone.presents(0, "192.0.2.1", 0);
        assert_eq!(phone.presents(1, "192.0.2.1", 0), Replay::Rotate, "the newest one advances, always");
        assert_eq!(phone.presents(1, "192.0.2.1", 0), Replay::Reuse);
    }

    #[test]
    fn a_device_that_does_not_rotate_keeps_its_one_token_until_the_password_changes() {
        let mut phone = Phone::that_never_stores_an_answer();
        assert_eq!(phone.presents(0, "192.0.2.1", 0), Replay::Renew);
        assert_eq!(phone.presents(0, "192.0.2.1", 59), Replay::Repeat, "nothing is written twice a minute");
        assert_eq!(phone.presents(0, "198.51.100.1", 59), Replay::Renew);
        assert_eq!(phone.presents(1, "192.0.2.1", 60), Replay::Ahead, "no other token was handed out");
        phone.policy.strict = true;
        assert_eq!(phone.presents(0, "198.51.100.1", 61), Replay::Repeat);
        assert_eq!(phone.presents(0, "192.0.2.1", 62), Replay::Renew);
        phone.state.raise_floor(Generation::new(2));
        assert_eq!(phone.presents(0, "192.0.2.1", 63), Replay::BelowFloor);
        assert_eq!(phone.presents(1, "192.0.2.1", 64), Replay::Renew);
    }

    proptest! {
        #[test]
        fn the_token_of_a_device_that_does_not_rotate_is_never_taken_for_a_replay(
            presentations in prop::collection::vec((0_i64..10_000_000, 0_u8..4), 1..200),
            strict: bool,
            changed: bool,
        ) {
            let mut phone = Phone::that_never_stores_an_answer();
            phone.policy.strict = strict;
            if changed {
                phone.state.raise_floor(Generation::new(2));
            }
            let token = phone.state.current;
            for (second, from) in presentations {
                let replay = phone.presents(token.value(), &format!("192.0.{from}.1"), second);
                prop_assert!(matches!(replay, Replay::Renew | Replay::Repeat), "{:?}", replay);
                prop_assert_eq!(phone.state.current, token, "no new token is given");
                prop_assert!(phone.state.recoveries.is_empty());
            }
        }
    }
}
