//! The README's tables are made from what the binary says of itself. `README_UPDATE=1` writes them anew.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::place::Place;
use crate::readme::README;

/// The README with this block between its marks.
fn with_block(readme: &str, name: &str, block: &str) -> String {
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = readme.split_once(&open).unwrap_or_else(|| panic!("README.md has no {open}"));
    let (_, after) = rest.split_once(&close).unwrap_or_else(|| panic!("README.md has no {close}"));
    format!("{before}{open}{block}{close}{after}")
}

#[track_caller]
fn assert_current(name: &str, block: &str) {
    static WRITING: Mutex<()> = Mutex::new(());
    let _alone = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let readme = std::fs::read_to_string(README).unwrap();
    let current = with_block(&readme, name, block);
    if std::env::var_os("README_UPDATE").is_some_and(|update| update == "1") {
        std::fs::write(README, current).unwrap();
    } else {
        assert!(readme == current, "README.md: `{name}` is out of date; README_UPDATE=1 writes it anew");
    }
}

/// What a caller of an operation shows.
fn credential(document: &Value, operation: &Value) -> &'static str {
    let security = operation.get("security").unwrap_or(&document["security"]).as_array().unwrap();
    let has = |name: &str| security.iter().any(|way| way.get(name).is_some());
    let optional = security.iter().any(|way| way.as_object().is_some_and(serde_json::Map::is_empty));
    match (has("bearer"), has("service_key"), optional) {
        (true, false, false) => "access token",
        (true, false, true) => "access token, or none",
        (false, true, false) => "service key",
        (false, false, _) => "none",
        _ => panic!("a new kind of credential: {security:?}"),
    }
}

/// A text in a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[test]
fn the_operations_are_current() {
    let document: Value = serde_json::from_str(&Place::new().run("openapi").ok()).unwrap();
    let mut table = "\n| operation | what | credential |\n|---|---|---|\n".to_owned();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in
            methods.as_object().unwrap().iter().filter(|(_, value)| value.get("operationId").is_some())
        {
            let (method, what) = (method.to_uppercase(), cell(operation["summary"].as_str().unwrap()));
            let shows = credential(&document, operation);
            writeln!(table, "| `{method} {path}` | {what} | {shows} |").unwrap();
        }
    }
    table.push('\n');
    assert_current("operations", &table);
}

#[test]
fn the_settings_are_current() {
    let shown = Place::new().run("config show --json").json();
    let mut table = "\n| setting | default | meaning |\n|---|---|---|\n".to_owned();
    for row in shown["settings"].as_array().unwrap() {
        let text = |field: &str| row[field].as_str().unwrap();
        let default = text("default");
        let default = if default.is_empty() { "—".to_owned() } else { format!("`{default}`") };
        writeln!(table, "| `{}` | {default} | {} |", text("key"), cell(text("meaning"))).unwrap();
    }
    table.push('\n');
    assert_current("settings", &table);
}
