//! How nodes that share a database answer checks from memory.
//!
//! **Protocol.** A node keeps the user and device records that it has read, and the position of the log that they are
//! good at. A check whose records are known sends one small statement, which reads the database's counters: the head
//! of the log, and what proves the same store, timeline, era and keys. Once the node has applied the log up to that
//! head, it decides from memory. Any other check reads the records together with the counters (a *fill*): they decide
//! it, and may be kept.
//!
//! **Actors.** One database, the nodes, and whoever writes to it; nodes share nothing but the database. Statements
//! are sent, executed and answered at three times, in any order among several. A statement that several checks share
//! is here one for each of them; if they are executed at once, that is the same. A node reads the log by such
//! statements, too, alone or together with the head.
//!
//! **Failures.** A node starts anew; the database fails over with nothing lost, is rolled back to an old state under
//! running nodes, or is restored from an old copy, which begins a new store id, era and key. No clock is trusted: the
//! new era and version of the keys may be numbers that were used before, after the copy was made.
//!
//! **Properties.** No check says *live* of a token that has ended before the check starts, and none says *ended* of a
//! token that is live from then to the answer. The records decide which it is: an end that a rollback takes from them
//! is none.
//!
//! **Left out.** A dump that is loaded over the database, which leaves store and timeline and is known by a shorter log; the
//! bound on age and the node's own steps, which only remove more; other users except for their entries; expiry, which needs
//! no entry. The decision is the service's own. The service reads the head and the new entries with one statement
//! (`HEAD` in `src/store/postgres/sql.rs`), which is one case of this.

mod database;
mod model;
mod node;

use crate::{breaks, holds, is_full};
use Event::{
    Check as C, Distrust, Failover, NewEra, OtherUser, Restart, Restore, RollBack, SignIn, SignOut,
    SignOutEverywhere, SignOutOthers,
};
use model::KnownStandings;

/// What makes the properties hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// The statement that reads the head is sent after the check arrived: no check joins one that is under way.
    HeadAfterArrival,
    /// A check is decided once the log is applied up to the head that was read for it.
    AppliedToHead,
    /// Only *live* is answered from memory.
    OnlyLive,
    /// A fill reads records and counters in one statement, so that the records are good at that head.
    OneStatement,
    /// A fill of an older head than the applied one is not kept if an entry about its user was applied since it was
    /// sent.
    MissedEntries,
    /// The entry of a device that ended removes the user's records from memory, unless they are good at a later
    /// position.
    DeviceEntries,
    /// The entry of a user's new generation does the same.
    GenerationEntries,
    /// Whatever ends a token has an entry in the log.
    EveryEndIsLogged,
    /// Another store empties the memory.
    Store,
    /// Another timeline of the database empties the memory.
    Timeline,
    /// Another era empties the memory, from the counters or from the log.
    Era,
    /// Another version of the keys empties the memory, from the counters or from the log.
    Keys,
    /// Records and entries are not kept that were read by a statement sent before the memory was emptied.
    SentSinceEmptied,
}

/// What may happen, each as often as the model lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Event {
    SignOut,
    SignOutEverywhere,
    /// The device goes on under the new generation, with a new token.
    SignOutOthers,
    /// A new token, without an entry.
    SignIn,
    OtherUser,
    NewEra,
    Distrust,
    Failover,
    RollBack,
    Restore,
    Restart,
    /// A check of any token at any node.
    Check,
}

const NEVER_LIVE: &str = "no check that starts after its token was ended says live";
const NEVER_ENDED: &str = "no check says ended of a token that is live throughout";

fn model(nodes: usize, events: &[Event], without: Option<Rule>) -> KnownStandings {
    let mut events = events.to_vec();
    events.sort();
    KnownStandings { nodes, events, without }
}

#[test]
fn with_all_rules_no_ended_token_is_live_and_no_live_one_ended() {
    let cases: [(usize, &[Event]); 6] = [
        (1, &[SignOut, SignOutOthers, OtherUser, C, C]),
        (1, &[SignOut, SignIn, OtherUser, C, C, C]),
        (1, &[SignOut, OtherUser, Failover, C, C]),
        (1, &[SignOut, OtherUser, RollBack, C, C, C]),
        (1, &[NewEra, Distrust, SignIn, Restore, C, C]),
        (2, &[SignOut, OtherUser, Restart, C, C]),
    ];
    for (nodes, events) in cases {
        let mut events = events.to_vec();
        events.extend(is_full().then_some(C));
        holds(&format!("{nodes} nodes, {events:?}"), model(nodes, &events, None), 4_000);
    }
}

#[test]
fn without_any_one_rule_a_counterexample_is_found() {
    let cases: [(Rule, &str, &[Event]); 13] = [
        (Rule::HeadAfterArrival, NEVER_LIVE, &[SignOut, C, C, C]),
        (Rule::AppliedToHead, NEVER_LIVE, &[SignOut, C, C]),
        (Rule::OnlyLive, NEVER_ENDED, &[SignOut, SignIn, C, C]),
        (Rule::OneStatement, NEVER_LIVE, &[SignOut, C, C]),
        (Rule::MissedEntries, NEVER_LIVE, &[SignOut, C, C]),
        (Rule::DeviceEntries, NEVER_LIVE, &[SignOut, C, C]),
        (Rule::GenerationEntries, NEVER_LIVE, &[SignOutEverywhere, C, C]),
        (Rule::EveryEndIsLogged, NEVER_LIVE, &[SignOut, C, C]),
        (Rule::Store, NEVER_LIVE, &[NewEra, Distrust, SignIn, Restore, C, C]),
        (Rule::Timeline, NEVER_LIVE, &[SignOut, OtherUser, RollBack, C, C]),
        (Rule::Era, NEVER_LIVE, &[NewEra, C, C]),
        (Rule::Keys, NEVER_LIVE, &[Distrust, C, C]),
        (Rule::SentSinceEmptied, NEVER_LIVE, &[SignOut, Failover, C, C]),
    ];
    for (rule, property, events) in cases {
        breaks(&format!("without {rule:?}"), model(1, events, Some(rule)), property);
    }
}
