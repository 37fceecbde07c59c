//! The oldest supported Rust, as far as it can be checked without that compiler. Clippy checks against it what the code
//! itself uses of the standard library (`incompatible_msrv`).

use std::process::Command;

use serde_json::Value;

use crate::{cargo, text};

/// `1.89` and `1.89.0` as numbers.
fn version(text: &str) -> Vec<u64> {
    let mut numbers: Vec<u64> = text.split('.').map(|number| number.parse().unwrap()).collect();
    numbers.resize(3, 0);
    numbers
}

/// The platform of the compiler, such as `x86_64-unknown-linux-gnu`.
fn this_platform() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = String::from_utf8(Command::new(rustc).arg("-vV").output().unwrap().stdout).unwrap();
    version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

#[test]
fn no_dependency_needs_a_newer_rust_than_the_manifest_says() {
    let manifest: toml::Table = toml::from_str(&text("Cargo.toml")).unwrap();
    let ours = manifest["package"]["rust-version"].as_str().unwrap();
    // Packages of other platforms are on no machine that only builds.
    let platform = format!("--filter-platform={}", this_platform());
    let metadata = cargo(&["metadata", "--locked", "--format-version=1", &platform]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100, "{}", packages.len());
    let newer: Vec<_> = packages
        .iter()
        .filter_map(|package| Some((&package["name"], package["rust_version"].as_str()?)))
        .filter(|(_, needed)| version(needed) > version(ours))
        .collect();
    assert_eq!(newer, [], "they need a newer Rust than {ours}");
}

#[test]
fn readme_and_manifest_name_the_same_oldest_rust() {
    let manifest: toml::Table = toml::from_str(&text("Cargo.toml")).unwrap();
    let ours = manifest["package"]["rust-version"].as_str().unwrap();
    assert!(text("README.md").contains(&format!("Rust {ours} or newer")));
}
