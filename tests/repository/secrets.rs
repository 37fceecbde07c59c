//! Secrets are shown by no derived `Debug`.

use crate::source::parts;

/// Fields that hold a secret as plain text, on its way in or out.
const SECRETS: [&str; 7] =
    ["access", "refresh", "password", "current_password", "new_password", "token", "key"];

#[test]
fn no_derived_debug_shows_a_secret() {
    // The model has types for its secrets, and calls `key` what a username is found by.
    let others = parts().into_iter().filter(|(part, _)| part != "model");
    for (path, code) in others.flat_map(|(_, files)| files) {
        let derived = code.split("#[derive(").skip(1).filter_map(|rest| rest.split_once(")]"));
        for (_, item) in derived.filter(|(derives, _)| derives.contains("Debug")) {
            for line in item.lines().take_while(|line| *line != "}").map(str::trim) {
                let line = line.trim_start_matches("pub ").trim_start_matches("pub(super) ");
                let secret = |name: &&str| {
                    let rest = line.strip_prefix(*name).and_then(|rest| rest.strip_prefix(": "));
                    rest.is_some_and(|kind| ["String,", "Option<String>,"].contains(&kind))
                };
                assert!(!SECRETS.iter().any(secret), "{} shows {line}", path.display());
            }
        }
    }
}
