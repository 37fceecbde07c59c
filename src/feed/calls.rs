//! The requests to ping that fences make, which those that wait at the same time share.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::counters::Position;

/// The shortest time between two requests to ping. Any user may start a fence, and a request costs a ping of every
/// follower, so fences started in between share the next request.
const CALL_EVERY: Duration = Duration::from_millis(500);

/// The time and the position of the last request to ping.
#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<Call>);

/// The state of [`Calls`].
#[derive(Debug, Default)]
pub(super) struct Call {
    last: Option<Instant>,
    /// The newest position that a fence waits for.
    wanted: Position,
}

/// The next action of a fence that waits for a position.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CallTurn {
    /// Followers were already asked to ping for the position.
    Called,
    /// Ask followers behind this position to ping.
    Call(Position),
    /// Try again at this time.
    Wait(Instant),
}

impl Calls {
    pub(super) fn lock(&self) -> MutexGuard<'_, Call> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call {
    /// The next action of a fence at `here`, if followers were asked to ping for everything up to `called`.
    pub(super) fn turn(&mut self, here: Position, called: Position, now: Instant) -> CallTurn {
        self.wanted = self.wanted.max(here);
        let next = self.last.map(|last| last + CALL_EVERY);
        match next.filter(|next| *next > now) {
            _ if called >= here => CallTurn::Called,
            Some(next) => CallTurn::Wait(next),
            None => {
                self.last = Some(now);
                CallTurn::Call(self.wanted)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_wait_one_call_in_a_while_is_for_all_of_them() {
        let (mut call, began, at) = (Call::default(), Instant::now(), Position::new);
        let later = |millis| began + Duration::from_millis(millis);
        let first = call.turn(at(1), at(0), began);
        assert_eq!(first, CallTurn::Call(at(1)), "the first one waits for nobody");
        for (here, millis) in [(3, 1), (2, 100), (9, 400)] {
            assert_eq!(call.turn(at(here), at(1), later(millis)), CallTurn::Wait(later(500)));
        }
        assert_eq!(call.turn(at(1), at(1), later(450)), CallTurn::Called, "somebody else did");
        assert_eq!(call.turn(at(2), at(1), later(500)), CallTurn::Call(at(9)));
        assert_eq!(call.turn(at(3), at(9), later(501)), CallTurn::Called);
        assert_eq!(call.turn(at(10), at(9), later(502)), CallTurn::Wait(later(1000)));
        assert_eq!(call.turn(at(10), at(9), later(5000)), CallTurn::Call(at(10)));
    }
}
