//! The database of the model: the records of one user with one device, the log, and the counters.

use rescind::model::claims::Presented;
use rescind::model::counters::{Era, Generation, Stamp};
use rescind::model::ids::{DeviceId, UserId};
use rescind::model::timestamp::Timestamp;
use rescind::model::verdict::{DeviceState, UserState, Verdict, judge};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Entry {
    Device,
    Generation,
    OtherUser,
    Era(u8),
    Keys { version: u8, key: u8 },
}

/// What the small statement reads. `key` is the one trusted signing key; no two keys are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Counters {
    pub(super) store: u8,
    pub(super) timeline: u8,
    pub(super) era: u8,
    pub(super) keys: u8,
    pub(super) key: u8,
    pub(super) head: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Token {
    era: u8,
    generation: u8,
    key: u8,
}

/// The user's generation, and what the device stands under: its era and generation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Records {
    pub(super) generation: u8,
    pub(super) stamp: (u8, u8),
    pub(super) ended: bool,
}

impl Records {
    /// Whether a token is live, by the service's own decision and the trusted key.
    pub(super) fn are_live(self, token: Token, counters: Counters) -> bool {
        let stamp = |era, generation| Stamp {
            era: Era::new(u64::from(era)),
            generation: Generation::new(u64::from(generation)),
        };
        let expires = Timestamp::from_unix(2);
        let presented = Presented {
            user: UserId::from_bytes([1; 16]),
            device: DeviceId::from_bytes([2; 16]),
            stamp: stamp(token.era, token.generation),
            expires,
        };
        let current = stamp(counters.era, self.generation);
        let user = UserState { generation: current.generation, disabled: false };
        let device = DeviceState {
            stamp: stamp(self.stamp.0, self.stamp.1),
            floor: Generation::default(),
            ended: self.ended,
            end: expires,
        };
        let verdict = judge(&presented, current.era, Some(user), Some(device), Timestamp::from_unix(1));
        verdict == Verdict::Live && token.key == counters.key
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Database {
    pub(super) counters: Counters,
    pub(super) records: Records,
    pub(super) log: Vec<Entry>,
}

impl Database {
    pub(super) fn append(&mut self, entry: Entry) {
        self.log.push(entry);
        self.counters.head += 1;
        match entry {
            Entry::Era(era) => self.counters.era = era,
            Entry::Keys { version, key } => (self.counters.keys, self.counters.key) = (version, key),
            Entry::Device | Entry::Generation | Entry::OtherUser => {}
        }
    }

    /// Begins the next generation; `keeps` the device under it.
    pub(super) fn bump(&mut self, keeps: bool) {
        self.records.generation += 1;
        if keeps {
            self.records.stamp.1 = self.records.generation;
        }
        self.append(Entry::Generation);
    }

    pub(super) fn can_sign_out(&self) -> bool {
        self.records.stamp == (self.counters.era, self.records.generation) && !self.records.ended
    }

    /// Signs in, or refreshes, which writes no entry.
    pub(super) fn sign_in(&mut self) -> Token {
        self.records.stamp = (self.counters.era, self.records.generation);
        self.records.ended = false;
        Token { era: self.counters.era, generation: self.records.generation, key: self.counters.key }
    }

    /// Goes back to the first state behind running nodes.
    pub(super) fn roll_back(&mut self) {
        let Counters { store, timeline, .. } = self.counters;
        *self = Self::default();
        (self.counters.store, self.counters.timeline) = (store, timeline + 1);
    }

    /// Loads a copy of the first state, and makes another store of it: id, era and key are new. The timeline is that
    /// of the database that it is loaded into.
    pub(super) fn restore(&mut self, key: u8) {
        let Counters { store, timeline, .. } = self.counters;
        *self = Self::default();
        (self.counters.store, self.counters.timeline) = (store + 1, timeline);
        self.append(Entry::Era(1));
        self.append(Entry::Keys { version: 1, key });
    }
}
