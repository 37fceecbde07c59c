//! The tests with several nodes on one PostgreSQL at full length: how many acknowledged steps were lost.

use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::results::Figure;

pub(crate) fn measure() -> Result<Vec<Figure>> {
    let mut tests = Command::new(env!("CARGO"));
    // One after the other: each of them loads the machine by itself.
    tests.args(["test", "--locked", "--test", "process", "postgres::", "--", "--test-threads=1"]);
    tests.env("RESCIND_TEST_ROUNDS", "full");
    figures_of(tests, "RESCIND_TEST_ROUNDS=full tests/run rust")
}

/// The figures that tests note while they run, whose output is shown; an error if one fails, with the command to repeat them
/// alone.
pub(crate) fn figures_of(mut tests: Command, repeat: &str) -> Result<Vec<Figure>> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let file = folder.path().join("figures");
    tests.env("RESCIND_TEST_FIGURES", &file);
    // A skipped test is a failure then.
    tests.env("CI", "true");
    let status = tests.stdin(Stdio::null()).status()?;
    if !status.success() {
        bail!("the tests failed; to repeat them: `{repeat}`");
    }
    let figures = std::fs::read_to_string(&file)?;
    figures.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}
