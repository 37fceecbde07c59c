//! Documents name files, folders and functions that exist.

use std::path::{Path, PathBuf};

use crate::{ROOT, text};

/// The documents that people write.
const DOCUMENTS: [&str; 12] = [
    "README.md",
    "CHANGELOG.md",
    "benches/README.md",
    "clients/python/README.md",
    "clients/typescript/README.md",
    "examples/django/README.md",
    "examples/react-native/README.md",
    "src/docs/architecture.md",
    "src/docs/scale.md",
    ".github/CONTRIBUTING.md",
    ".github/SECURITY.md",
    ".github/pull_request_template.md",
];

/// The folders in which a path of the repository begins.
const FOLDERS: [&str; 10] = [
    ".cargo/",
    ".ci/",
    ".github/",
    "benches/",
    "clients/",
    "deploy/",
    "examples/",
    "openapi/",
    "src/",
    "tests/",
];

/// The paths of the repository that a text names, wherever it does.
fn named(text: &str) -> Vec<&str> {
    text.split(|letter: char| !(letter.is_ascii_alphanumeric() || "_-./".contains(letter)))
        .map(|word| word.trim_end_matches(['.', '/']))
        .filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder)))
        .collect()
}

/// The targets of a document's links to other files.
fn linked(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
    targets.filter(|target| !target.contains("://") && !target.starts_with('#')).collect()
}

/// Functions and the file that a text says they are in: `` `name` in `path` ``.
fn functions(text: &str) -> Vec<(&str, &str)> {
    let pairs = text.match_indices("` in `src/").filter_map(|(at, _)| {
        let name = text[..at].rsplit('`').next()?;
        let path = text[at + "` in `".len()..].split('`').next()?;
        Some((name, path))
    });
    pairs.collect()
}

fn missing(base: &Path, paths: &[&str]) -> Vec<PathBuf> {
    paths.iter().map(|path| base.join(path)).filter(|path| !path.exists()).collect()
}

#[test]
fn every_path_that_a_document_names_exists() {
    let root = Path::new(ROOT);
    for document in DOCUMENTS {
        let text = text(document);
        let document_path = root.join(document);
        let folder = document_path.parent().unwrap();
        // A package's README is also read in the package alone, so it names paths that begin there.
        let mut paths = named(&text);
        paths.retain(|path| !folder.join(path).exists());
        assert_eq!(missing(root, &paths), Vec::<PathBuf>::new(), "{document} names it");
        assert_eq!(missing(folder, &linked(&text)), Vec::<PathBuf>::new(), "{document} links to it");
    }
}

#[test]
fn the_architecture_page_finds_functions_where_they_are() {
    let page = text("src/docs/architecture.md");
    let functions = functions(&page);
    assert!(functions.len() >= 3, "{functions:?}");
    for (name, path) in functions {
        let begins = |begin| text(path).contains(&format!("fn {name}{begin}"));
        assert!(begins('(') || begins('<'), "`{name}` is not in {path}");
    }
    assert!(named(&page).len() >= 40, "a map names places");
}

/// One page is read; two are not.
#[test]
fn the_architecture_page_is_one_page() {
    let lines = text("src/docs/architecture.md").lines().count();
    assert!(lines <= 160, "{lines} lines");
}

#[test]
fn forms_and_the_workflow_can_be_read_and_the_workflow_runs_everything() {
    for form in ["bug.yml", "feature.yml", "config.yml"] {
        let form: serde_yaml::Value =
            serde_yaml::from_str(&text(format!(".github/ISSUE_TEMPLATE/{form}"))).unwrap();
        assert!(form.is_mapping(), "{form:?}");
    }
    let workflow: serde_yaml::Value = serde_yaml::from_str(&text(".github/workflows/ci.yml")).unwrap();
    let steps = workflow["jobs"]["all"]["steps"].as_sequence().unwrap();
    let runs = steps.iter().any(|step| step["run"] == ".ci/run" && step["env"]["CI"] == "true");
    assert!(runs, "{steps:?}");
}
