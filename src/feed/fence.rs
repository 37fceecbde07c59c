//! The fence: waiting until a sign-out is in force everywhere.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

use super::Feed;
use crate::model::counters::Position;

/// How long it takes at least from one call for pings to the next. Any user may put up a fence, and a call costs a ping of
/// every follower: those who come in between share the next one.
const CALL_EVERY: Duration = Duration::from_millis(500);

/// How many followers there were, and how many said in time that they are past the fence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fenced {
    /// Those connected to this node when the fence was put up.
    pub followers: usize,
    /// Those of them that have applied everything before it.
    pub confirmed: usize,
}

impl Fenced {
    /// Whether all of them are past the fence; so it is when there are none.
    pub fn is_past_all(self) -> bool {
        self.confirmed == self.followers
    }
}

/// When followers were last called to ping, and what the next call is for.
#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<Call>);

#[derive(Debug, Default)]
struct Call {
    last: Option<Instant>,
    /// The newest position that anybody waits for.
    wanted: Position,
}

/// What is left to do for somebody who waits for a position.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    /// Nothing: there was a call for it.
    Called,
    /// To call for everything up to there.
    Call(Position),
    /// To come back then.
    Wait(Instant),
}

impl Calls {
    fn lock(&self) -> MutexGuard<'_, Call> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call {
    /// Whose turn it is to call, when there was a call for everything up to `called`.
    fn turn(&mut self, here: Position, called: Position, now: Instant) -> Turn {
        self.wanted = self.wanted.max(here);
        let next = self.last.map(|last| last + CALL_EVERY);
        match next.filter(|next| *next > now) {
            _ if called >= here => Turn::Called,
            Some(next) => Turn::Wait(next),
            None => {
                self.last = Some(now);
                Turn::Call(self.wanted)
            }
        }
    }
}

impl Feed {
    /// Waits until every follower of this node has applied all that was acknowledged before the call, or its stream has
    /// ended, but at most for `wait`, and no longer than the limits allow. A store that does not answer, or a follower that does not, confirms nothing.
    pub async fn fence(&self, wait: Duration) -> Fenced {
        let (followers, until) =
            (self.followers.all(), Instant::now() + wait.min(self.followers.longest_wait()));
        let mut fenced = Fenced { followers: followers.len(), confirmed: 0 };
        let Ok(Ok(clock)) = timeout_at(until, self.log().clock()).await else { return fenced };
        let here = clock.head;
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

    /// Has every follower that has not applied everything up to `here` ping at once, or as soon as the last call is long
    /// enough ago. Never resolves, so that whoever waits for the pings goes on doing so.
    async fn call_for_pings(&self, here: Position) -> std::convert::Infallible {
        loop {
            let turn = {
                let mut call = self.calls.lock();
                let called = self.news.borrow().awaited;
                let turn = call.turn(here, called, Instant::now());
                if let Turn::Call(wanted) = turn {
                    self.news.send_modify(|news| news.awaited = news.awaited.max(wanted));
                }
                turn
            };
            match turn {
                Turn::Wait(next) => sleep_until(next).await,
                Turn::Called | Turn::Call(_) => std::future::pending().await,
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
        assert_eq!(first, Turn::Call(at(1)), "the first one waits for nobody");
        for (here, millis) in [(3, 1), (2, 100), (9, 400)] {
            assert_eq!(call.turn(at(here), at(1), later(millis)), Turn::Wait(later(500)));
        }
        assert_eq!(call.turn(at(1), at(1), later(450)), Turn::Called, "somebody else did");
        assert_eq!(call.turn(at(2), at(1), later(500)), Turn::Call(at(9)));
        assert_eq!(call.turn(at(3), at(9), later(501)), Turn::Called);
        assert_eq!(call.turn(at(10), at(9), later(502)), Turn::Wait(later(1000)));
        assert_eq!(call.turn(at(10), at(9), later(5000)), Turn::Call(at(10)));
    }
}
