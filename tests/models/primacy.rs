//! How a node proves that no other database was promoted before a check.
//!
//! **Protocol.** A node that is asked about a token reads the records of its database, the *old primary*, and commits
//! something there. If a standby confirmed that it has received that commit, and the commit was sent after the check
//! arrived, then this standby had not been promoted when the check arrived: a promoted one receives nothing from its
//! former primary. If no other standby may be promoted either, nobody has answered a sign-out elsewhere before the
//! check, and the records of the old primary say all there is. With a bounded age, one proof serves all checks that
//! arrive at most `AGE` after its commit was sent. A sign-out is answered once the standby has it on its disk.
//!
//! **Actors.** The old primary, which lives on behind a partition; the standbys `A` and `B`; a coordinator, which
//! promotes a standby that its lock names; a node at each primary; and a user who signs out at either.
//!
//! **Failures.** Commits reach a standby late, and so do confirmations. A standby crashes, and loses what it has received
//! and not yet on its disk. The old primary takes a standby for lost, and for back; one that is not promoted goes on
//! receiving from it. The wait for a confirmation is cancelled: PostgreSQL then reports success.
//!
//! **Property.** No check says *live* that arrives after a sign-out was answered; with a bounded age and a sign-out
//! that the promoted standby answered, none that arrives later than `AGE` after that.
//!
//! **Left out.** A second promotion: to follow another, the old primary has to be stopped, which ends its sessions.
//! The settings read again after the commit, for names that are emptied before the lock is; and a node with connections to
//! both primaries, whose proof has to be of the database that answered.

mod model;

use crate::{breaks, holds, is_full};

/// The clock of the node, in ticks.
type Time = u8;

/// How long a proof serves, where its age is bounded.
const AGE: Time = 1;

/// The two standbys, by number.
const A: usize = 0;
const B: usize = 1;

/// `synchronous_standby_names` of the old primary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Names {
    /// No standby confirms; so it is for steps with `synchronous_commit = local` or `off`.
    #[default]
    Empty,
    /// The first so many of these that are not lost confirm.
    First(usize, &'static [usize]),
    /// Any so many of these confirm.
    Any(usize, &'static [usize]),
}

/// How the old primary gets its second setting: other names, and another lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Changes {
    Never,
    /// The lock names nobody; then the names change; once the new ones have confirmed everything, the lock names
    /// them.
    LockFirst(Names, &'static [usize]),
    /// The names change; then the lock.
    NamesFirst(Names, &'static [usize]),
}

/// Which proofs serve a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Serves {
    /// Those whose commit was sent after the check arrived.
    SentAfter,
    /// Those that were confirmed after the check arrived, whenever they were sent.
    ConfirmedAfter,
    /// Those whose commit was sent at most `AGE` before the check arrived.
    SentWithinAge,
    /// Those that were confirmed at most `AGE` before the check arrived.
    ConfirmedWithinAge,
}

/// What a commit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WaitsFor {
    /// The standbys have received it.
    Receipt,
    /// The standbys have it on their disks.
    Flush,
}

#[derive(Clone, Copy, Debug)]
struct Primacy {
    names: Names,
    /// Whom the lock names at first.
    lock: &'static [usize],
    changes: Changes,
    serves: Serves,
    /// What a sign-out waits for. A proof waits for the receipt.
    steps_wait_for: WaitsFor,
    /// Whether success after a cancelled wait is taken for a confirmation.
    trusts_cancelled: bool,
    ticks: Time,
    proofs: usize,
}

const OLD_NEVER_LIVE: &str = "no check at the old primary says live after a sign-out was answered";
const NEW_NEVER_LIVE: &str = "no check at the promoted standby says live after a sign-out was answered";

/// One synchronous standby, the only one that may be promoted.
const ONE: Primacy = Primacy {
    names: Names::First(1, &[A]),
    lock: &[A],
    changes: Changes::Never,
    serves: Serves::SentAfter,
    steps_wait_for: WaitsFor::Flush,
    trusts_cancelled: false,
    ticks: 0,
    proofs: 1,
};
const AGED: Primacy = Primacy { serves: Serves::SentWithinAge, ticks: 2, ..ONE };
const BOTH: &[usize] = &[A, B];
const ONLY_B: Names = Names::First(1, &[B]);

#[test]
fn a_confirmed_commit_proves_primacy_where_whoever_may_be_promoted_has_to_confirm() {
    let cases = [
        ("FIRST 1 (a)", ONE),
        ("FIRST 1 (a), then FIRST 1 (b)", Primacy { changes: Changes::LockFirst(ONLY_B, &[B]), ..ONE }),
        ("FIRST 1 (a), then none", Primacy { changes: Changes::LockFirst(Names::Empty, &[]), ..ONE }),
        ("FIRST 2 (a, b)", Primacy { names: Names::First(2, BOTH), lock: BOTH, ..ONE }),
        ("ANY 2 (a, b)", Primacy { names: Names::Any(2, BOTH), lock: BOTH, ..ONE }),
        ("FIRST 1 (a), one proof for a while", AGED),
    ];
    for (name, mut model) in cases {
        model.proofs += usize::from(is_full());
        holds(name, model, 5_000);
    }
}

#[test]
fn nothing_is_proven_where_another_may_be_promoted_than_the_one_that_confirms() {
    let cases = [
        ("no synchronous standby", Primacy { names: Names::Empty, ..ONE }),
        ("FIRST 1 (a), but b may be promoted", Primacy { lock: BOTH, ..ONE }),
        ("ANY 1 (a, b)", Primacy { names: Names::Any(1, BOTH), lock: BOTH, ..ONE }),
        ("ANY 1 (a, b), and only a may be promoted", Primacy { names: Names::Any(1, BOTH), ..ONE }),
        ("FIRST 1 (a, b), and a is taken for lost", Primacy { names: Names::First(1, BOTH), ..ONE }),
        (
            "b confirms before the lock names it",
            Primacy { changes: Changes::NamesFirst(ONLY_B, &[B]), ..ONE },
        ),
        (
            "nobody confirms before the lock is empty",
            Primacy { changes: Changes::NamesFirst(Names::Empty, &[]), ..ONE },
        ),
    ];
    for (name, model) in cases {
        breaks(name, model, OLD_NEVER_LIVE);
        breaks(name, model, NEW_NEVER_LIVE);
    }
}

#[test]
fn a_sign_out_that_a_standby_has_only_received_can_be_lost_with_it() {
    let model = Primacy { steps_wait_for: WaitsFor::Receipt, ..ONE };
    breaks("sign-outs wait for the receipt", model, NEW_NEVER_LIVE);
}

#[test]
fn a_proof_serves_from_when_its_commit_was_sent_and_not_if_its_wait_was_cancelled() {
    let cases = [
        ("a commit that was sent before the check", Primacy { serves: Serves::ConfirmedAfter, ..ONE }),
        ("an age since the confirmation", Primacy { serves: Serves::ConfirmedWithinAge, ..AGED }),
        ("a cancelled wait", Primacy { trusts_cancelled: true, ..ONE }),
    ];
    for (name, model) in cases {
        breaks(name, model, OLD_NEVER_LIVE);
    }
}
