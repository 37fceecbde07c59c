//! Fences: waiting until a sign-out is in force at every follower of this node.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

use super::Feed;
use super::calls::CallTurn;
use crate::model::counters::Position;
use crate::store::queries::service::ReadCounters;

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
