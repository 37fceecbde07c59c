//! Users on all nodes at once, each with a ledger, while something happens to the database.

use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Duration;

use super::ledger::{Acted, Ledger, Tally};
use super::nodes::Nodes;
use super::{count, figure};
use crate::client::PATIENCE;

const USERS: usize = 6;

/// The pause of a client after a 503: shorter than `Retry-After` asks for, but not zero.
const PAUSE: Duration = Duration::from_millis(5);

/// The users that make the load.
#[derive(Debug)]
pub(super) struct Load(Vec<Ledger>);

/// The number of acknowledged steps, and whether the users have to stop.
#[derive(Debug, Default)]
pub(super) struct Progress {
    at: Mutex<(usize, bool)>,
    moved: Condvar,
}

impl Load {
    /// New users on these nodes.
    pub(super) fn on(nodes: &Nodes) -> Self {
        let key = nodes.service_key(&["sessions"]);
        let ledger = |number: usize| {
            let seed = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(u64::try_from(number).unwrap() + 1);
            Ledger::new(nodes.clients(), &key, &format!("loaded-{number}"), seed)
        };
        Self((0..USERS).map(ledger).collect())
    }

    /// Lets the users take steps while `meanwhile` runs, then settles every ledger.
    pub(super) fn during<T>(&mut self, meanwhile: impl FnOnce(&Progress) -> T) -> T {
        let progress = Progress::default();
        let happened = thread::scope(|scope| {
            for ledger in &mut self.0 {
                let progress = &progress;
                scope.spawn(move || progress.until_stopped(|| ledger.act()));
            }
            // A failure of `meanwhile` would otherwise wait for users who never stop.
            let _stopped = Stopped(&progress);
            meanwhile(&progress)
        });
        thread::scope(|scope| {
            for ledger in &mut self.0 {
                scope.spawn(|| ledger.settle());
            }
        });
        happened
    }

    /// The sum of all ledgers' counts.
    pub(super) fn tally(&self) -> Tally {
        self.0.iter().fold(Tally::default(), |sum, Ledger { tally, .. }| Tally {
            acknowledged: sum.acknowledged + tally.acknowledged,
            unanswered: sum.unanswered + tally.unanswered,
            taken: sum.taken + tally.taken,
            looked_after: sum.looked_after + tally.looked_after,
            lost: sum.lost + tally.lost,
        })
    }
}

impl Tally {
    /// Prints the figures, and asserts that no acknowledged step was lost.
    #[track_caller]
    pub(super) fn report(&self) {
        figure("steps acknowledged meanwhile", count(self.acknowledged), "", None);
        figure("checks of these steps with the database at rest", count(self.looked_after), "", None);
        figure("acknowledged steps lost by them", count(self.lost), "", Some("0"));
        figure("steps answered with 503 meanwhile", count(self.unanswered), "", None);
        figure("of these, found to have been taken", count(self.taken), "", None);
        assert_eq!(self.lost, 0);
        assert!(self.looked_after > 0 && self.unanswered > 0, "{self:?}");
    }
}

/// Stops the users when dropped.
struct Stopped<'a>(&'a Progress);

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.0.at.lock().unwrap().1 = true;
        self.0.moved.notify_all();
    }
}

impl Progress {
    fn until_stopped(&self, mut act: impl FnMut() -> Acted) {
        // A user that fails must not be waited for.
        let _failed = Failed(self);
        loop {
            let acted = act();
            let mut at = self.at.lock().unwrap();
            match acted {
                Acted::Acknowledged => {
                    at.0 += 1;
                    self.moved.notify_all();
                }
                Acted::Unanswered if !at.1 => at = self.moved.wait_timeout(at, PAUSE).unwrap().0,
                Acted::Unanswered | Acted::Asked => {}
            }
            if at.1 {
                return;
            }
        }
    }

    /// Waits until `more` further steps are acknowledged.
    pub(super) fn acknowledged(&self, more: usize) {
        let at = self.at.lock().unwrap();
        let goal = at.0 + more;
        let waiting = |at: &mut (usize, bool)| at.0 < goal && !at.1;
        let (at, late) = self.moved.wait_timeout_while(at, PATIENCE, waiting).unwrap();
        assert!(!late.timed_out() && !at.1, "{} of {goal} steps were acknowledged", at.0);
    }
}

/// Stops all users when the thread of one panics.
struct Failed<'a>(&'a Progress);

impl Drop for Failed<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            drop(Stopped(self.0));
        }
    }
}
