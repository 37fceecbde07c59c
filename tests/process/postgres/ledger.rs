//! A user's clients that remember every answer, and compare later answers with it.
//!
//! An acknowledged step is certain: a later answer that contradicts it is a lost step, and is counted. A step
//! answered with 503 may have been taken or not; until the database is at rest both are right, after that it is one
//! of them for good, and a sign-out everywhere was taken as a whole or not at all.

use std::time::Instant;

use serde_json::{Value, json};

use super::nodes::open;
use crate::client::{Answer, Client, PATIENCE};
use crate::session::Session;

/// The problems of tokens of an ended device.
const ENDED: [&str; 2] = ["401 signed_out", "401 signed_out_everywhere"];

/// The most live devices of a user; more would show nothing more.
const DEVICES: usize = 5;

/// One user and its devices, with what their clients know.
#[derive(Debug)]
pub(super) struct Ledger {
    nodes: Vec<Client>,
    key: String,
    user: String,
    devices: Vec<Held>,
    /// The number of sign-ins that were not answered: as many devices may be listed besides.
    perhaps: usize,
    /// Whether a step was not answered since the last settlement. Until then nothing is signed out, which would hide
    /// a lost step.
    shaken: bool,
    /// The state of the random generator, which makes every run choose the same steps.
    turn: u64,
    pub(super) tally: Tally,
}

/// The counts of all calls.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Tally {
    /// The number of acknowledged steps.
    pub(super) acknowledged: usize,
    /// The number of steps that were answered with 503.
    pub(super) unanswered: usize,
    /// The number of steps answered with 503 that turned out to have been taken.
    pub(super) taken: usize,
    /// The number of devices checked at rest whose sign-in, last refresh or end was acknowledged: both tokens, on
    /// every node.
    pub(super) looked_after: usize,
    /// The number of acknowledged steps that a later answer contradicted.
    pub(super) lost: usize,
}

/// The answer to a step.
#[derive(Debug)]
enum Told {
    Acknowledged(Value),
    Unanswered,
    /// The answer shows that an acknowledged step was lost.
    Contradicted,
}

/// The result of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Acted {
    /// A step was acknowledged.
    Acknowledged,
    /// The answer was 503.
    Unanswered,
    /// A check was answered, or there was nothing to do.
    Asked,
}

#[derive(Debug, Clone)]
struct Held {
    session: Session,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Alive,
    /// A sign-out of the device was not answered.
    Leaving,
    /// A sign-out of every device was not answered.
    Sweeping,
    Ended,
}

impl Ledger {
    /// Registers a user with one device.
    pub(super) fn new(nodes: Vec<Client>, key: &str, user: &str, seed: u64) -> Self {
        let devices =
            vec![Held { session: Session::register(&nodes[0], user, "Phone"), state: State::Alive }];
        let (key, user) = (key.to_owned(), user.to_owned());
        Self { nodes, key, user, devices, perhaps: 0, shaken: false, turn: seed, tally: Tally::default() }
    }

    /// Takes the next step, chosen at random, and returns its result.
    pub(super) fn act(&mut self) -> Acted {
        let before = self.tally;
        let (node, choice) = (self.draw(self.nodes.len()), self.draw(16));
        match choice {
            0..4 => return self.check(node),
            4..9 => self.refresh(node),
            _ if self.shaken => return self.check(node),
            9..12 => self.sign_out(node),
            12 => self.sign_out_everywhere(node),
            _ => self.sign_in(node),
        }
        if self.tally.acknowledged > before.acknowledged {
            Acted::Acknowledged
        } else if self.tally.unanswered > before.unanswered {
            Acted::Unanswered
        } else {
            Acted::Asked
        }
    }

    /// The next random number below `below`, by xorshift64*.
    fn draw(&mut self, below: usize) -> usize {
        self.turn ^= self.turn >> 12;
        self.turn ^= self.turn << 25;
        self.turn ^= self.turn >> 27;
        let drawn = self.turn.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(drawn).unwrap() % below
    }

