//! The cluster of `tests/cluster` with many faults: how many acknowledged facts were lost, and how long it was away.

use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::results::Figure;

/// The number of faults of the published figures.
pub(crate) const FAULTS: u32 = 200;

pub(crate) fn measure(faults: u32) -> Result<Vec<Figure>> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let file = folder.path().join("figures");
    let status = Command::new("tests/run")
        .arg("cluster")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("RESCIND_TEST_FAULTS", faults.to_string())
        .env("RESCIND_TEST_FIGURES", &file)
        // A skipped test is a failure then.
        .env("CI", "true")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    if !status.success() {
        bail!("the test failed; `RESCIND_TEST_FAULTS={faults} tests/run cluster` shows how");
    }
    let figures = std::fs::read_to_string(&file)?;
    figures.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}
