//! The replica of the revocation log: how each incoming text changes it, and the next action.
//!
//! Everything is decided here without I/O and with time as an argument; [`replica_task`](super::replica_task) only carries texts.
//! One task owns the replica, any number of threads read the state it writes.

use std::sync::Arc;
use std::time::Duration;

use super::ReplicaView;
use super::event::Event;
use super::keys::KeyHolder;
use super::names::AcceptedNames;
use super::pings::{Answered, Asked, Pings};
use super::published::PublishedKeys;
use super::rejection::Doubt;
use super::state::{Now, ReplicaState};
use crate::model::counters::Position;
use crate::model::names::Names;
use crate::model::revocation::{Entry, Revocation};
use crate::token::feed::{FeedRefusal, Frame, Pong, Statement};

/// The interval at which expired entries are removed.
const FORGET_EVERY: Duration = Duration::from_secs(60);

/// The only writer of the state that `verify` reads.
#[derive(Debug)]
pub(super) struct Replica {
    view: Arc<ReplicaView>,
    keys: KeyHolder,
    /// Whether the keys have to be fetched.
    fetch: bool,
    /// The names in the tokens that the issuer mints, as last published.
    present: Option<Names>,
    /// `None` unless a known key signed a text of an unknown issuer; then whether the names were fetched since.
    foreign: Option<bool>,
    /// The position up to which the log is applied; `None` before a snapshot has begun.
    applied: Option<Position>,
    /// The last entry that was applied.
    last: Option<Entry>,
    pings: Pings,
    rolled_back: bool,
    forgot: Duration,
    doubt: Option<Doubt>,
}

/// The next action on the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StreamAction {
    /// Keep reading the stream.
    Keep,
    /// Open the stream again where it stopped.
    Resume,
    /// Open the stream again with a snapshot.
    Begin,
}

impl Replica {
    pub(super) fn new(view: Arc<ReplicaView>, keys: KeyHolder) -> Self {
        let forgot = view.world.uptime();
        Self {
            view,
            keys,
            fetch: true,
            present: None,
            foreign: None,
            applied: None,
            last: None,
            pings: Pings::default(),
            rolled_back: false,
            forgot,
            doubt: Some(Doubt::Unproven),
        }
    }

    /// The position to continue from with a new stream; `None` for a snapshot. The last entry is requested again: a
    /// store that was rolled back and has grown since has another entry at its position.
    pub(super) fn resume(&self) -> Option<Position> {
        let applied = self.applied?;
        let again = self.last.as_ref().is_some_and(|last| last.position == applied);
        Some(Position::new(applied.value().saturating_sub(again.into())))
    }

    /// Whether the issuer's store is known, so that its stream can be told from another's.
    pub(super) fn knows_store(&self) -> bool {
        self.view.state.load().store.is_some()
    }

    /// Whether the keys have to be fetched, because newer ones exist or may exist.
    pub(super) fn wants_keys(&self) -> bool {
        self.fetch || self.view.keys.load().version < self.view.state.load().newest_keys()
    }

    /// Whether an answer has waited for its entries for longer than `since`: then the stream is dead.
    pub(super) fn is_behind(&self, since: Duration) -> bool {
        let behind = self.pings.behind(self.applied);
        behind.is_some_and(|sent| self.view.world.uptime().saturating_sub(sent) > since)
    }

    /// Creates a ping and remembers its nonce.
    pub(super) fn ask(&mut self) -> Option<Asked> {
        self.forget();
        self.watch();
        self.pings.ask(&self.view.world, self.applied)
    }

    /// Applies the published keys.
    pub(super) fn publish(&mut self, published: &PublishedKeys) {
        let current = self.view.keys.load_full();
        let Some(keys) = self.keys.publish(&current, published) else {
            return self.refuse_other(&published.issuer);
        };
        self.fetch = false;
        self.foreign = self.foreign.map(|_| true);
        self.compare_names(published.present(), &keys.names);
        if keys.version != current.version {
            self.notify(&Event::Keys(keys.version));
        }
        self.view.keys.store(Arc::new(keys));
        self.prove();
    }

    /// Reports when the issuer's tokens carry other names than the expected ones.
    fn compare_names(&mut self, present: Option<Names>, accepted: &AcceptedNames) {
        if self.present == present {
            return;
        }
        self.present.clone_from(&present);
        let expected = &self.view.expected;
        let Some(Names { issuer, audience }) = present.filter(|present| present != expected) else { return };
        self.notify(&if accepted.contain(&Names { issuer: issuer.clone(), audience: audience.clone() }) {
            Event::Renamed { issuer, audience }
        } else {
            Event::OtherAudience { expected: expected.audience.clone(), found: audience }
        });
    }

    /// Applies the answer to a ping.
    pub(super) fn pong(&mut self, text: &str) -> StreamAction {
        let keys = self.view.keys.load();
        let pong = Pong::verify(text, &keys.public, |issuer| keys.names.are_of_issuer(issuer));
        drop(keys);
        let pong = match pong {
            Ok(pong) => pong,
            Err(refused) => return self.refuse(refused, "an answer to a ping", StreamAction::Keep),
        };
        self.foreign = None;
        // An answer to no question of ours is late or replayed: it says nothing about now.
        let Some(asked) = self.pings.answer(&pong.nonce) else { return StreamAction::Keep };
        let Statement { store, time, head, era, keys, .. } = pong.statement;
        let mut next = StreamAction::Keep;
        if self.view.state.load().store != Some(store) {
            next = self.enter(&pong.statement);
        } else if asked.applied.is_some_and(|applied| head < applied) {
            self.roll_back(head, asked.applied.unwrap_or_default());
        }
        let state = self.view.state.load();
        state.revoked.begin_era(era);
        state.compare_clocks(time, asked.sent);
        state.hear_of_keys(keys);
        self.pings.keep(Answered { head, keys, sent: asked.sent });
        self.prove();
        next
    }

