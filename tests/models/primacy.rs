//! How a node proves that no other database was promoted before a check.
//!
//! **Protocol.** A node that is asked about a token reads the records of its database, the *old primary*, after the
//! check arrived. If nobody had been promoted when it arrived, nobody has answered a sign-out elsewhere before the
//! check, and the records of the old primary say all there is. There are two proofs of that.
//!
//! *By commit.* The node commits something at the old primary. If a standby confirmed that it has received that commit,
//! and the commit was sent after the check arrived, then this standby had not been promoted when the check arrived: a
//! promoted one receives nothing from its former primary. So nobody had been, if no other standby may be promoted
//! either.
//!
//! *By recovery*, which writes nothing for a check. The node asks each standby that `synchronous_standby_names` names
//! whether it is in recovery, which a primary is not, and since when its server runs: the *first answers*. Then it
//! sends a commit, the *base*; that the named standbys confirm it says that none of them had been promoted before its
//! first answer. For each check it asks all of them again after the check arrived. A server that was promoted is in
//! recovery again only once it was started again. So a standby that is in recovery, and was not started again since its
//! first answer, has not been promoted in between. Whoever is promoted was named before: the names are read together
//! with the records, and have to be those of the base.
//!
//! With a bounded age, one commit, or one answer of each standby, serves all checks that arrive at most `AGE` after it
//! was asked for; records and names are read for each. A sign-out is answered once the standby has it on its disk.
//!
//! **Actors.** The old primary, which lives on behind a partition; the standbys `A` and `B`; a coordinator, which
//! promotes a standby that its lock names; a node at each primary; and a user who signs out at either.
//!
//! **Failures.** Commits reach a standby late, and so do confirmations. A standby is started again, and may lose what
//! it has received and not yet on its disk. The old primary takes a standby for lost, and for back; one that is not
//! promoted goes on receiving from it. The wait for a confirmation is cancelled: PostgreSQL then reports success. The
//! promoted standby returns to recovery as a standby of a further primary.
//!
//! **Property.** No check says *live* that arrives after a sign-out was answered; with a bounded age and a sign-out
//! that the promoted standby answered, none that arrives later than `AGE` after that.
//!
//! **Left out.** The further primary: it knows what has been answered, and the first promotion is the one that a proof
//! has to exclude; later ones only have more standbys promoted or started again. A standby that follows the old primary
//! again after it was promoted: that takes a new copy of the old primary, without what was answered elsewhere. The old
//! primary as a standby: for that it has to be stopped, which ends its sessions. The settings read before and after a
//! commit: a proof by commit compares them, for names that are emptied before the lock is; here only a base has names,
//! those at the moment when it was confirmed. A session of the old primary that still has the names of before a reload
//! when another standby is promoted by the new ones. A node with connections to both primaries, whose proof has to be of
//! the database that answered; an answer from another server than the one that is named. How the node knows that a server
//! was started again: after a crash of one of its processes PostgreSQL starts all of them again, may then begin recovery,
//! and leaves `pg_postmaster_start_time` as it was.

mod model;
mod node;

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

impl Names {
    /// The standbys that are named.
    fn standbys(self) -> &'static [usize] {
        match self {
            Self::Empty => &[],
            Self::First(_, standbys) | Self::Any(_, standbys) => standbys,
        }
    }
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

/// How a node proves that nobody had been promoted when a check arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// By a commit that the standbys confirm.
    Commit,
    /// By the answers of the standbys that they are in recovery.
    Recovery,
}

/// What makes a proof by recovery hold, besides when its answers were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// The base is sent after the first answers.
    BaseAfterFirst,
    /// The names that are read together with the records are those of the base.
    NamesWithRecords,
    /// Every standby that is named answers.
    EveryStandby,
    /// A standby was not started again since its first answer.
    SameStart,
}

/// Which commits and answers serve a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Serves {
    /// Those that were asked for after the check arrived: the commit was sent, or the standby was asked.
    SentAfter,
    /// Those of which the node heard after the check arrived, whenever it had asked for them.
    HeardAfter,
    /// Those that were asked for at most `AGE` before the check arrived.
    SentWithinAge,
    /// Those of which the node heard at most `AGE` before the check arrived.
    HeardWithinAge,
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
    proves_by: By,
    /// The rule of a proof by recovery that is left out.
    without: Option<Rule>,
    names: Names,
    /// Whom the lock names at first.
    lock: &'static [usize],
    changes: Changes,
    serves: Serves,
    /// What a sign-out waits for. A commit of the node waits for the receipt.
    steps_wait_for: WaitsFor,
    /// Whether success after a cancelled wait is taken for a confirmation.
    trusts_cancelled: bool,
    ticks: Time,
    /// How many commits the node may send.
    commits: u8,
    /// How often standbys may be started again, besides the promoted one for its return.
    restarts: u8,
}

impl Primacy {
    fn has(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }

