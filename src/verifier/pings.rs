//! How freshness is proven: a question with a nonce, and an answer whose head has been applied.
//!
//! The issuer reads its head after the question has arrived, so whatever was acknowledged before we *sent* it is
//! covered by that head. However late, often or altered an answer comes, it proves nothing about a later moment.

use std::collections::VecDeque;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::model::counters::{KeysVersion, Position};
use crate::token::feed::Nonce;
use crate::world::World;

/// Questions that wait for an answer, and answers that wait for their head: more of either help nobody.
const MOST: usize = 16;

/// A question.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) nonce: Nonce,
    /// When it was sent, on our suspend-counting clock.
    pub(super) sent: Duration,
    /// What had been applied then. A head below it is one that went backwards.
    pub(super) applied: Option<Position>,
}

/// An answer: when everything up to `head` is applied and the keys are at least those, `sent` is proven.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered {
    pub(super) head: Position,
    pub(super) keys: KeysVersion,
    pub(super) sent: Duration,
}

/// What was asked and answered.
#[derive(Debug, Default)]
pub(super) struct Pings {
    asked: VecDeque<Asked>,
    answered: VecDeque<Answered>,
}

impl Pings {
    /// A new question. The oldest one without an answer gives way when there are too many.
    pub(super) fn ask(&mut self, world: &World, applied: Option<Position>) -> Option<Asked> {
        let nonce = Nonce::parse(&URL_SAFE_NO_PAD.encode(world.random::<16>()))?;
        let asked = Asked { nonce, sent: world.uptime(), applied };
        if self.asked.len() == MOST {
            self.asked.pop_front();
        }
        self.asked.push_back(asked.clone());
        Some(asked)
    }

    /// The question that `nonce` answers; each is answered once, and none after a later one.
    pub(super) fn answer(&mut self, nonce: &Nonce) -> Option<Asked> {
        let at = self.asked.iter().position(|asked| asked.nonce == *nonce)?;
        self.asked.drain(..=at).next_back()
    }

    /// Keeps an answer until it proves something. When there are too many the newest is dropped, so that a follower
    /// that is always a little behind still proves something.
    pub(super) fn keep(&mut self, answered: Answered) {
        if self.answered.len() < MOST {
            self.answered.push_back(answered);
        }
    }

    /// The latest moment that is proven by what has been applied and by the keys at hand.
    pub(super) fn proven(&mut self, applied: Position, keys: KeysVersion) -> Option<Duration> {
        let is_met = |answered: &Answered| answered.head <= applied && answered.keys <= keys;
        let proven = self.answered.iter().filter(|answered| is_met(answered)).map(|met| met.sent).max();
        self.answered.retain(|answered| !is_met(answered));
        proven
    }

    /// When the oldest answer was asked for whose head has not been applied.
    pub(super) fn behind(&self, applied: Option<Position>) -> Option<Duration> {
        let waits = |answered: &&Answered| applied.is_none_or(|applied| answered.head > applied);
        self.answered.iter().find(waits).map(|answered| answered.sent)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.asked.len() + self.answered.len()
    }

    /// Answers of another store prove nothing about this one.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}
