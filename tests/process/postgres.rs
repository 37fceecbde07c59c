//! Several nodes on one PostgreSQL, all of them processes: what one node has acknowledged is in force on all of them,
//! whatever happens to the database.
//!
//! Every test has a cluster of its own, which it may kill, restart, stall or replicate. The counts are small;
//! `RESCIND_TEST_ROUNDS=full` raises them to those of the published figures, and `RESCIND_TEST_FIGURES` names a file
//! that the figures are added to.
//!
//! Modules: `cluster` and `standby` (PostgreSQL), `bouncer` (PgBouncer), `nodes` (of the service), `load` and `ledger` (clients that remember every answer); all
//! others are tests, named after what they show.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::PATIENCE;
use crate::skipped::skipped;

mod asked_standby;
mod bouncer;
mod clocks;
mod cluster;
mod connections;
mod deploy;
mod doctor;
mod encrypted;
mod everywhere;
mod exchanged;
mod followed;
mod full;
mod hindered;
mod keys;
mod ledger;
mod load;
mod logged;
mod names;
mod nodes;
mod patroni;
mod pooled;
mod promoted;
mod proof;
mod refresh_rotation;
mod refused;
mod restarted;
mod silent;
mod standby;
mod statements;
mod store_copy;
mod stuck;
mod versions;

use cluster::Cluster;

/// The folder of PostgreSQL's programs. Without it the tests report themselves as skipped, which is a failure on a
/// build server.
fn programs() -> Option<PathBuf> {
    let folder = std::env::var_os("TEST_POSTGRES_BIN").map(PathBuf::from);
    if folder.is_none() {
        skipped("TEST_POSTGRES_BIN is not set, so nothing shows that nodes agree; `tests/run rust` sets it");
    }
    folder
}

/// The number of rounds of a test: `few`, or `full` when the figures are to be published.
fn rounds(few: usize, full: usize) -> usize {
    if std::env::var_os("RESCIND_TEST_ROUNDS").is_some_and(|rounds| rounds == "full") { full } else { few }
}

/// Prints a figure, and adds it to the file of figures.
fn figure(what: &str, value: impl Into<f64>, unit: &str, goal: Option<&str>) {
    static WRITING: Mutex<()> = Mutex::new(());
    let value = value.into();
    let _nobody_reads = writeln!(std::io::stderr(), "{value:>12.3} {unit:<2} {what}");
    let Some(file) = std::env::var_os("RESCIND_TEST_FIGURES") else { return };
    let _alone = WRITING.lock().unwrap();
    let mut file = File::options().create(true).append(true).open(file).unwrap();
    writeln!(file, "{}", json!({ "what": what, "value": value, "unit": unit, "goal": goal })).unwrap();
}

/// A count as the value of a figure.
fn count(things: usize) -> f64 {
    f64::from(u32::try_from(things).unwrap())
}

/// Repeats a check until it succeeds, and returns the time that took.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
    }
    begun.elapsed()
}
