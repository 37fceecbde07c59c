//! Several nodes on one PostgreSQL, all of them processes: what one node has answered holds on all of them, whatever
//! becomes of the database.
//!
//! Every test has a cluster of its own, which it may kill, restart, stall or replicate. The counts are small;
//! `RESCIND_TEST_ROUNDS=full` makes them those that the figures are to be believed for, and `RESCIND_TEST_FIGURES`
//! names a file that the figures are added to.
//!
//! Rooms: `cluster` and `standby` (PostgreSQL), `bouncer` (PgBouncer), `cord` (what lies between a database and a
//! node), `nodes` (ours), `load` and `ledger` (clients that know what they were told); all the others are tests, named
//! after what they show.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::PATIENCE;
use crate::skipped::skipped;

mod bouncer;
mod clocks;
mod cluster;
mod connections;
mod cord;
mod deploy;
mod encrypted;
mod everywhere;
mod followed;
mod full;
mod keys;
mod ledger;
mod load;
mod moved;
mod names;
mod nodes;
mod once;
mod pooled;
mod promoted;
mod refused;
mod restarted;
mod silent;
mod standby;
mod statements;
mod stuck;

use cluster::Cluster;

/// The folder of PostgreSQL's programs. Without one the tests show nothing, and say so; on a build server that is a
/// failure.
fn programs() -> Option<PathBuf> {
    let folder = std::env::var_os("TEST_POSTGRES_BIN").map(PathBuf::from);
    if folder.is_none() {
        skipped("TEST_POSTGRES_BIN is not set, so nothing shows that nodes agree; `tests/run rust` sets it");
    }
    folder
}

/// How often a test does what it shows: seldom, or as often as it takes to believe it.
fn rounds(few: usize, full: usize) -> usize {
    if std::env::var_os("RESCIND_TEST_ROUNDS").is_some_and(|rounds| rounds == "full") { full } else { few }
}

/// A figure, for people and for the file of figures.
fn figure(what: &str, value: impl Into<f64>, unit: &str, goal: Option<&str>) {
    static WRITING: Mutex<()> = Mutex::new(());
    let value = value.into();
    let _nobody_reads = writeln!(std::io::stderr(), "{value:>12.3} {unit:<2} {what}");
    let Some(file) = std::env::var_os("RESCIND_TEST_FIGURES") else { return };
    let _alone = WRITING.lock().unwrap();
    let mut file = File::options().create(true).append(true).open(file).unwrap();
    writeln!(file, "{}", json!({ "what": what, "value": value, "unit": unit, "goal": goal })).unwrap();
}

/// A number of things as a figure.
fn count(things: usize) -> f64 {
    f64::from(u32::try_from(things).unwrap())
}

/// Asks until it is so; says how long that took.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
    }
    begun.elapsed()
}
