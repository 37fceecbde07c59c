//! The node at the old primary: its commits, the answers of the standbys, and the check that waits for either.

use super::{AGE, By, Names, Primacy, Rule, Serves, Time};

/// A commit of the node, at a position of the write-ahead log of the old primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Commit {
    pub(super) position: u8,
    sent: Time,
    confirmed: Option<Time>,
    /// The names that applied when it was confirmed.
    names: Names,
    /// The first answers that the node had when it sent the commit.
    first: [Option<u8>; 2],
}

/// A standby's answer that it is in recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Answer {
    /// How often the standby had been started again.
    starts: u8,
    /// When the standby was asked, which is when it answered, and when the node heard its answer.
    asked: Time,
    heard: Option<Time>,
}

/// A check at the old primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Check {
    arrived: Time,
    pub(super) must_refuse: bool,
    /// The names that were read together with the records, which say that the token is live.
    read: Option<Names>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Node {
    pub(super) commits: Vec<Commit>,
    /// The first answer of each standby: how often it had been started again.
    first: [Option<u8>; 2],
    /// The last of the later answers of each standby.
    answers: [Option<Answer>; 2],
    pub(super) check: Option<Check>,
}

impl Commit {
    pub(super) fn is_confirmed(&self) -> bool {
        self.confirmed.is_some()
    }
}

impl Node {
    /// Notes the answer of a standby that is in recovery to the first question.
    pub(super) fn ask_first(&mut self, standby: usize, starts: u8) {
        self.first[standby] = Some(starts);
    }

    pub(super) fn send_commit(&mut self, position: u8, now: Time) {
        let (first, names) = (self.first, Names::Empty);
        self.commits.push(Commit { position, sent: now, confirmed: None, names, first });
    }

    pub(super) fn hear_of_commit(&mut self, at: usize, names: Names, now: Time, model: &Primacy) {
        let commit = &mut self.commits[at];
        (commit.confirmed, commit.names) = (Some(now), names);
        if !model.has(Rule::BaseAfterFirst) {
            commit.first = self.first;
        }
    }

    /// Whether the node had a first answer of a standby when it sent a commit.
    pub(super) fn may_ask(&self, standby: usize) -> bool {
        self.commits.iter().any(|commit| commit.first[standby].is_some())
    }

    /// Asks a standby that is in recovery. The node hears the answer at once, where it makes no difference when.
    pub(super) fn ask(&mut self, standby: usize, starts: u8, now: Time, serves: Serves) {
        let is_late = matches!(serves, Serves::HeardAfter | Serves::HeardWithinAge);
        self.answers[standby] = Some(Answer { starts, asked: now, heard: (!is_late).then_some(now) });
    }

    pub(super) fn awaits_answer(&self, standby: usize) -> bool {
        self.answers[standby].is_some_and(|answer| answer.heard.is_none())
    }

    pub(super) fn hear_answer(&mut self, standby: usize, now: Time) {
        if let Some(answer) = &mut self.answers[standby] {
            answer.heard = Some(now);
        }
    }

    /// Begins a check. The node forgets the commits and answers that cannot serve this check or a later one.
    pub(super) fn begin_check(&mut self, must_refuse: bool, now: Time, model: &Primacy) {
        let may_serve = |heard: Option<Time>| match model.serves {
            Serves::SentAfter => false,
            Serves::HeardAfter => heard.is_none(),
            Serves::SentWithinAge | Serves::HeardWithinAge => true,
        };
        if model.proves_by == By::Commit {
            self.commits.retain(|commit| may_serve(commit.confirmed));
        }
        self.answers = self.answers.map(|answer| answer.filter(|answer| may_serve(answer.heard)));
        self.check = Some(Check { arrived: now, must_refuse, read: None });
    }

    pub(super) fn awaits_read(&self) -> bool {
        self.check.is_some_and(|check| check.read.is_none())
    }

    /// Reads the records and the names for the check. If the records say that the token has ended, so does the answer.
    pub(super) fn read(&mut self, is_live: bool, names: Names) {
        self.check = self.check.filter(|_| is_live).map(|check| Check { read: Some(names), ..check });
    }

    /// The check, if the node may answer that the token is live.
    pub(super) fn proven(&self, model: &Primacy) -> Option<Check> {
        let check = self.check?;
        let read = check.read?;
        let is_proven = self.commits.iter().any(|commit| match model.proves_by {
            By::Commit => model.serves.allows(check, commit.sent, commit.confirmed),
            By::Recovery => {
                let is_named = commit.names == read || !model.has(Rule::NamesWithRecords);
                commit.is_confirmed() && is_named && self.are_in_recovery(commit, check, model)
            }
        });
        is_proven.then_some(check)
    }

    /// Whether each standby that was named when `base` was confirmed has answered that it is in recovery, and was not
    /// started again since its first answer.
    fn are_in_recovery(&self, base: &Commit, check: Check, model: &Primacy) -> bool {
        let asked = if model.has(Rule::EveryStandby) { usize::MAX } else { 1 };
        base.names.standbys().iter().take(asked).all(|standby| {
            self.answers[*standby].is_some_and(|answer| {
                let is_same = |first| first == answer.starts || !model.has(Rule::SameStart);
                let is_served = model.serves.allows(check, answer.asked, answer.heard);
                is_served && base.first[*standby].is_some_and(is_same)
            })
        })
    }
}

impl Serves {
    /// Whether a commit or an answer serves a check for which the node has not forgotten it.
    fn allows(self, check: Check, sent: Time, heard: Option<Time>) -> bool {
        heard.is_some_and(|heard| match self {
            Self::SentAfter | Self::HeardAfter => true,
            Self::SentWithinAge => sent + AGE >= check.arrived,
            Self::HeardWithinAge => heard + AGE >= check.arrived,
        })
    }
}
