//! Fences: waiting until a sign-out is in force at every follower of this node.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

use super::Feed;
use crate::model::counters::Position;
use crate::store::queries::service::ReadCounters;

/// The shortest time between two requests to ping. Any user may start a fence, and a request costs a ping of every
/// follower, so fences started in between share the next request.
const CALL_EVERY: Duration = Duration::from_millis(500);

/// The result of a fence: the number of followers, and of those that confirmed in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fenced {
    /// The number of followers connected to this node when the fence started.
    pub followers: usize,
    /// The number of those that have applied everything before the fence.
    pub confirmed: usize,
}

impl Fenced {
    /// Whether all followers have confirmed; also true if there are none.
    pub fn is_past_all(self) -> bool {
        self.confirmed == self.followers
    }
}

/// The time and the position of the last request to ping.
#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<Call>);

#[derive(Debug, Default)]
struct Call {
    last: Option<Instant>,
    /// The newest position that a fence waits for.
    wanted: Position,
}

/// The next action of a fence that waits for a position.
#[derive(Debug, PartialEq, Eq)]
enum CallTurn {
    /// Followers were already asked to ping for the position.
    Called,
    /// Ask followers behind this position to ping.
    Call(Position),
    /// Try again at this time.
    Wait(Instant),
}

impl Calls {
    fn lock(&self) -> MutexGuard<'_, Call> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call {
    /// The next action of a fence at `here`, if followers were asked to ping for everything up to `called`.
    fn turn(&mut self, here: Position, called: Position, now: Instant) -> CallTurn {
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

impl Feed {
    /// Waits until every follower of this node has applied all that was acknowledged before the call, or its stream
    /// has ended; at most for `wait`, and no longer than the limits allow. Without an answer of the store, no follower
    /// counts as confirmed.
    pub async fn fence(&self, wait: Duration) -> Fenced {
        let (followers, until) =
            (self.followers.all(), Instant::now() + wait.min(self.followers.longest_wait()));
        let mut fenced = Fenced { followers: followers.len(), confirmed: 0 };
        let Ok(Ok(counters)) = timeout_at(until, self.store.read(ReadCounters)).await else { return fenced };
        let here = counters.head;
        let confirmed = async {
            // One after the other is as good as all at once: it takes as long as the last of them.
            for follower in &followers {
                let mut progress = follower.progress();
                let _ended = progress.wait_for(|progress| progress.ended || progress.applied >= here).await;
            }
        };
        let _in_time = timeout_at(until, async {
            tokio::select! {
                () = confirmed => {}
                never = self.call_for_pings(here) => match never {},
            }
        })
        .await;
        fenced.confirmed = followers.iter().filter(|follower| follower.applied() >= here).count();
        fenced
    }

    /// Asks every follower behind `here` to ping, as soon as [`CALL_EVERY`] has passed since the last request. Never
    /// resolves, so that it can be polled beside the wait for the pings.
    async fn call_for_pings(&self, here: Position) -> std::convert::Infallible {
        loop {
            let turn = {
                let mut call = self.calls.lock();
                let called = self.news.borrow().awaited;
                let turn = call.turn(here, called, Instant::now());
                if let CallTurn::Call(wanted) = turn {
                    self.news.send_modify(|news| news.awaited = news.awaited.max(wanted));
                }
                turn
            };
            match turn {
                CallTurn::Wait(next) => sleep_until(next).await,
                CallTurn::Called | CallTurn::Call(_) => std::future::pending().await,
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
