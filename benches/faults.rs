//! Three clusters of `tests/cluster` beside one another with many faults: how many acknowledged facts were lost, and how long
//! each was away.

use std::process::Command;

use anyhow::Result;

use crate::proofs::figures_of;
use crate::results::Figure;

/// The number of faults of the published figures.
pub(crate) const FAULTS: u32 = 200;

pub(crate) fn measure(faults: u32) -> Result<Vec<Figure>> {
    let mut tests = Command::new("tests/run");
    tests.arg("cluster").current_dir(env!("CARGO_MANIFEST_DIR"));
    // Faults are mostly waited for, so three clusters take a third of the time.
    tests.env("RESCIND_TEST_FAULTS", faults.to_string()).env("RESCIND_TEST_CLUSTERS", "3");
    let repeat = format!("RESCIND_TEST_FAULTS={faults} RESCIND_TEST_CLUSTERS=3 tests/run cluster");
    figures_of(tests, &repeat)
}
