//! The source files of the crate, part by part, without their tests.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::ROOT;

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Each part of the crate (a file of `src` and the folder of its name) with the paths of its files below `src` and their
/// code, but for `main.rs`, `lib.rs` and tests.
pub(crate) fn parts() -> BTreeMap<String, Vec<(PathBuf, String)>> {
    let root = Path::new(ROOT).join("src");
    let mut found = Vec::new();
    files_below(&root, &mut found);
    let mut parts: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for path in found {
        let inside = path.strip_prefix(&root).unwrap().to_owned();
        let mut pieces = inside.iter().map(|piece| piece.to_str().unwrap().trim_end_matches(".rs"));
        let part = pieces.next().unwrap().to_owned();
        if part == "main" || part == "lib" || pieces.any(|piece| piece == "tests") {
            continue;
        }
        let code = without_tests(&fs::read_to_string(&path).unwrap());
        parts.entry(part).or_default().push((inside, code));
    }
    parts
}

/// `code` without the items that are built for tests only.
fn without_tests(code: &str) -> String {
    let mut kept = String::new();
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            kept.push_str(line);
            kept.push('\n');
            continue;
        }
        let indentation = line.len() - line.trim_start().len();
        // rustfmt ends an item at the indentation it began at.
        lines.by_ref().find(|line| {
            let (text, depth) = (line.trim(), line.len() - line.trim_start().len());
            depth == indentation && (text == "}" || text.ends_with([';', ',']))
        });
    }
    kept
}

#[test]
fn only_tests_are_left_out() {
    let code = "\
use a;

#[cfg(test)]
mod fixture;

#[cfg(test)]
fn for_tests() {
    let inner = 1;
}

enum Kept {
    #[cfg(test)]
    Test(u8),
    One,
}

#[cfg(test)]
mod tests {
    fn inside() {}
}

fn last() {}
";
    assert_eq!(without_tests(code), "use a;\n\n\n\nenum Kept {\n    One,\n}\n\n\nfn last() {}\n");
}
