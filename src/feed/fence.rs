//! The fence: waiting until a sign-out is in force everywhere.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::Feed;

/// How many followers there were, and how many said in time that they are past the fence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fenced {
    /// Those connected to this node when the fence was put up.
    pub followers: usize,
    /// Those of them that have applied everything before it.
    pub confirmed: usize,
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
        self.news.send_modify(|news| news.awaited = news.awaited.max(here));
        // One after the other is as good as all at once: it takes as long as the last of them.
        for follower in followers {
            let mut progress = follower.progress();
            let passed = progress.wait_for(|progress| progress.ended || progress.applied >= here);
            let _in_time = timeout_at(until, passed).await;
            fenced.confirmed += usize::from(follower.applied() >= here);
        }
        fenced
    }
}
