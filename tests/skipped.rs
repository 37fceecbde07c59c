//! Tests that are skipped because this machine lacks something: reported on the terminal, and a failure in CI.

use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

/// Reports a skipped test, once for each reason. The harness captures the output of a passing test, so this writes to
/// stderr itself.
pub(crate) fn skipped(why: &str) {
    static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "in CI nothing is skipped: {why}");
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if !said.iter().any(|said| said == why) {
        let _nobody_reads = writeln!(std::io::stderr(), "\n*** SKIPPED: {why} ***\n");
        said.push(why.to_owned());
    }
}
