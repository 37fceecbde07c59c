//! What the library shows to other crates: the verifier, and the pages for maintainers.

use crate::text;

/// The modules that are documented.
const SHOWN: [&str; 3] = ["architecture", "scale", "verifier"];

#[test]
fn every_module_but_the_verifier_is_hidden() {
    let root = text("src/lib.rs");
    let lines: Vec<_> = root.lines().collect();
    let mut modules = 0;
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = line.strip_prefix("pub mod ") else { continue };
        let name = name.split([';', ' ']).next().unwrap();
        let mut attributes = lines[..at].iter().rev().take_while(|before| before.starts_with("#["));
        let is_hidden = attributes.any(|attribute| *attribute == "#[doc(hidden)]");
        assert_ne!(is_hidden, SHOWN.contains(&name), "{name}");
        modules += 1;
    }
    assert!(modules > SHOWN.len(), "{modules} modules");
}

/// A new way to fail must not break whoever tells the present ones apart.
#[test]
fn every_enum_of_the_verifier_may_grow() {
    let files = ["builder", "claims", "event", "link", "rejection"];
    let files = files.map(|name| format!("src/verifier/{name}.rs")).into_iter();
    let reexported = ["src/model/revocation.rs", "src/model/verdict.rs"].map(str::to_owned);
    // Of the decision itself only the reason leaves the crate.
    let internal = ["pub enum Verdict {"];
    let mut enums = 0;
    for file in files.chain(reexported).chain(["src/verifier.rs".to_owned()]) {
        let code = text(&file);
        let lines: Vec<_> = code.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            if !line.starts_with("pub enum ") || internal.contains(line) {
                continue;
            }
            assert_eq!(lines[at - 1], "#[non_exhaustive]", "{file}: {line}");
            enums += 1;
        }
    }
    assert!(enums >= 7, "{enums} enums");
}
