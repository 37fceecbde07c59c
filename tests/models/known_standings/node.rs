//! A node of the model: what it knows, the checks under way, and what each answer of the database changes.

use super::Rule;
use super::database::{Counters, Database, Entry, Records, Token};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Step {
    HeadSent,
    HeadRead(Counters),
    /// Waits until this head is applied.
    Waits(u8),
    FillSent,
    FillRead(Counters, Records),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Check {
    pub(super) token: Token,
    /// Whether the token was live since the check started, or ended since then; `None` if that changed.
    pub(super) throughout: Option<bool>,
    pub(super) step: Step,
    /// Whether the memory was emptied since the statement was sent.
    outdated: bool,
    /// Whether an entry about the user was applied since the fill was sent.
    missed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct LogRead {
    counters: Counters,
    after: u8,
    entries: Vec<Entry>,
    outdated: bool,
}

/// A node; `counters.head` is the position up to which it has applied the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Node {
    pub(super) counters: Counters,
    /// The records, and the position that they are good at.
    pub(super) known: Option<(u8, Records)>,
    pub(super) checks: Vec<Check>,
    log_read: Option<LogRead>,
}

impl Check {
    pub(super) fn start(token: Token, is_live: bool, step: Step) -> Self {
        Self { token, throughout: Some(is_live), step, outdated: false, missed: false }
    }

    fn send(&mut self, step: Step) {
        (self.step, self.outdated, self.missed) = (step, false, false);
    }

    pub(super) fn execute(&mut self, database: &Database) {
        match self.step {
            Step::HeadSent => self.step = Step::HeadRead(database.counters),
            Step::FillSent => self.step = Step::FillRead(database.counters, database.records),
            Step::HeadRead(_) | Step::Waits(_) | Step::FillRead(..) => {}
        }
    }
}

impl Node {
    /// A node that starts reads the counters before it answers anybody.
    pub(super) fn started(database: &Database) -> Self {
        Self { counters: database.counters, ..Self::default() }
    }

    /// The answer to the statement of a check arrives; true or false if the check is answered.
    pub(super) fn answer(
        &mut self,
        at: usize,
        database: &Database,
        follows: impl Fn(Rule) -> bool,
    ) -> Option<bool> {
        let Check { token, step, outdated, missed, .. } = self.checks[at];
        match step {
            Step::HeadRead(counters) => {
                self.checks[at].send(Step::Waits(counters.head));
                self.learn(counters, &follows);
                None
            }
            Step::FillRead(counters, records) => {
                self.checks.remove(at);
                let outdated = self.learn(counters, &follows) || outdated;
                let has_missed = counters.head < self.counters.head && missed;
                let is_kept = (!outdated || !follows(Rule::SentSinceEmptied))
                    && (!has_missed || !follows(Rule::MissedEntries));
                if is_kept {
                    let one = follows(Rule::OneStatement);
                    let head = if one { counters.head } else { database.counters.head };
                    self.known = Some((head, records));
                }
                Some(records.are_live(token, counters))
            }
            Step::HeadSent | Step::Waits(_) | Step::FillSent => None,
        }
    }

    /// Whether a check has what it waits for.
    pub(super) fn can_decide(&self, check: &Check, follows: impl Fn(Rule) -> bool) -> bool {
        let Step::Waits(head) = check.step else { return false };
        head <= self.counters.head || !follows(Rule::AppliedToHead)
    }

    /// Whether the records in memory say that a token is live.
    pub(super) fn remembers_live(&self, token: Token) -> bool {
        self.known.is_some_and(|(_, records)| records.are_live(token, self.counters))
    }

    /// Decides a check that has what it waits for, or has the records read for it.
    pub(super) fn decide(&mut self, at: usize, follows: impl Fn(Rule) -> bool) -> Option<bool> {
        let is_live = self.remembers_live(self.checks[at].token);
        if is_live || (self.known.is_some() && !follows(Rule::OnlyLive)) {
            self.checks.remove(at);
            return Some(is_live);
        }
        self.checks[at].send(Step::FillSent);
        None
    }

    /// Reads the log after what is applied, unless that is under way.
    pub(super) fn read_log(&mut self, database: &Database) {
        let after = self.counters.head;
        let entries = database.log.get(usize::from(after)..).unwrap_or_default().to_vec();
        self.log_read = Some(LogRead { counters: database.counters, after, entries, outdated: false });
    }

    pub(super) fn reads_log(&self) -> bool {
        self.log_read.is_some()
    }

    /// The entries arrive, with the counters that were read together with them.
    pub(super) fn apply_log(&mut self, follows: impl Fn(Rule) -> bool) {
        let Some(LogRead { counters, after, entries, outdated }) = self.log_read.take() else { return };
        let outdated = self.learn(counters, &follows) || outdated;
        if outdated && follows(Rule::SentSinceEmptied) {
            return;
        }
        for (position, entry) in (after + 1..).zip(entries) {
            if position > self.counters.head {
                self.counters.head = position;
                self.apply(position, entry, &follows);
            }
        }
    }

    fn apply(&mut self, position: u8, entry: Entry, follows: impl Fn(Rule) -> bool) {
        match entry {
            Entry::Device if follows(Rule::DeviceEntries) => self.forget_user(position),
            Entry::Generation if follows(Rule::GenerationEntries) => self.forget_user(position),
            Entry::Era(era) if follows(Rule::Era) => {
                self.counters.era = era;
                self.empty();
            }
            Entry::Keys { version, key } if follows(Rule::Keys) => {
                (self.counters.keys, self.counters.key) = (version, key);
                self.empty();
            }
            _ => {}
        }
    }

    fn forget_user(&mut self, position: u8) {
        self.known = self.known.filter(|(good_at, _)| *good_at >= position);
        for check in &mut self.checks {
            check.missed |= matches!(check.step, Step::FillSent | Step::FillRead(..));
        }
    }

    /// Follows the log that `counters` are of; true if that emptied the memory. Older counters of the same log change
    /// nothing.
    fn learn(&mut self, counters: Counters, follows: impl Fn(Rule) -> bool) -> bool {
        let known = self.counters;
        let is_other = (follows(Rule::Store) && counters.store != known.store)
            || (follows(Rule::Timeline) && counters.timeline != known.timeline);
        let has_changed = (follows(Rule::Era) && counters.era != known.era)
            || (follows(Rule::Keys) && counters.keys != known.keys);
        let empties = is_other || (has_changed && counters.head >= known.head);
        if empties {
            self.counters = counters;
            self.empty();
        }
        empties
    }

    fn empty(&mut self) {
        self.known = None;
        for check in &mut self.checks {
            check.outdated |= !matches!(check.step, Step::Waits(_));
        }
        if let Some(read) = &mut self.log_read {
            read.outdated = true;
        }
    }
}