    /// Applies a frame of the stream.
    pub(super) fn frame(&mut self, text: &str) -> StreamAction {
        let keys = self.view.keys.load();
        let frame = Frame::verify(text, &keys.public, |issuer| keys.names.are_of_issuer(issuer));
        drop(keys);
        let frame = match frame {
            Ok(frame) => frame,
            Err(refused) => return self.refuse(refused, "a frame", StreamAction::Begin),
        };
        self.foreign = None;
        // Which store is the issuer's is for answers to say: a frame of another one may be a replayed one.
        if self.view.state.load().store != Some(frame.statement.store) {
            return StreamAction::Keep;
        }
        if let Some(last) = &self.last
            && frame.entries.iter().any(|entry| entry.position == last.position && entry != last)
        {
            self.roll_back(frame.statement.head, last.position);
        }
        let applied = match self.applied {
            Some(applied) if frame.start => applied.max(frame.after),
            None if frame.start => frame.after,
            Some(applied) if frame.after <= applied => applied,
            _ => {
                self.notify(&Event::Missed);
                return StreamAction::Begin;
            }
        };
        self.applied = Some(applied);
        let kept = self.apply(frame.entries.iter().filter(|entry| entry.position > applied));
        self.prove();
        if kept { StreamAction::Keep } else { StreamAction::Resume }
    }

    /// Applies entries that continue the log; false if there was no room for one.
    fn apply<'a>(&mut self, entries: impl Iterator<Item = &'a Entry>) -> bool {
        for entry in entries {
            let state = self.view.state.load();
            if state.revoked.len() >= self.view.max_entries {
                state.leave_out(entry.position);
                return false;
            }
            state.revoked.note(&entry.revocation, self.view.world.uptime());
            if let Revocation::Keys { version, distrusted } = &entry.revocation {
                state.hear_of_keys(*version);
                if let Some(kid) = distrusted {
                    let keys = self.keys.distrust(&self.view.keys.load(), kid);
                    self.view.keys.store(Arc::new(keys));
                }
            }
            self.applied = Some(entry.position);
            self.last = Some(entry.clone());
            self.notify(&Event::Ended(entry.revocation.clone()));
        }
        true
    }

    /// Begins with another store: the old state is dropped, and tokens are refused until the whole new log is applied.
    fn enter(&mut self, statement: &Statement) -> StreamAction {
        let old = self.view.state.load_full();
        let era = old.revoked.era().max(statement.era);
        self.view.state.store(Arc::new(ReplicaState::of(Some(statement.store), era)));
        (self.applied, self.last) = (None, None);
        self.rolled_back = false;
        self.pings.forget();
        if old.store.is_some() {
            // Its keys may be others, whatever their version.
            self.view.keys.store(Arc::new(self.keys.unconfirmed(&self.view.keys.load())));
            self.notify(&Event::StoreReplaced(statement.store));
        }
        StreamAction::Begin
    }

    fn roll_back(&mut self, head: Position, applied: Position) {
        if !self.rolled_back {
            self.rolled_back = true;
            self.notify(&Event::RolledBack { head, applied });
        }
    }

    /// Handles a text that could not be verified; nothing in it is applied.
    fn refuse(&mut self, refused: FeedRefusal, what: &'static str, next: StreamAction) -> StreamAction {
        match refused {
            // The keys it is signed with may be newer than ours.
            FeedRefusal::UnknownKey => self.fetch = true,
            FeedRefusal::TooLong | FeedRefusal::NotAuthentic | FeedRefusal::NotUnderstood => {
                self.notify(&Event::Altered(what));
            }
            // The name it is signed under may be newer than ours.
            FeedRefusal::OtherIssuer(found) => {
                self.fetch = true;
                if *self.foreign.get_or_insert(false) {
                    self.refuse_other(&found);
                }
            }
        }
        next
    }

    fn refuse_other(&mut self, found: &str) {
        self.view.state.load().doubt_everything();
        self.notify(&Event::OtherIssuer(found.to_owned()));
        self.watch();
    }

    /// Advances the proven time, if everything up to an answer's head has been applied.
    fn prove(&mut self) {
        let Some(applied) = self.applied else { return };
        self.view.state.load().reach(applied);
        let Some(sent) = self.pings.proven(applied, self.view.keys.load().version) else { return };
        if !self.rolled_back {
            self.view.state.load().prove(sent);
        }
        self.watch();
    }

    /// Reports when freshness is gained or lost.
    fn watch(&mut self) {
        let doubt = self.view.state.load().doubt(Now::of(&self.view.world), self.view.max_staleness);
        if doubt != self.doubt {
            self.doubt = doubt;
            self.notify(&doubt.map_or(Event::Fresh, Event::Stale));
        }
        self.view
            .fresh
            .send_if_modified(|fresh| std::mem::replace(fresh, doubt.is_none()) != doubt.is_none());
    }

    fn forget(&mut self) {
        let uptime = self.view.world.uptime();
        if uptime.saturating_sub(self.forgot) >= FORGET_EVERY {
            self.forgot = uptime;
            let state = self.view.state.load();
            state.revoked.forget(uptime);
            // By the issuer's time, as far as it is known: not before it has been heard.
            if let Some(now) = state.issuer_time(uptime)
                && let Some(keys) = self.keys.at(&self.view.keys.load(), now)
            {
                self.view.keys.store(Arc::new(keys));
            }
        }
    }

    fn notify(&self, event: &Event) {
        self.view.listener.notify(event);
    }
}

#[cfg(test)]
mod tests;