    /// A random device in a wanted state, if there is one.
    fn any(&mut self, wanted: impl Fn(State) -> bool) -> Option<usize> {
        let those: Vec<usize> =
            (0..self.devices.len()).filter(|&at| wanted(self.devices[at].state)).collect();
        if those.is_empty() { None } else { Some(those[self.draw(those.len())]) }
    }

    fn check(&mut self, node: usize) -> Acted {
        let Some(at) = self.any(|_| true) else { return Acted::Asked };
        let answer = self.devices[at].session.me(&self.nodes[node]);
        self.judge(at, &answer);
        if answer.status == 503 { Acted::Unanswered } else { Acted::Asked }
    }

    /// Compares an answer with the device's state. A contradiction counts as a lost step, and becomes the device's
    /// state.
    fn judge(&mut self, at: usize, answer: &Answer) {
        let state = self.devices[at].state;
        let seen = match answer.status {
            503 if answer.header("retry-after").is_some() => return,
            200 => State::Alive,
            401 if ENDED.contains(&answer.problem().as_str()) => State::Ended,
            _ => panic!("{} of {} is {state:?}: {answer:?}", self.devices[at].session.device, self.user),
        };
        if [State::Alive, State::Ended].contains(&state) && seen != state {
            self.lose(at, seen, answer);
        }
    }

    fn lose(&mut self, at: usize, seen: State, answer: &Answer) {
        let device = &mut self.devices[at];
        eprintln!(
            "LOST: {} of {} is {:?}, and the answer was {answer:?}",
            device.session.device, self.user, device.state
        );
        device.state = seen;
        self.tally.lost += 1;
    }

    /// Evaluates the answer to a step that the device `by` asked for, which is alive. Only 503 leaves open whether
    /// the step was taken.
    fn noted(&mut self, by: Option<usize>, answer: Answer) -> Told {
        match (answer.status, by) {
            (503, _) => {
                assert!(answer.header("retry-after").is_some(), "{answer:?}");
                self.tally.unanswered += 1;
                self.shaken = true;
                Told::Unanswered
            }
            (401, Some(at)) if ENDED.contains(&answer.problem().as_str()) => {
                self.lose(at, State::Ended, &answer);
                Told::Contradicted
            }
            _ => {
                self.tally.acknowledged += 1;
                Told::Acknowledged(answer.ok())
            }
        }
    }

    fn sign_in(&mut self, node: usize) {
        if self.devices.iter().filter(|device| device.state != State::Ended).count() >= DEVICES {
            return self.sign_out(node);
        }
        let answer = open(&self.nodes[node], &self.key, &self.user);
        match self.noted(None, answer) {
            Told::Acknowledged(session) => {
                self.devices.push(Held { session: Session::of(&session), state: State::Alive });
            }
            _ => self.perhaps += 1,
        }
    }

    /// Refreshes a device. Without an answer the client keeps its old token, which can be exchanged for the same
    /// successor.
    fn refresh(&mut self, node: usize) {
        let Some(at) = self.any(|state| state == State::Alive) else { return self.sign_in(node) };
        let answer = self.devices[at].session.refresh(&self.nodes[node]);
        if let Told::Acknowledged(session) = self.noted(Some(at), answer) {
            self.devices[at].session = Session::of(&session);
        }
    }

    fn sign_out(&mut self, node: usize) {
        let Some(at) = self.any(|state| state == State::Alive || state == State::Leaving) else { return };
        let refresh = json!({ "refresh": self.devices[at].session.refresh });
        let answer = self.nodes[node].post("/api/v1/auth/logout/", "", &refresh);
        let certain = self.devices[at].state == State::Alive;
        let Told::Acknowledged(told) = self.noted(None, answer) else {
            self.devices[at].state = State::Leaving;
            return;
        };
        self.devices[at].state = State::Ended;
        match told["signed_out"].as_u64() {
            Some(1) => {}
            Some(0) if !certain => self.tally.taken += 1,
            // The device's acknowledged sign-in is lost.
            Some(0) => self.tally.lost += 1,
            _ => panic!("{told}"),
        }
    }

