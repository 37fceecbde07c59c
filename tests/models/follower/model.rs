//! The model: what may happen, and what it changes.

use stateright::{Model, Property};

use super::replica::{Check, Entry, Follower, Frame, MAX_STALENESS, Pong, Time, Token};
use super::{Bounds, NEVER_LIVE, Rule};

pub(super) struct Following {
    pub(super) bounds: Bounds,
    pub(super) without: Option<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    now: Time,
    /// The logs of the issuer's stores; the last is the present one, whose number is its era.
    logs: Vec<Vec<Entry>>,
    follower: Follower,
    /// Pings on their way, each with the position that it reports and the store of that position.
    pings: Vec<(u8, Option<(usize, usize)>)>,
    pongs: Vec<Pong>,
    /// What was last reported of the present store.
    reported: Option<usize>,
    /// The tokens that ended: when that was answered, and whether the follower has confirmed it.
    ended: Vec<(Token, Time, bool)>,
    pings_sent: u8,
    sign_outs: u8,
    restarts: u8,
    said_live: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Action {
    Tick,
    SignOut(Token),
    SignOutEverywhere,
    Confirm,
    Restore,
    Restart,
    Ping,
    /// The ping at this place arrives, perhaps once more.
    Answer(usize),
    Pong(usize),
    Frame(Frame),
    StartCheck(Token),
    EndCheck,
}

/// Two tokens of the first era, and one of every later era.
fn tokens(state: &State) -> Vec<Token> {
    let later = (1..state.logs.len()).map(|era| u8::try_from(era).unwrap());
    let later = later.map(|era| Token { era, device: era + 1 });
    [0, 1].map(|device| Token { era: 0, device }).into_iter().chain(later).collect()
}

impl Following {
    fn follows(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }

    /// Ends `tokens`, by an entry or by an era, which every pong names, and answers at once: the earliest answer
    /// promises most.
    fn end(state: &mut State, entry: Option<Entry>, tokens: impl IntoIterator<Item = Token>) {
        state.logs.last_mut().unwrap().extend(entry);
        for token in tokens {
            if state.ended.iter().all(|(ended, ..)| *ended != token) {
                state.ended.push((token, state.now, false));
            }
        }
        state.ended.sort_unstable();
    }

    fn start_check(&self, state: &mut State, token: Token) {
        let started = state.now;
        let must_refuse = state.ended.iter().any(|(ended, answered, confirmed)| {
            *ended == token && (*confirmed || answered + MAX_STALENESS < started)
        });
        state.follower.check = Some(Check { token, started, must_refuse });
    }

