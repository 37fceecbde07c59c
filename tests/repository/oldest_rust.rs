//! The oldest supported Rust, as far as it can be checked without that compiler. Clippy checks against it what the code
//! itself uses of the standard library (`incompatible_msrv`).

use serde_json::Value;

use crate::{cargo, text};

/// `1.89` and `1.89.0` as numbers.
fn version(text: &str) -> Vec<u64> {
    let mut numbers: Vec<u64> = text.split('.').map(|number| number.parse().unwrap()).collect();
    numbers.resize(3, 0);
    numbers
}

#[test]
fn no_dependency_needs_a_newer_rust_than_the_manifest_says() {
    let manifest: toml::Table = toml::from_str(&text("Cargo.toml")).unwrap();
    let ours = manifest["package"]["rust-version"].as_str().unwrap();
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--locked", "--format-version=1"])).unwrap();
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