    fn sign_out_everywhere(&mut self, node: usize) {
        let Some(at) = self.any(|state| state == State::Alive) else { return self.sign_in(node) };
        let bearer = self.devices[at].session.access.clone();
        let answer = self.nodes[node].post("/api/v1/auth/logout-all/", &bearer, &json!({}));
        let told = self.noted(Some(at), answer);
        for device in self.devices.iter_mut().filter(|device| device.state != State::Ended) {
            device.state = match (&told, device.state) {
                (Told::Acknowledged(_), _) => State::Ended,
                // Whatever happened to the others, nothing new is known of this device.
                (Told::Unanswered, State::Leaving) => State::Leaving,
                (Told::Unanswered, _) => State::Sweeping,
                (Told::Contradicted, before) => before,
            };
        }
    }

    /// Asserts, with the database at rest, that every acknowledged step is in force on every node, and finds out
    /// which unanswered steps were taken.
    pub(super) fn settle(&mut self) {
        // Whatever is still under way for this user comes before this.
        let mut tries = 0;
        let opened = answered(|| {
            tries += 1;
            open(&self.nodes[0], &self.key, &self.user)
        });
        let last = Session::of(&opened.ok());
        self.perhaps += tries - 1;
        self.shaken = false;
        self.find_out();
        self.devices.push(Held { session: last, state: State::Alive });
        for at in 0..self.devices.len() {
            for node in 0..self.nodes.len() {
                let answer = answered(|| self.devices[at].session.me(&self.nodes[node]));
                assert_ne!(answer.status, 503, "{answer:?}");
                self.judge(at, &answer);
            }
            // The last refresh that was acknowledged: lost, its token would be ahead of the device, which is a 503 for good.
            let node = &self.nodes[at % self.nodes.len()];
            let answer = answered(|| self.devices[at].session.refresh(node));
            if answer.status == 503 {
                self.lose(at, State::Ended, &answer);
                continue;
            }
            self.judge(at, &answer);
            if answer.status == 200 {
                self.devices[at].session = Session::of(&answer.json());
            }
            self.tally.looked_after += 1;
        }
        self.count();
    }

    fn find_out(&mut self) {
        let node = &self.nodes[0];
        let mut swept = Vec::new();
        for device in &mut self.devices {
            if [State::Leaving, State::Sweeping].contains(&device.state) {
                let alive = answered(|| device.session.me(node)).status == 200;
                if device.state == State::Sweeping {
                    swept.push(!alive);
                } else {
                    self.tally.taken += usize::from(!alive);
                }
                device.state = if alive { State::Alive } else { State::Ended };
            }
        }
        let all = swept.iter().filter(|&&ended| ended).count();
        if all > 0 && all < swept.len() {
            eprintln!("LOST: {} was signed out everywhere by half: {swept:?}", self.user);
            self.tally.lost += 1;
        }
        self.tally.taken += usize::from(all > 0);
    }

    /// Asserts that every known device is listed, and no more than may have been signed in.
    fn count(&mut self) {
        let mut alive = self.devices.iter().filter(|device| device.state == State::Alive);
        let known = alive.clone().count();
        let Some(one) = alive.next_back() else { return };
        let bearer = &one.session.access;
        let listed = answered(|| self.nodes[0].get("/api/v1/devices/?limit=100", bearer)).ok();
        let listed = listed["results"].as_array().unwrap().len();
        if !(known..=known + self.perhaps).contains(&listed) {
            eprintln!("LOST: {} has {known} + {} devices, {listed} are listed", self.user, self.perhaps);
            self.tally.lost += 1;
        }
    }
}

/// Repeats a request until it is answered, or for [`PATIENCE`]: nodes do not notice at once that the database is at
/// rest.
fn answered(mut ask: impl FnMut() -> Answer) -> Answer {
    let begun = Instant::now();
    loop {
        let answer = ask();
        if answer.status != 503 || begun.elapsed() > PATIENCE {
            return answer;
        }
    }
}
