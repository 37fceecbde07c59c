//! The README's demo and tables are generated from the binary. `README_UPDATE=1` rewrites them.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::place::{Place, RESCIND, run};
use crate::readme::README;

/// The README with this block between the marks of its name.
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

/// The credential that an operation requires, in words.
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

/// A text escaped for a cell of a Markdown table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[test]
fn the_operations_are_current() {
    let mut table = "\n| operation | what | credential |\n|---|---|---|\n".to_owned();
    for command in ["openapi", "openapi --feed"] {
        let document: Value = serde_json::from_str(&Place::new().run(command).ok()).unwrap();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in
                methods.as_object().unwrap().iter().filter(|(_, value)| value.get("operationId").is_some())
            {
                let (method, what) = (method.to_uppercase(), cell(operation["summary"].as_str().unwrap()));
                let shows = credential(&document, operation);
                writeln!(table, "| `{method} {path}` | {what} | {shows} |").unwrap();
            }
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

/// The demo is compared without its address and its duration, which differ in each run.
#[test]
fn the_demo_is_current() {
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/demo.sh");
    let place = Place::new();
    let mut bash = place.program("bash", &[demo]);
    bash.env("RESCIND", RESCIND).env("PATH", "/usr/local/bin:/usr/bin:/bin");
    let ran = run(bash, "");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let (_, told) = ran.out.split_once("\n\n").unwrap();
    let (told, took) = told.trim_end().rsplit_once("\n\n").unwrap();
    assert!(took.starts_with("logout-all took"), "{took}");
    assert_current("demo", &format!("\n```console\n$ examples/demo.sh\n{told}\n```\n\n"));
}
