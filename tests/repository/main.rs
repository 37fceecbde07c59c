//! What the repository says about itself: documents name what exists, the package has what a build needs, the oldest
//! supported Rust is not older than what the dependencies need, `tests/run` says what it installs, the library shows what
//! it means to show, and the code keeps the rules that a reviewer would have to remember.
//!
//! Modules: `documents`, `package`, `public`, `oldest_rust` and `plan` are about the repository; `dependencies`, `circles`, `names`,
//! `secrets` and `moments` about the code, which `source` reads.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by failing"
)]

use std::path::Path;
use std::process::Command;

mod circles;
mod dependencies;
mod documents;
mod moments;
mod names;
mod oldest_rust;
mod package;
mod plan;
mod public;
mod secrets;
mod source;

/// The folder that everything is in.
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What a file of the repository says.
fn text(path: impl AsRef<Path>) -> String {
    let path = Path::new(ROOT).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What cargo prints, asked without the network.
fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).args(arguments).arg("--offline").current_dir(ROOT).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
