//! The follower of the model: its copy of the log, its pings, and what each message changes.

use rescind::model::claims::Presented;
use rescind::model::counters::{Era, Generation, Stamp};
use rescind::model::ids::{DeviceId, UserId};
use rescind::model::revocation::BumpExtent;
use rescind::model::timestamp::Timestamp;
use rescind::model::verdict::{Bumped, Verdict, judge_followed};

use super::Rule;

/// The clock, in ticks.
pub(super) type Time = u8;

/// The longest time between the proof and a check that rests on it.
pub(super) const MAX_STALENESS: Time = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Entry {
    Device(u8),
    Generation(u8),
}

/// An access token of the one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Token {
    pub(super) era: u8,
    pub(super) device: u8,
}

/// The answer to a ping; nobody can alter one, since it is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Pong {
    pub(super) nonce: u8,
    pub(super) store: usize,
    pub(super) era: u8,
    pub(super) head: usize,
}

/// A frame of the log of `store`: the entries after a position, up to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Frame {
    pub(super) store: usize,
    pub(super) after: usize,
    pub(super) to: usize,
}

/// A check under way: it has read the clock, and the proof or the revocations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Check {
    pub(super) token: Token,
    pub(super) started: Time,
    /// Whether the token has to be refused: its end was answered long enough ago, or answered as confirmed.
    pub(super) must_refuse: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Follower {
    pub(super) store: Option<usize>,
    era: u8,
    generation: Option<u8>,
    devices: Vec<u8>,
    /// The position up to which the log is applied; `None` before a snapshot.
    pub(super) applied: Option<usize>,
    as_of: Option<Time>,
    /// Pings without an answer: nonce, and when each was sent.
    asked: Vec<(u8, Time)>,
    /// Answers whose head is not applied yet: head, and when the ping was sent.
    answered: Vec<(usize, Time)>,
    pub(super) check: Option<Check>,
}

impl Follower {
    pub(super) fn ask(&mut self, nonce: u8, now: Time) {
        self.asked.push((nonce, now));
    }

    /// The newest head this follower has heard of, applied or not.
    pub(super) fn heard(&self) -> Option<usize> {
        self.answered.iter().map(|(head, _)| *head).max().max(self.applied)
    }

    pub(super) fn pong(&mut self, pong: Pong, now: Time, follows: impl Fn(Rule) -> bool) {
        let found = if follows(Rule::NonceMatches) {
            self.asked.iter().position(|(nonce, _)| *nonce == pong.nonce)
        } else {
            self.asked.len().checked_sub(1)
        };
        let Some((_, sent)) = found.and_then(|at| self.asked.drain(..=at).next_back()) else { return };
        if self.store != Some(pong.store) {
            self.enter(pong, &follows);
        }
        self.era = self.era.max(pong.era);
        let proves = if follows(Rule::AsOfSending) { sent } else { now };
        self.answered.push((pong.head, proves));
        self.prove(follows);
    }

    /// Begins with another store: all of its log has to be applied before anything is proven.
    fn enter(&mut self, pong: Pong, follows: impl Fn(Rule) -> bool) {
        // A check under way goes on with the old table, which nobody writes any more: it may as well have ended.
        let applied = if follows(Rule::SnapshotOfNewStore) { None } else { Some(pong.head) };
        *self = Self { store: Some(pong.store), era: self.era, applied, ..Self::default() };
    }

    /// Whether this frame would be applied.
    pub(super) fn takes(&self, frame: Frame, follows: impl Fn(Rule) -> bool) -> bool {
        let continues = match self.applied {
            // A snapshot begins at the first entry that is kept.
            None => frame.after == 0,
            Some(applied) => frame.to > applied && (frame.after <= applied || !follows(Rule::NoGaps)),
        };
        self.store == Some(frame.store) && continues
    }

    pub(super) fn frame(&mut self, frame: Frame, entries: &[Entry], follows: impl Fn(Rule) -> bool) {
        for entry in entries {
            match entry {
                Entry::Device(device) if self.devices.contains(device) => {}
                Entry::Device(device) => self.devices.push(*device),
                Entry::Generation(generation) => self.generation = self.generation.max(Some(*generation)),
            }
        }
        self.devices.sort_unstable();
        self.applied = self.applied.max(Some(frame.to));
        self.prove(follows);
    }

    fn prove(&mut self, follows: impl Fn(Rule) -> bool) {
        let Some(applied) = self.applied else { return };
        let is_met = |head| head <= applied || !follows(Rule::AppliedToHead);
        let met = self.answered.iter().filter(|(head, _)| is_met(*head)).map(|(_, sent)| *sent).max();
        self.as_of = self.as_of.max(met);
        self.answered.retain(|(head, _)| !is_met(*head));
    }

    pub(super) fn is_fresh(&self, started: Time, follows: impl Fn(Rule) -> bool) -> bool {
        self.as_of.is_some_and(|as_of| {
            started.saturating_sub(as_of) <= MAX_STALENESS || !follows(Rule::MaxStaleness)
        })
    }

    /// Whether the copy of the log leaves a token alive, by the verifier's own decision.
    pub(super) fn knows_no_end(&self, token: Token) -> bool {
        let presented = Presented {
            user: UserId::from_bytes([1; 16]),
            device: DeviceId::from_bytes([token.device; 16]),
            stamp: Stamp { era: Era::new(token.era.into()), generation: Generation::new(0) },
            expires: Timestamp::from_unix(2),
        };
        let heard = |generation: u8| Bumped::heard(None, Generation::new(generation.into()), BumpExtent::All);
        let ended = self.devices.contains(&token.device);
        let era = Era::new(self.era.into());
        let bumped = self.generation.map(heard);
        judge_followed(&presented, era, bumped, ended, Timestamp::from_unix(1)) == Verdict::Live
    }
}
