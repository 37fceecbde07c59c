//! Random faults of the network and pauses of the process: no ended token is accepted past the bound.

use std::time::Duration;

use proptest::prelude::*;

use super::trial::Trial;
use crate::verifier::replica::StreamAction;

const USERS: u8 = 4;
const BOUND: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
enum ChaosStep {
    /// A user signs out everywhere, and signs in again.
    SignOut(u8),
    /// The active key is distrusted: every token it signed has ended.
    Distrust,
    /// Time passes on both sides; long intervals are a paused process.
    Pass(u16),
    /// A ping reaches the issuer; the network keeps the answer.
    Ask,
    /// The network delivers the next frames, without some of the first.
    StreamAction(u8),
    /// The network delivers an answer or frame it has seen, however old, as often as it likes.
    Answer(usize),
    Frame(usize),
    /// The network delivers a text with one character altered.
    Alter(usize, usize),
    /// The replica asks for a snapshot.
    Snapshot,
    /// The keys are fetched, perhaps from a stale cache.
    Keys,
    OldKeys(usize),
    /// The store is restored properly, with `rescind store restored`.
    Restore,
}

fn steps() -> impl Strategy<Value = Vec<ChaosStep>> {
    let step = prop_oneof![
        4 => (0..USERS).prop_map(ChaosStep::SignOut),
        1 => Just(ChaosStep::Distrust),
        3 => (0_u16..4_000).prop_map(ChaosStep::Pass),
        1 => (8_000_u16..20_000).prop_map(ChaosStep::Pass),
        6 => Just(ChaosStep::Ask),
        4 => (0_u8..3).prop_map(ChaosStep::StreamAction),
        6 => any::<usize>().prop_map(ChaosStep::Answer),
        2 => any::<usize>().prop_map(ChaosStep::Frame),
        1 => (any::<usize>(), any::<usize>()).prop_map(|(which, at)| ChaosStep::Alter(which, at)),
        2 => Just(ChaosStep::Snapshot),
        2 => Just(ChaosStep::Keys),
        1 => any::<usize>().prop_map(ChaosStep::OldKeys),
        1 => Just(ChaosStep::Restore),
    ];
    prop::collection::vec(step, 1..80)
}

/// A token, and when it was ended.
struct Held {
    user: u8,
    text: String,
    ended: Option<Duration>,
}

fn nth<T: Clone>(all: &[T], at: usize) -> Option<T> {
    all.get(at.checked_rem(all.len())?).cloned()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_ended_token_is_accepted_past_the_bound(steps in steps()) {
        let mut trial = Trial::ready();
        let began = trial.world.uptime();
        let mut generations = [1_u64; USERS as usize];
        let mut held: Vec<Held> = Vec::new();
        let (mut answers, mut frames, mut caches) = (Vec::new(), Vec::new(), vec![trial.issuer.published()]);
        let sign_in = |trial: &Trial, user: u8, generation| Held { user, text: trial.issuer.token(user, generation), ended: None };
        for user in 0..USERS {
            held.push(sign_in(&trial, user, 1));
        }
        let mut accepted = 0;
        for step in steps {
            let now = trial.world.uptime();
            let end = |held: &mut Vec<Held>, which: &dyn Fn(&Held) -> bool| {
                held.iter_mut().filter(|one| which(one)).for_each(|one| { one.ended.get_or_insert(now); });
            };
            match step {
                ChaosStep::SignOut(user) => {
                    let generation = &mut generations[usize::from(user)];
                    *generation += 1;
                    trial.issuer.bump(user, *generation, None);
                    end(&mut held, &|one| one.user == user);
                    held.push(sign_in(&trial, user, *generation));
                }
                ChaosStep::Distrust => {
                    trial.issuer.distrust_active();
                    end(&mut held, &|_| true);
                    caches.push(trial.issuer.published());
                    for user in 0..USERS {
                        held.push(sign_in(&trial, user, generations[usize::from(user)]));
                    }
                }
                ChaosStep::Pass(millis) => trial.hands.advance(Duration::from_millis(millis.into())),
                ChaosStep::Ask => {
                    if let Some(asked) = trial.replica.ask() {
                        answers.push(trial.issuer.pong(&asked));
                    }
                }
                ChaosStep::StreamAction(lost) => {
                    let next = trial.issuer.frames(trial.replica.resume());
                    frames.extend(next.iter().cloned());
                    for frame in next.iter().skip(lost.into()) {
                        trial.replica.frame(frame);
                    }
                }
                ChaosStep::Answer(at) => if let Some(answer) = nth(&answers, at)
                    && trial.replica.pong(&answer) == StreamAction::Begin
                {
                    frames.extend(trial.issuer.snapshot());
                },
                ChaosStep::Frame(at) => if let Some(frame) = nth(&frames, at) { trial.replica.frame(&frame); },
                ChaosStep::Alter(which, at) => if let Some(text) = nth(&[answers.clone(), frames.clone()].concat(), which) {
                    let at = at % text.len();
                    let other = if text.as_bytes()[at] == b'A' { 'B' } else { 'A' };
                    let altered = format!("{}{other}{}", &text[..at], &text[at + 1..]);
                    trial.replica.pong(&altered);
                    trial.replica.frame(&altered);
                },
                ChaosStep::Snapshot => for frame in trial.issuer.snapshot() {
                    trial.replica.frame(&frame);
                    frames.push(frame);
                },
                ChaosStep::Keys => trial.publish(),
                ChaosStep::OldKeys(at) => if let Some(keys) = nth(&caches, at) { trial.replica.publish(&keys) },
                ChaosStep::Restore => {
                    trial.issuer = trial.issuer.restored();
                    end(&mut held, &|_| true);
                }
            }
            let now = trial.world.uptime();
            for one in &held {
                let outcome = trial.check(&one.text);
                accepted += u32::from(outcome.is_ok());
                let past = one.ended.is_some_and(|ended| now > ended + BOUND);
                prop_assert!(!(past && outcome.is_ok()), "ended at {:?}, accepted at {now:?}", one.ended);
            }
        }
        // Refusing everything would be no art.
        prop_assert!(accepted > 0 || trial.world.uptime() > began + BOUND);
    }
}
