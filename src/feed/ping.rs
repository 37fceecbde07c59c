//! Pings: proof of how fresh a follower is.

use super::Feed;
use super::error::FeedError;
use crate::model::counters::Position;
use crate::model::ids::FollowerId;
use crate::model::service_key::ServiceKey;
use crate::token::feed::{Nonce, Pong};

/// What a follower says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ping {
    /// What makes the answer its own.
    pub nonce: Nonce,
    /// Up to where the log is in force there.
    pub applied: Position,
    /// Which stream it listens to.
    pub follower: Option<FollowerId>,
}

impl Feed {
    /// Answers a ping with a head that is read now.
    pub async fn ping(&self, key: &ServiceKey, ping: Ping) -> Result<String, FeedError> {
        if let Some(follower) = ping.follower {
            self.followers.says(follower, key.id, ping.applied, self.uptime());
        }
        let now = self.frames.now().await?;
        let answer = Pong { statement: self.frames.statement(now), nonce: ping.nonce };
        Ok(self.auth.keyring().await?.sign_pong(&answer)?)
    }
}