    /// What a check reads first or last: whether the proof is fresh, or whether the copy leaves the token alive.
    fn passes(&self, state: &State, token: Token, started: Time, reads_proof: bool) -> bool {
        if reads_proof == self.follows(Rule::ProofBeforeLookup) {
            state.follower.is_fresh(started, |rule| self.follows(rule))
        } else {
            state.follower.knows_no_end(token)
        }
    }
}

impl Model for Following {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            now: 0,
            logs: vec![Vec::new()],
            follower: Follower::default(),
            pings: Vec::new(),
            pongs: Vec::new(),
            reported: None,
            ended: Vec::new(),
            pings_sent: 0,
            sign_outs: 0,
            restarts: 0,
            said_live: false,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let Bounds { ticks, pings, sign_outs, restores, restarts } = self.bounds;
        let follows = |rule| self.follows(rule);
        let mut when = |may: bool, action| actions.extend(may.then_some(action));
        when(state.now < ticks, Action::Tick);
        when(state.pings_sent < pings, Action::Ping);
        when(state.logs.len() <= restores, Action::Restore);
        when(state.restarts < restarts, Action::Restart);
        let head = state.logs.last().map_or(0, Vec::len);
        when(
            state.reported >= Some(head) && state.ended.iter().any(|(.., confirmed)| !confirmed),
            Action::Confirm,
        );
        when(state.sign_outs < sign_outs, Action::SignOutEverywhere);
        for token in tokens(state) {
            let is_present = usize::from(token.era) + 1 == state.logs.len();
            when(is_present && state.sign_outs < sign_outs, Action::SignOut(token));
            let may_pass = self.passes(state, token, state.now, true);
            when(state.follower.check.is_none() && may_pass, Action::StartCheck(token));
        }
        when(state.follower.check.is_some(), Action::EndCheck);
        actions.extend((0..state.pings.len()).map(Action::Answer));
        actions.extend((0..state.pongs.len()).map(Action::Pong));
        for (store, log) in state.logs.iter().enumerate() {
            let frames =
                (0..=log.len()).flat_map(|to| (0..to.max(1)).map(move |after| Frame { store, after, to }));
            actions.extend(frames.filter(|frame| state.follower.takes(*frame, follows)).map(Action::Frame));
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut state = state.clone();
        let follows = |rule| self.follows(rule);
        let present = state.logs.len() - 1;
        let era = u8::try_from(present).unwrap();
        match action {
            Action::Tick => state.now += 1,
            Action::SignOut(token) => {
                state.sign_outs += 1;
                Self::end(&mut state, Some(Entry::Device(token.device)), [token]);
            }
            Action::SignOutEverywhere => {
                state.sign_outs += 1;
                let tokens = tokens(&state);
                Self::end(&mut state, Some(Entry::Generation(1)), tokens);
            }
            Action::Confirm => {
                for (.., confirmed) in &mut state.ended {
                    *confirmed = true;
                }
            }
            Action::Restore => {
                let tokens = tokens(&state);
                state.logs.push(Vec::new());
                state.reported = None;
                Self::end(&mut state, None, tokens);
            }
            Action::Restart => {
                state.restarts += 1;
                let Follower { store, applied, .. } = state.follower;
                state.follower = Follower::default();
                if !self.follows(Rule::SnapshotAfterRestart) {
                    (state.follower.store, state.follower.applied) = (store, applied);
                }
            }
            Action::Ping => {
                let follower = &mut state.follower;
                let applied = if follows(Rule::ReportsApplied) { follower.applied } else { follower.heard() };
                state.pings.push((state.pings_sent, follower.store.zip(applied)));
                follower.ask(state.pings_sent, state.now);
                state.pings_sent += 1;
            }
            Action::Answer(ping) => {
                let (nonce, reported) = state.pings[ping];
                state.reported =
                    state.reported.max(reported.filter(|(store, _)| *store == present).map(|(_, at)| at));
                let late = usize::from(!follows(Rule::HeadAfterArrival));
                let head = state.logs[present].len().saturating_sub(late);
                state.pongs.push(Pong { nonce, store: present, era, head });
                state.pongs.sort_unstable();
                state.pongs.dedup();
            }
            Action::Pong(pong) => state.follower.pong(state.pongs[pong], state.now, follows),
            Action::Frame(frame) => {
                let entries = &state.logs[frame.store][frame.after..frame.to];
                state.follower.frame(frame, entries, follows);
            }
            Action::StartCheck(token) => self.start_check(&mut state, token),
            Action::EndCheck => {
                let check = state.follower.check.take()?;
                let is_live = self.passes(&state, check.token, check.started, false);
                state.said_live |= is_live && check.must_refuse;
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::<Self>::always(NEVER_LIVE, |_, state| !state.said_live),
            Property::<Self>::sometimes("a check can say live after an entry was applied", |model, state| {
                let passes = |check: Check| model.passes(state, check.token, check.started, false);
                state.follower.applied > Some(0) && state.follower.check.is_some_and(passes)
            }),
            Property::<Self>::sometimes("a sign-out is confirmed", |_, state| {
                state.ended.iter().any(|(.., confirmed)| *confirmed)
            }),
        ]
    }
}
