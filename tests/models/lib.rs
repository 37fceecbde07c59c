//! Protocols between processes as models: a checker (`stateright`) visits every state that the processes, the
//! messages between them and the failures of both can reach, within bounds.
//!
//! Each protocol is a list of rules. With all of them its property holds in every state; with any one left out the
//! checker finds the events that break it, and a test requires that it does: so no rule is there for nothing, and no
//! model is too weak to see it missing. What a model leaves out of the code is in its first comment.
//!
//! `tests/run rust` runs them, and with `RESCIND_TEST_ROUNDS=full` allows more events at once, optimized, which takes
//! minutes and gigabytes. `-- --nocapture` prints how many states there were, and the events of each counterexample.
//!
//! Modules: `follower` (how a follower of the feed proves that it is fresh), `known_standings` (how a node answers
//! checks from memory), `primacy` (how a node proves that no other database was promoted).

#![cfg(test)]

mod follower;
mod known_standings;
mod primacy;

use std::fmt::Debug;
use std::hash::Hash;

use stateright::{Checker, HasDiscoveries, Model};

/// Whether the models are to allow more events.
fn is_full() -> bool {
    std::env::var("RESCIND_TEST_ROUNDS").is_ok_and(|rounds| rounds == "full")
}

/// Visits every state of `model` and requires that its properties hold. A model that does next to nothing has fewer
/// than `least` states.
fn holds<M>(name: &str, model: M, least: usize)
where
    M: Model<State: Clone + Debug + Hash + PartialEq + Send + Sync, Action: Clone + Debug + PartialEq>,
    M: Send + Sync + 'static,
{
    let checker = model.checker().spawn_bfs().join();
    let states = checker.unique_state_count();
    println!("{name}: {states} states, up to {} events", checker.max_depth());
    checker.assert_properties();
    assert!(states >= least, "{name}: {states} states");
}

/// Requires that the checker finds events after which `property` does not hold, and returns how many.
fn breaks<M>(name: &str, model: M, property: &'static str) -> usize
where
    M: Model<State: Clone + Debug + Hash + PartialEq + Send + Sync, Action: Clone + Debug + PartialEq>,
    M: Send + Sync + 'static,
{
    let found = HasDiscoveries::AnyOf([property].into());
    let checker = model.checker().finish_when(found).spawn_bfs().join();
    let Some(path) = checker.discovery(property) else {
        panic!("{name}: in {} states: {property}", checker.unique_state_count());
    };
    let events = path.into_actions();
    println!("{name}: after {} states: {events:?}", checker.unique_state_count());
    events.len()
}
