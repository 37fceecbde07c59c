//! A name means one thing in the whole crate.

use std::collections::BTreeMap;

use crate::source::parts;

/// Types that share a name because they are the same idea in two places.
const SAME_IDEA: [(&str, &str); 3] = [
    ("OpenError", "why a store of this engine does not open, and why the service does not"),
    ("OpenMode", "whether a store of this engine may be made"),
    ("Options", "what the settings say about a store of this engine"),
];

#[test]
fn a_type_name_is_declared_once() {
    let mut declared: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, code) in parts().into_values().flatten() {
        for line in code.lines() {
            let words: Vec<_> = line.split_whitespace().filter(|word| !word.starts_with("pub")).collect();
            let ["struct" | "enum" | "trait", name, ..] = words.as_slice() else { continue };
            // A macro declares `$name`.
            let name = name.split(|c: char| !c.is_alphanumeric()).next().unwrap();
            if name.is_empty() {
                continue;
            }
            declared.entry(name.to_owned()).or_default().push(path.display().to_string());
        }
    }
    assert!(declared.len() > 300, "{} types", declared.len());
    let twice: BTreeMap<_, _> = declared.into_iter().filter(|(_, places)| places.len() > 1).collect();
    let unexplained: Vec<_> =
        twice.iter().filter(|(name, _)| SAME_IDEA.iter().all(|(same, _)| same != name)).collect();
    assert!(unexplained.is_empty(), "{unexplained:#?}");
    for (same, _) in SAME_IDEA {
        assert!(twice.contains_key(same), "{same} is declared once: take it off the list");
    }
}
