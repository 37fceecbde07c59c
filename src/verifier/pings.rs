//! Pings: freshness is proven by a nonce, and by applying everything up to the head in its answer.
//!
//! The issuer reads its head after the ping has arrived, so that head covers whatever was acknowledged before the ping
//! was *sent*. However late, often or altered an answer arrives, it proves nothing about a later time.

use std::collections::VecDeque;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::model::counters::{KeysVersion, Position};
use crate::token::feed::Nonce;
use crate::world::World;

/// The most pings waiting for an answer, and the most answers waiting for their head.
const MOST: usize = 16;

/// A ping that was sent.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) nonce: Nonce,
    /// When the ping was sent, by the suspend-counting clock.
    pub(super) sent: Duration,
    /// The position applied at that time. A lower head in the answer shows a rollback.
    pub(super) applied: Option<Position>,
}

/// An answer: once everything up to `head` is applied and the keys are at least of version `keys`, freshness at `sent`
/// is proven.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered {
    pub(super) head: Position,
    pub(super) keys: KeysVersion,
    pub(super) sent: Duration,
}

/// The pings and answers in progress.
#[derive(Debug, Default)]
pub(super) struct Pings {
    asked: VecDeque<Asked>,
    answered: VecDeque<Answered>,
}

impl Pings {
    /// Creates a ping. Above the limit the oldest unanswered one is dropped.
    pub(super) fn ask(&mut self, world: &World, applied: Option<Position>) -> Option<Asked> {
        let nonce = Nonce::parse(&URL_SAFE_NO_PAD.encode(world.random::<16>()))?;
        let asked = Asked { nonce, sent: world.uptime(), applied };
        if self.asked.len() == MOST {
            self.asked.pop_front();
        }
        self.asked.push_back(asked.clone());
        Some(asked)
    }

    /// The ping with this `nonce`. Each is answered once, and none after a later one.
    pub(super) fn answer(&mut self, nonce: &Nonce) -> Option<Asked> {
        let at = self.asked.iter().position(|asked| asked.nonce == *nonce)?;
        self.asked.drain(..=at).next_back()
    }

    /// Keeps an answer until it proves freshness. Above the limit the new one is dropped, so that a replica that is
    /// always a little behind still proves some.
    pub(super) fn keep(&mut self, answered: Answered) {
        if self.answered.len() < MOST {
            self.answered.push_back(answered);
        }
    }

    /// The latest time whose freshness is proven by the applied entries and the keys.
    pub(super) fn proven(&mut self, applied: Position, keys: KeysVersion) -> Option<Duration> {
        let is_met = |answered: &Answered| answered.head <= applied && answered.keys <= keys;
        let proven = self.answered.iter().filter(|answered| is_met(answered)).map(|met| met.sent).max();
        self.answered.retain(|answered| !is_met(answered));
        proven
    }

    /// When the ping was sent whose answer waits longest for its head to be applied.
    pub(super) fn behind(&self, applied: Option<Position>) -> Option<Duration> {
        let waits = |answered: &&Answered| applied.is_none_or(|applied| answered.head > applied);
        self.answered.iter().find(waits).map(|answered| answered.sent)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.asked.len() + self.answered.len()
    }

    /// Forgets everything, because answers of another store prove nothing.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}
