//! The model: what may happen, and what it changes.

use stateright::{Model, Property};

use super::database::{Database, Entry, Token};
use super::node::{Check, Node, Step};
use super::{Event, NEVER_ENDED, NEVER_LIVE, Rule};

pub(super) struct KnownStandings {
    pub(super) nodes: usize,
    pub(super) events: Vec<Event>,
    pub(super) without: Option<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    database: Database,
    /// In any order: nodes differ by what they know alone.
    nodes: Vec<Node>,
    tokens: Vec<Token>,
    keys_made: u8,
    left: Vec<Event>,
    said_live_after_end: bool,
    said_ended_while_live: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Action {
    Happens(Event),
    /// A check takes over the answer to the statement of the check at `joins`, else it sends one of its own.
    Starts {
        node: usize,
        token: usize,
        joins: Option<usize>,
    },
    Executed {
        node: usize,
        check: usize,
    },
    Answered {
        node: usize,
        check: usize,
    },
    Decided {
        node: usize,
        check: usize,
    },
    LogRead {
        node: usize,
    },
    LogApplied {
        node: usize,
    },
    Restarted {
        node: usize,
    },
}

impl KnownStandings {
    fn follows(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }

    fn happens(&self, event: Event, state: &mut State) {
        let State { database, tokens, keys_made, .. } = state;
        match event {
            Event::SignOut => {
                database.records.ended = true;
                if self.follows(Rule::EveryEndIsLogged) {
                    database.append(Entry::Device);
                }
            }
            Event::SignOutEverywhere => database.bump(false),
            Event::SignOutOthers => {
                database.bump(true);
                tokens.push(database.sign_in());
            }
            Event::SignIn => tokens.push(database.sign_in()),
            Event::OtherUser => database.append(Entry::OtherUser),
            Event::NewEra => database.append(Entry::Era(database.counters.era + 1)),
            Event::Distrust => {
                *keys_made += 1;
                database.append(Entry::Keys { version: database.counters.keys + 1, key: *keys_made });
            }
            Event::Failover => database.counters.timeline += 1,
            Event::RollBack => database.roll_back(),
            Event::Restore => {
                *keys_made += 1;
                database.restore(*keys_made);
            }
            Event::Restart | Event::Check => {}
        }
        tokens.sort();
        tokens.dedup();
        for check in state.nodes.iter_mut().flat_map(|node| &mut node.checks) {
            let is_live = state.database.records.are_live(check.token, state.database.counters);
            check.throughout = check.throughout.filter(|was_live| *was_live == is_live);
        }
    }

    fn ways_to_start(&self, state: &State) -> Vec<Action> {
        let mut ways = Vec::new();
        for (node, of) in state.nodes.iter().enumerate() {
            for token in 0..state.tokens.len() {
                ways.push(Action::Starts { node, token, joins: None });
                if !self.follows(Rule::HeadAfterArrival) {
                    let heads =
                        (0..of.checks.len()).filter(|at| matches!(of.checks[*at].step, Step::HeadRead(_)));
                    ways.extend(heads.map(|other| Action::Starts { node, token, joins: Some(other) }));
                }
            }
        }
        ways
    }

    fn starts(state: &mut State, node: usize, token: Token, joins: Option<usize>) {
        let is_live = state.database.records.are_live(token, state.database.counters);
        let node = &mut state.nodes[node];
        let alone = if node.known.is_some() { Step::HeadSent } else { Step::FillSent };
        let step = joins.map_or(alone, |other| node.checks[other].step);
        node.checks.push(Check::start(token, is_live, step));
    }
}

impl Model for KnownStandings {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let database = Database::default();
        vec![State {
            nodes: vec![Node::started(&database); self.nodes],
            database,
            tokens: vec![Token::default()],
            keys_made: 0,
            left: self.events.clone(),
            said_live_after_end: false,
            said_ended_while_live: false,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let mut events = state.left.clone();
        events.dedup();
        for event in events {
            match event {
                Event::SignOut | Event::SignOutOthers if !state.database.can_sign_out() => {}
                Event::Restart => actions.extend((0..self.nodes).map(|node| Action::Restarted { node })),
                Event::Check => actions.extend(self.ways_to_start(state)),
                event => actions.push(Action::Happens(event)),
            }
        }
        for (node, of) in state.nodes.iter().enumerate() {
            for (check, at) in of.checks.iter().enumerate() {
                match at.step {
                    Step::HeadSent | Step::FillSent => actions.push(Action::Executed { node, check }),
                    Step::HeadRead(_) | Step::FillRead(..) => actions.push(Action::Answered { node, check }),
                    Step::Waits(_) if of.can_decide(at, |rule| self.follows(rule)) => {
                        actions.push(Action::Decided { node, check });
                    }
                    Step::Waits(_) => {}
                }
            }
            if of.reads_log() {
                actions.push(Action::LogApplied { node });
            } else if of.counters != state.database.counters {
                actions.push(Action::LogRead { node });
            }
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut state = state.clone();
        let event = match action {
            Action::Happens(event) => Some(event),
            Action::Starts { .. } => Some(Event::Check),
            Action::Restarted { .. } => Some(Event::Restart),
            _ => None,
        };
        if let Some(at) = event.and_then(|event| state.left.iter().position(|left| *left == event)) {
            state.left.remove(at);
        }
        let follows = |rule| self.follows(rule);
        match action {
            Action::Happens(event) => self.happens(event, &mut state),
            Action::Starts { node, token, joins } => {
                let token = state.tokens[token];
                Self::starts(&mut state, node, token, joins);
            }
            Action::Executed { node, check } => state.nodes[node].checks[check].execute(&state.database),
            Action::Answered { node, check } | Action::Decided { node, check } => {
                let asked = state.nodes[node].checks[check];
                let answer = match asked.step {
                    Step::Waits(_) => state.nodes[node].decide(check, follows),
                    _ => state.nodes[node].answer(check, &state.database, follows),
                };
                state.said_live_after_end |= answer == Some(true) && asked.throughout == Some(false);
                state.said_ended_while_live |= answer == Some(false) && asked.throughout == Some(true);
            }
            Action::LogRead { node } => state.nodes[node].read_log(&state.database),
            Action::LogApplied { node } => state.nodes[node].apply_log(follows),
            Action::Restarted { node } => state.nodes[node] = Node::started(&state.database),
        }
        for node in &mut state.nodes {
            node.checks.sort();
        }
        state.nodes.sort();
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::<Self>::always(NEVER_LIVE, |_, state| !state.said_live_after_end),
            Property::<Self>::always(NEVER_ENDED, |_, state| !state.said_ended_while_live),
            Property::<Self>::sometimes(
                "a node says live from memory after it applied an entry",
                |model, state| {
                    let is_current =
                        |node: &&Node| node.counters.head > 0 && node.counters == state.database.counters;
                    state.nodes.iter().filter(is_current).any(|node| {
                        let decides = |check: &&Check| node.can_decide(check, |rule| model.follows(rule));
                        node.checks.iter().filter(decides).any(|check| node.remembers_live(check.token))
                    })
                },
            ),
        ]
    }
}
