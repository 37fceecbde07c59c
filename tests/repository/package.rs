//! What `cargo package` packs: all that a build needs, and nothing that only this repository needs.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::{ROOT, cargo, text};

fn packed() -> BTreeSet<PathBuf> {
    cargo(&["package", "--list", "--allow-dirty", "--quiet"]).lines().map(PathBuf::from).collect()
}

/// Files that a source file includes, by `include_str!` and the like. Its tests may read what is only in the repository.
fn included(source: &Path) -> Vec<PathBuf> {
    let text = text(source);
    let text = text.split("#[cfg(test)]").next().unwrap();
    let quoted = text.split("include_").skip(1).filter_map(|rest| {
        let (kind, rest) = rest.split_once("!(")?;
        let is_one = ["str", "bytes"].contains(&kind);
        let path = rest.trim_start().strip_prefix('"')?.split_once('"')?.0;
        is_one.then(|| source.parent().unwrap().join(path))
    });
    quoted.map(|path| plain(&path)).collect()
}

/// A path without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            plain.pop();
        } else {
            plain.push(part);
        }
    }
    plain
}

#[test]
fn the_package_has_what_a_build_needs() {
    let packed = packed();
    let needed = [
        ".cargo/build.rs",
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "examples/resource_server_axum.rs",
        "src/docs/architecture.md",
        "src/docs/scale.md",
        "src/lib.rs",
        "src/main.rs",
    ];
    for path in needed {
        assert!(packed.contains(Path::new(path)), "{path} is missing");
    }
    let mut includes = 0;
    for source in packed.iter().filter(|path| path.extension().is_some_and(|kind| kind == "rs")) {
        for path in included(source) {
            assert!(packed.contains(&path), "{} includes {}", source.display(), path.display());
            includes += 1;
        }
    }
    assert!(includes >= 3, "{includes} includes");
}

#[test]
fn the_package_has_nothing_that_only_the_repository_needs() {
    let allowed = [".cargo", "examples", "openapi", "src"];
    for path in packed() {
        let top = path.iter().next().unwrap().to_str().unwrap();
        let is_file_at_the_top = path.components().count() == 1 && !top.starts_with('.');
        let is_cargos_own = top == ".cargo_vcs_info.json";
        assert!(is_file_at_the_top || is_cargos_own || allowed.contains(&top), "{}", path.display());
        assert!(!path.starts_with("examples/react-native"), "{} is for npm", path.display());
        assert!(!path.starts_with("examples/django"), "{} is for Python", path.display());
    }
}

#[test]
fn the_manifest_has_what_a_registry_shows() {
    let manifest: toml::Table = toml::from_str(&text("Cargo.toml")).unwrap();
    let package = manifest["package"].as_table().unwrap();
    for field in ["description", "license", "readme", "rust-version"] {
        assert!(package[field].as_str().is_some_and(|value| !value.is_empty()), "{field}");
    }
    // The registry takes five of either, and keywords of 20 characters.
    for field in ["keywords", "categories"] {
        let values = package[field].as_array().unwrap();
        assert!((1..=5).contains(&values.len()), "{field}: {values:?}");
    }
    let long = |keyword: &&toml::Value| keyword.as_str().unwrap().len() > 20;
    assert_eq!(package["keywords"].as_array().unwrap().iter().find(long), None);
    assert!(Path::new(ROOT).join(package["readme"].as_str().unwrap()).exists());
}
