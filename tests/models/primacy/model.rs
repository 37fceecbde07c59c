//! The model: what may happen, and what it changes.

use stateright::{Model, Property};

use super::{A, AGE, B, Changes, NEW_NEVER_LIVE, Names, OLD_NEVER_LIVE, Primacy, Serves, Time, WaitsFor};

/// A commit of the node at the old primary, at a position of its write-ahead log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Proof {
    position: u8,
    sent: Time,
    confirmed: Option<Time>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Check {
    arrived: Time,
    must_refuse: bool,
    /// Whether the records, read when the check arrived, say that the token is live.
    reads_live: bool,
    /// How many proofs had been sent, and which had been confirmed, when the check arrived.
    sent: usize,
    confirmed: [bool; 3],
}

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
    /// The end of the old primary's write-ahead log.
    written: u8,
    /// How much of it each standby has received, and how much of that the old primary knows.
    received: [u8; 2],
    known: [u8; 2],
    /// How much of it the old primary knows to be on each standby's disk. What is there and not known of yet counts as
    /// received: a crash after it was flushed is like none.
    flushed: [u8; 2],
    /// Whether a standby has crashed.
    crashed: bool,
    /// Whether the old primary takes a standby for lost.
    lost: [bool; 2],
    proofs: Vec<Proof>,
    /// Where the old primary wrote the sign-out.
    ended_old: Option<u8>,
    /// Whether the promoted standby has written it.
    ended_new: bool,
    /// When the sign-out was first answered by the old primary and by the promoted standby.
    answered_old: bool,
    answered_new: Option<Time>,
    /// A check at the old primary; those at the promoted standby are answered at once.
    check: Option<Check>,
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
    Crash(usize),
    Confirm(usize),
    SignOutOld,
    AnswerOld,
    SignOutNew,
    SendProof,
    Prove(usize),
    CheckOld,
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
        let is_aged = at_old && matches!(serves, Serves::SentWithinAge | Serves::ConfirmedWithinAge);
        let grace = if is_aged { AGE + 1 } else { 0 };
        self.answered_old || self.answered_new.is_some_and(|answered| answered + grace <= self.now)
    }

    fn serves(&self, check: Check, serves: Serves) -> bool {
        self.proofs.iter().enumerate().any(|(at, proof)| {
            let Some(confirmed) = proof.confirmed else { return false };
            match serves {
                Serves::SentAfter => at >= check.sent,
                Serves::ConfirmedAfter => !check.confirmed[at],
                Serves::SentWithinAge => proof.sent + AGE >= check.arrived,
                Serves::ConfirmedWithinAge => confirmed + AGE >= check.arrived,
            }
        })
    }

    /// Whether the promoted standby knows of the sign-out.
    fn is_ended_at(&self, promoted: usize) -> bool {
        self.ended_new || self.ended_old.is_some_and(|at| at <= self.received[promoted])
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
        for standby in [A, B] {
            let follows = state.promoted != Some(standby);
            when(state.promoted.is_none() && state.lock.contains(&standby), Action::Promote(standby));
            when(!state.lost[standby], Action::Lose(standby));
            when(state.lost[standby] && follows, Action::Regain(standby));
            when(follows && state.received[standby] < state.written, Action::Receive(standby));
            let lags = state.flushed[standby] < state.received[standby];
            when(lags && !state.lost[standby], Action::Flush(standby));
            when(follows && lags && !state.crashed, Action::Crash(standby));
            let is_late = state.known[standby] < state.received[standby];
            when(is_late && !state.lost[standby], Action::Confirm(standby));
        }
        when(state.ended_old.is_none(), Action::SignOutOld);
        let answers = state.ended_old.is_some_and(|at| state.is_confirmed(at, self.steps_wait_for));
        when(!state.answered_old && answers, Action::AnswerOld);
        when(state.promoted.is_some() && !state.ended_new, Action::SignOutNew);
        when(state.promoted.is_some(), Action::CheckNew);
        when(state.proofs.len() < self.proofs, Action::SendProof);
        for (at, proof) in state.proofs.iter().enumerate() {
            let succeeds = self.trusts_cancelled || state.is_confirmed(proof.position, WaitsFor::Receipt);
            when(proof.confirmed.is_none() && succeeds, Action::Prove(at));
        }
        when(state.check.is_none(), Action::CheckOld);
        when(state.check.is_some_and(|check| state.serves(check, self.serves)), Action::AnswerCheck);
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
                state.crashed = true;
            }
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
            Action::SendProof => {
                state.written += 1;
                let proof = Proof { position: state.written, sent: state.now, confirmed: None };
                state.proofs.push(proof);
            }
            Action::Prove(at) => state.proofs[at].confirmed = Some(state.now),
            Action::CheckOld => {
                let is_proven =
                    |at| state.proofs.get(at).is_some_and(|proof: &Proof| proof.confirmed.is_some());
                state.check = Some(Check {
                    arrived: state.now,
                    must_refuse: state.must_refuse(true, self.serves),
                    reads_live: state.ended_old.is_none(),
                    sent: state.proofs.len(),
                    confirmed: [0, 1, 2].map(is_proven),
                });
            }
            Action::AnswerCheck => {
                let check = state.check.take()?;
                if check.reads_live && check.must_refuse {
                    state.said_live = Some(Primary::Old);
                }
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
                state.check.is_some_and(|check| check.reads_live && state.serves(check, model.serves))
            }),
            Property::<Self>::sometimes(
                "a check arrives at the old primary after a sign-out elsewhere",
                |_, state| state.check.is_some_and(|check| check.must_refuse && check.reads_live),
            ),
        ]
    }
}
