//! How a follower of the feed proves that it is fresh.
//!
//! **Protocol.** The issuer keeps a log of revocations and sends it in signed frames. A follower applies them to a
//! copy. It posts pings, each with a nonce; the signed answer (*pong*) names the head of the log, read after the ping
//! arrived. Once the follower has applied that head, everything that was acknowledged before it *sent* the ping is in
//! its copy: the time of sending is its `as_of`. A check reads the clock, then `as_of`, then the copy, and refuses if
//! `as_of` is longer ago than `max_staleness`. A ping also reports what is applied: a sign-out that waits for its
//! followers is answered after that.
//!
//! **Actors.** One issuer, one follower, whose clock is the one that counts; the issuer's is never read.
//!
//! **Failures.** Frames of any range arrive in any order, again, or never; pings and pongs are delayed, lost,
//! repeated and reordered. The follower starts anew, with nothing. The issuer's store is replaced by an older copy
//! with a new id and era.
//!
//! **Property.** No check says *live* of a token whose end was answered more than `max_staleness` before the check
//! started, or was answered as confirmed by the follower before the check started.
//!
//! **Left out.** The issuer's keys and the memory limit of a follower; entries that the log no longer keeps, whose
//! tokens have expired; a store that goes back in time under the same id. The decision is the verifier's own.

mod model;
mod replica;

use crate::{breaks, holds, is_full};
use model::Following;
use replica::Time;

/// What makes the property hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// A pong counts for the ping with its nonce alone.
    NonceMatches,
    /// A pong proves freshness as of the moment when its ping was sent, not when the pong arrived.
    AsOfSending,
    /// The head in a pong is read after the ping arrived.
    HeadAfterArrival,
    /// A pong proves nothing before its head is applied.
    AppliedToHead,
    /// A frame that leaves out entries is not applied.
    NoGaps,
    /// Of a store that was not followed before, nothing counts as applied until its entries arrive.
    SnapshotOfNewStore,
    /// Of the copy that a follower lost as it started anew nothing is applied.
    SnapshotAfterRestart,
    /// A check reads the proof before it looks the token up.
    ProofBeforeLookup,
    /// Past `max_staleness` every token is refused.
    MaxStaleness,
    /// A ping reports what is applied, not what is heard of.
    ReportsApplied,
}

/// How much may happen.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    ticks: Time,
    pings: u8,
    sign_outs: u8,
    restores: usize,
    restarts: u8,
}

const NEVER_LIVE: &str = "no check says live past the bound, or after the follower confirmed";

const SMALL: Bounds = Bounds { ticks: 2, pings: 2, sign_outs: 1, restores: 0, restarts: 0 };

#[test]
fn with_all_rules_no_check_is_staler_than_the_bound() {
    let cases = [
        Bounds { ticks: 3, ..SMALL },
        Bounds { ticks: 0, sign_outs: 2, ..SMALL },
        Bounds { restarts: 1, ..SMALL },
        Bounds { ticks: 0, restores: 1, ..SMALL },
    ];
    for mut bounds in cases {
        if is_full() {
            bounds = Bounds { ticks: bounds.ticks.max(2), sign_outs: 2, ..bounds };
        }
        holds(&format!("{bounds:?}"), Following { bounds, without: None }, 5_000);
    }
}

#[test]
fn without_any_one_rule_an_ended_token_is_live() {
    let cases = [
        (Rule::NonceMatches, SMALL),
        (Rule::AsOfSending, SMALL),
        (Rule::HeadAfterArrival, SMALL),
        (Rule::AppliedToHead, SMALL),
        (Rule::NoGaps, Bounds { pings: 1, sign_outs: 2, ..SMALL }),
        (Rule::SnapshotOfNewStore, SMALL),
        (Rule::SnapshotAfterRestart, Bounds { restarts: 1, ..SMALL }),
        (Rule::ProofBeforeLookup, SMALL),
        (Rule::MaxStaleness, SMALL),
        (Rule::ReportsApplied, Bounds { ticks: 0, pings: 3, ..SMALL }),
    ];
    for (rule, bounds) in cases {
        breaks(&format!("without {rule:?}"), Following { bounds, without: Some(rule) }, NEVER_LIVE);
    }
}
