//! The tests with several nodes on one PostgreSQL at full length: how many acknowledged steps were lost.

use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::results::Figure;

pub(crate) fn measure() -> Result<Vec<Figure>> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let file = folder.path().join("figures");
    // One after the other: each of them loads the machine by itself.
    let status = Command::new(env!("CARGO"))
        .args(["test", "--locked", "--test", "process", "postgres::", "--", "--test-threads=1"])
        .env("RESCIND_TEST_ROUNDS", "full")
        .env("RESCIND_TEST_FIGURES", &file)
        // A skipped test is a failure then.
        .env("CI", "true")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    if !status.success() {
        bail!("the tests failed; `RESCIND_TEST_ROUNDS=full tests/run rust` shows how");
    }
    let figures = std::fs::read_to_string(&file)?;
    figures.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}
