//! The model: what may happen, and what it changes.

use stateright::{Model, Property};

use super::node::Node;
use super::{AGE, By, Changes, NEW_NEVER_LIVE, Names, OLD_NEVER_LIVE, Primacy, Rule, Serves, Time, WaitsFor};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Primary {
    Old,
    Promoted,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct State {
    now: Time,
    names: Names,
    lock: &'static [usize],
    promoted: Option<usize>,
    /// Whether the promoted standby is in recovery again, as a standby of a further primary.
    has_returned: bool,
    /// How often each standby was started again, after a crash or for its return.
    starts: [u8; 2],
    /// The end of the old primary's write-ahead log.
    written: u8,
    /// How much of it each standby has received, and how much of that the old primary knows.
    received: [u8; 2],
    known: [u8; 2],
    /// How much of it the old primary knows to be on each standby's disk. What is there and not known of yet counts as
    /// received: a crash after it was flushed loses none of it.
    flushed: [u8; 2],
    /// Whether the old primary takes a standby for lost.
    lost: [bool; 2],
    node: Node,
    /// Where the old primary wrote the sign-out.
    ended_old: Option<u8>,
    /// Whether the promoted standby has written it.
    ended_new: bool,
    /// When the sign-out was first answered by the old primary and by the promoted standby.
    answered_old: bool,
    answered_new: Option<Time>,
    /// Which primary said live of the token after the sign-out was answered.
    said_live: Option<Primary>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Action {
    Tick,
    Promote(usize),
    Lose(usize),
    Regain(usize),
    Receive(usize),
    Flush(usize),
    /// A standby is started again, and has lost what was not on its disk.
    Crash(usize),
    /// A standby is started again, and has lost nothing.
    Restart(usize),
    Confirm(usize),
    SignOutOld,
    AnswerOld,
    SignOutNew,
    SendCommit,
    HearOfCommit(usize),
    /// The promoted standby becomes a standby of a further primary.
    Return,
    AskFirst(usize),
    Ask(usize),
    HearAnswer(usize),
    CheckOld,
    /// The records and the names are read for the check.
    Read,
    AnswerCheck,
    CheckNew,
    SetLock(&'static [usize]),
    SetNames(Names),
}

impl State {
    /// Whether the old primary reports success of a commit at `position` that waits for this of its standbys.
    fn is_confirmed(&self, position: u8, waits_for: WaitsFor) -> bool {
        let known = match waits_for {
            WaitsFor::Receipt => self.known,
            WaitsFor::Flush => self.flushed,
        };
        let has = |standby: &&usize| known[**standby] >= position;
        let is_here = |standby: &&usize| !self.lost[**standby];
        match self.names {
            Names::Empty => true,
            Names::First(count, names) => {
                names.iter().filter(is_here).take(count).filter(has).count() == count
            }
            Names::Any(count, names) => names.iter().filter(is_here).filter(has).count() >= count,
        }
    }

    fn must_refuse(&self, at_old: bool, serves: Serves) -> bool {
        let is_aged = at_old && matches!(serves, Serves::SentWithinAge | Serves::HeardWithinAge);
        let grace = if is_aged { AGE + 1 } else { 0 };
        self.answered_old || self.answered_new.is_some_and(|answered| answered + grace <= self.now)
    }

    /// How often a standby was started again that had not been promoted.
    fn restarts(&self) -> u8 {
        self.starts.iter().sum::<u8>() - u8::from(self.has_returned)
    }

    /// How many commits the node has sent: all that the old primary wrote but for the sign-out.
    fn commits_sent(&self) -> u8 {
        self.written - u8::from(self.ended_old.is_some())
    }

    /// Whether a standby may be taken for lost. This only delays a confirmation, unless another standby then takes its
    /// place.
    fn may_lose(&self) -> bool {
        matches!(self.names, Names::First(count, names) if count < names.len())
    }

    fn is_in_recovery(&self, standby: usize) -> bool {
        self.promoted != Some(standby) || self.has_returned
    }

    /// Whether the promoted standby knows of the sign-out.
    fn is_ended_at(&self, promoted: usize) -> bool {
        self.ended_new || self.ended_old.is_some_and(|at| at <= self.received[promoted])
    }
}

impl Primacy {
    /// What may happen for a proof by recovery alone.
    fn actions_of_recovery(&self, state: &State, actions: &mut Vec<Action>) {
        let mut when = |may: bool, action| actions.extend(may.then_some(action));
        when(state.promoted.is_some() && !state.has_returned, Action::Return);
        let may_begin = state.commits_sent() < self.commits || !self.has(Rule::BaseAfterFirst);
        // An answer from before the check would be forgotten when it arrives.
        let may_serve = state.node.check.is_some() || self.serves != Serves::SentAfter;
        for standby in self.standbys().filter(|standby| state.is_in_recovery(*standby)) {
            let is_named = state.names.standbys().contains(&standby);
            when(may_begin && is_named, Action::AskFirst(standby));
            when(may_serve && state.node.may_ask(standby), Action::Ask(standby));
        }
        for standby in self.standbys() {
            when(state.node.awaits_answer(standby), Action::HearAnswer(standby));
        }
    }
}

impl Model for Primacy {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State { names: self.names, lock: self.lock, ..State::default() }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let mut when = |may: bool, action| actions.extend(may.then_some(action));
        when(state.now < self.ticks, Action::Tick);
        for standby in self.standbys() {
            let follows = state.promoted != Some(standby);
            when(state.promoted.is_none() && state.lock.contains(&standby), Action::Promote(standby));
            when(state.may_lose() && !state.lost[standby], Action::Lose(standby));
            when(state.lost[standby] && follows, Action::Regain(standby));
            when(follows && state.received[standby] < state.written, Action::Receive(standby));
            let lags = state.flushed[standby] < state.received[standby];
            when(lags && !state.lost[standby], Action::Flush(standby));
            let restarts = follows && state.restarts() < self.restarts;
            when(restarts && lags, Action::Crash(standby));
            when(restarts && self.proves_by == By::Recovery, Action::Restart(standby));
            let is_late = state.known[standby] < state.received[standby];
            when(is_late && !state.lost[standby], Action::Confirm(standby));
        }
        when(state.ended_old.is_none(), Action::SignOutOld);
        let answers = state.ended_old.is_some_and(|at| state.is_confirmed(at, self.steps_wait_for));
        when(!state.answered_old && answers, Action::AnswerOld);
        when(state.promoted.is_some() && !state.ended_new, Action::SignOutNew);
        when(state.promoted.is_some() && !state.has_returned, Action::CheckNew);
        when(state.commits_sent() < self.commits, Action::SendCommit);
        for (at, commit) in state.node.commits.iter().enumerate() {
            let succeeds = self.trusts_cancelled || state.is_confirmed(commit.position, WaitsFor::Receipt);
            when(!commit.is_confirmed() && succeeds, Action::HearOfCommit(at));
        }
        if self.proves_by == By::Recovery {
            self.actions_of_recovery(state, actions);
        }
        let mut when = |may: bool, action| actions.extend(may.then_some(action));
        when(state.node.check.is_none(), Action::CheckOld);
        when(state.node.awaits_read(), Action::Read);
        when(state.node.proven(self).is_some(), Action::AnswerCheck);
        let may_set_lock = state.promoted.is_none();
        match self.changes {
            Changes::Never => {}
            Changes::LockFirst(names, lock) => {
                when(
                    may_set_lock && state.lock == self.lock && state.names == self.names,
                    Action::SetLock(&[]),
                );
                when(state.lock.is_empty() && state.names == self.names, Action::SetNames(names));
                let is_synchronous =
                    state.names == names && state.is_confirmed(state.written, WaitsFor::Flush);
                when(may_set_lock && state.lock != lock && is_synchronous, Action::SetLock(lock));
            }
            Changes::NamesFirst(names, lock) => {
                when(state.names == self.names, Action::SetNames(names));
                let is_synchronous =
                    state.names == names && state.is_confirmed(state.written, WaitsFor::Flush);
                when(may_set_lock && state.lock != lock && is_synchronous, Action::SetLock(lock));
            }
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut state = state.clone();
        match action {
            Action::Tick => state.now += 1,
            Action::Promote(standby) => state.promoted = Some(standby),
            Action::Lose(standby) => state.lost[standby] = true,
            Action::Regain(standby) => state.lost[standby] = false,
            Action::Receive(standby) => state.received[standby] += 1,
            Action::Flush(standby) => {
                state.flushed[standby] = state.received[standby];
                state.known[standby] = state.received[standby].max(state.known[standby]);
            }
            Action::Crash(standby) => {
                state.received[standby] = state.flushed[standby];
                state.starts[standby] += 1;
            }
            Action::Restart(standby) => state.starts[standby] += 1,
            Action::Confirm(standby) => state.known[standby] = state.received[standby],
            Action::SignOutOld => {
                state.written += 1;
                state.ended_old = Some(state.written);
            }
            Action::AnswerOld => state.answered_old = true,
            Action::SignOutNew => {
                state.ended_new = true;
                state.answered_new = Some(state.now);
            }
            Action::SendCommit => {
                state.written += 1;
                state.node.send_commit(state.written, state.now);
            }
            Action::HearOfCommit(at) => state.node.hear_of_commit(at, state.names, state.now, self),
            Action::Return => {
                state.has_returned = true;
                state.starts[state.promoted?] += 1;
            }
            Action::AskFirst(standby) => state.node.ask_first(standby, state.starts[standby]),
            Action::Ask(standby) => state.node.ask(standby, state.starts[standby], state.now, self.serves),
            Action::HearAnswer(standby) => state.node.hear_answer(standby, state.now),
            Action::CheckOld => {
                let must_refuse = state.must_refuse(true, self.serves);
                state.node.begin_check(must_refuse, state.now, self);
            }
            Action::Read => state.node.read(state.ended_old.is_none(), state.names),
            Action::AnswerCheck => {
                if state.node.proven(self)?.must_refuse {
                    state.said_live = Some(Primary::Old);
                }
                state.node.check = None;
            }
            Action::CheckNew => {
                if !state.is_ended_at(state.promoted?) && state.must_refuse(false, self.serves) {
                    state.said_live = Some(Primary::Promoted);
                }
            }
            Action::SetLock(lock) => state.lock = lock,
            Action::SetNames(names) => state.names = names,
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::<Self>::always(OLD_NEVER_LIVE, |_, state| state.said_live != Some(Primary::Old)),
            Property::<Self>::always(NEW_NEVER_LIVE, |_, state| state.said_live != Some(Primary::Promoted)),
            Property::<Self>::sometimes("a check is answered live after a proof", |model, state| {
                state.node.proven(model).is_some()
            }),
            Property::<Self>::sometimes(
                "a check arrives at the old primary after a sign-out elsewhere",
                |_, state| {
                    let must_refuse = state.node.check.is_some_and(|check| check.must_refuse);
                    must_refuse && state.ended_old.is_none()
                },
            ),
        ]
    }
}
