//! Pings: proof of a follower's freshness.

use super::Feed;
use super::error::FeedError;
use crate::model::counters::Position;
use crate::model::ids::FollowerId;
use crate::model::service_key::ServiceKeyRecord;
use crate::token::feed::{Nonce, Pong};

/// A ping, with which a follower reports its progress and asks for proof of the head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PingRequest {
    /// The random value that binds the answer to this ping.
    pub nonce: Nonce,
    /// The position up to which the log is in force at the follower.
    pub applied: Position,
    /// The id of the follower's stream, from its `hello` event.
    pub follower: Option<FollowerId>,
}

impl Feed {
    /// Answers a ping with the signed head of the log, read after the call.
    pub async fn ping(&self, key: &ServiceKeyRecord, ping: PingRequest) -> Result<String, FeedError> {
        if let Some(follower) = ping.follower {
            self.followers.says(follower, key.id, ping.applied, self.uptime());
        }
        let now = self.frames.now().await?;
        let answer = Pong { statement: self.frames.statement(now), nonce: ping.nonce };
        Ok(self.keys.checked().await?.sign_pong(&answer)?)
    }
}
