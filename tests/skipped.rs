//! What a test leaves out for want of something on this machine: said on the terminal, and a failure where nothing may
//! be left out.

use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

/// Says so, once for each reason. The harness keeps what a passing test prints to itself, so this goes round it.
pub(crate) fn skipped(why: &str) {
    static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "in CI nothing is skipped: {why}");
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if !said.iter().any(|said| said == why) {
        let _nobody_reads = writeln!(std::io::stderr(), "\n*** SKIPPED: {why} ***\n");
        said.push(why.to_owned());
    }
}