    /// The standbys that are named or may be promoted at any time.
    fn standbys(&self) -> impl Iterator<Item = usize> {
        let (names, lock): (_, &[usize]) = match self.changes {
            Changes::Never => (self.names, self.lock),
            Changes::LockFirst(names, lock) | Changes::NamesFirst(names, lock) => (names, lock),
        };
        let all = [self.names.standbys(), self.lock, names.standbys(), lock];
        [A, B].into_iter().filter(move |standby| all.iter().any(|some| some.contains(standby)))
    }
}

const OLD_NEVER_LIVE: &str = "no check at the old primary says live after a sign-out was answered";
const NEW_NEVER_LIVE: &str = "no check at the promoted standby says live after a sign-out was answered";

/// One synchronous standby, the only one that may be promoted.
const ONE: Primacy = Primacy {
    proves_by: By::Commit,
    without: None,
    names: Names::First(1, &[A]),
    lock: &[A],
    changes: Changes::Never,
    serves: Serves::SentAfter,
    steps_wait_for: WaitsFor::Flush,
    trusts_cancelled: false,
    ticks: 0,
    commits: 1,
    restarts: 1,
};
const AGED: Primacy = Primacy { serves: Serves::SentWithinAge, ticks: 2, ..ONE };
const BOTH: &[usize] = &[A, B];
const TWO: Primacy = Primacy { names: Names::First(2, BOTH), lock: BOTH, ..ONE };
const ONLY_B: Names = Names::First(1, &[B]);
const TO_B: Changes = Changes::LockFirst(ONLY_B, &[B]);

/// The settings with which whoever may be promoted has to confirm.
const SAFE: [(&str, Primacy); 6] = [
    ("FIRST 1 (a)", ONE),
    ("FIRST 1 (a), then FIRST 1 (b)", Primacy { changes: TO_B, ..ONE }),
    ("FIRST 1 (a), then none", Primacy { changes: Changes::LockFirst(Names::Empty, &[]), ..ONE }),
    ("FIRST 2 (a, b)", TWO),
    ("ANY 2 (a, b)", Primacy { names: Names::Any(2, BOTH), ..TWO }),
    ("FIRST 1 (a), one proof for a while", AGED),
];

#[test]
fn a_confirmed_commit_proves_primacy_where_whoever_may_be_promoted_has_to_confirm() {
    for (name, mut model) in SAFE {
        model.commits += u8::from(is_full());
        holds(name, model, 1_000);
    }
}

#[test]
fn standbys_in_recovery_prove_primacy_where_whoever_may_be_promoted_has_to_confirm() {
    let more: &[(u8, u8)] = if is_full() { &[(1, 0), (0, 1)] } else { &[(0, 0)] };
    for (name, mut model) in SAFE {
        model.proves_by = By::Recovery;
        if model.standbys().count() > 1 {
            // A restart of either has six times as many states.
            model.restarts = 0;
        }
        for (commits, restarts) in more {
            let (commits, restarts) = (model.commits + commits, model.restarts + restarts);
            let name = format!("{name}, by recovery, up to {commits} commits and {restarts} restarts");
            holds(&name, Primacy { commits, restarts, ..model }, 5_000);
        }
    }
    if is_full() {
        let model = Primacy { proves_by: By::Recovery, changes: TO_B, restarts: 0, ..AGED };
        holds("FIRST 1 (a), then FIRST 1 (b), one proof for a while, by recovery", model, 5_000);
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
        let model = Primacy { proves_by: By::Recovery, restarts: 0, ..model };
        breaks(&format!("{name}, by recovery"), model, OLD_NEVER_LIVE);
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
        ("a commit that was sent before the check", Primacy { serves: Serves::HeardAfter, ..ONE }),
        ("an age since the confirmation", Primacy { serves: Serves::HeardWithinAge, ..AGED }),
        ("a cancelled wait", Primacy { trusts_cancelled: true, ..ONE }),
    ];
    for (name, model) in cases {
        breaks(name, model, OLD_NEVER_LIVE);
    }
}

#[test]
fn a_proof_by_recovery_needs_all_its_rules() {
    let without = |rule, model| Primacy { without: Some(rule), ..model };
    let cases = [
        ("an answer from before the check", Primacy { serves: Serves::HeardAfter, ..ONE }),
        ("an age since the answer was heard", Primacy { serves: Serves::HeardWithinAge, ..AGED }),
        ("a base that nobody confirmed", Primacy { trusts_cancelled: true, ..ONE }),
        ("a base that was sent before the first answers", without(Rule::BaseAfterFirst, ONE)),
        ("the names of the base", without(Rule::NamesWithRecords, Primacy { changes: TO_B, ..ONE })),
        ("an answer of one of two", without(Rule::EveryStandby, TWO)),
        ("an answer after a new start", without(Rule::SameStart, ONE)),
    ];
    for (name, model) in cases {
        breaks(name, Primacy { proves_by: By::Recovery, restarts: 0, ..model }, OLD_NEVER_LIVE);
    }
}
