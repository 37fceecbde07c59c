//! The settings that a start changes, written to the log, since a setting that was loosened is a security event.
//!
//! The settings of the last start are stored in the data folder as they are displayed. A secret is hidden there too,
//! so its change is not logged.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::settings::{Row, SettingSource};

/// The most that is read of the stored settings, in bytes.
const LONGEST: u64 = 64 * 1024;

/// The settings of this start that a source sets: key, displayed value, source.
#[derive(Debug)]
pub(super) struct Chosen(Vec<(&'static str, String, String)>);

impl Chosen {
    /// Selects the settings that a file, a variable or a flag sets.
    pub(super) fn among(rows: &[Row]) -> Self {
        let said = rows.iter().filter(|row| !matches!(row.at, SettingSource::Default));
        Self(said.map(|row| (row.setting.key, row.shown().to_owned(), row.at.to_string())).collect())
    }

    /// Logs the differences from the last start on the folder `data`, and stores the settings of this one. The first
    /// start logs every setting that is set.
    pub(super) fn note(&self, data: &Path) {
        let path = data.join("last-settings");
        for (key, from, to, at) in self.changes(&path) {
            tracing::info!(event = "setting_changed", key, from, to, at, "security event");
        }
        if let Err(error) = self.keep(&path) {
            tracing::warn!(%error, path = %path.display(), "the settings of this start are not kept");
        }
    }

    fn changes(&self, path: &Path) -> Vec<(String, String, String, String)> {
        const DEFAULT: &str = "(default)";
        let text = crate::trusted::read(path, LONGEST).map(|(text, _)| text.to_string()).unwrap_or_default();
        let mut before: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
        let mut changes = Vec::new();
        for (key, value, at) in &self.0 {
            let value = one_line(value);
            let from = before.remove(key).unwrap_or(DEFAULT);
            if from != value {
                changes.push(((*key).to_owned(), from.to_owned(), value, at.clone()));
            }
        }
        // The rest was set at the last start and is no longer set.
        let undone = before.into_iter();
        changes.extend(
            undone.map(|(key, from)| {
                (key.to_owned(), from.to_owned(), DEFAULT.to_owned(), "default".to_owned())
            }),
        );
        changes
    }

    /// Replaces the stored settings atomically: writes a file of another name and renames it.
    fn keep(&self, path: &PathBuf) -> io::Result<()> {
        let lines = self.0.iter().map(|(key, value, _)| format!("{key}={}\n", one_line(value)));
        let draft = path.with_extension("new");
        fs::write(&draft, lines.collect::<String>())?;
        fs::rename(&draft, path)
    }
}

fn one_line(value: &str) -> String {
    value.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(settings: &[(&'static str, &str)]) -> Chosen {
        Chosen(settings.iter().map(|(key, value)| (*key, (*value).to_owned(), "flag".to_owned())).collect())
    }

    #[test]
    fn a_start_tells_what_is_not_as_it_was_at_the_last_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last-settings");
        let told = |chosen: Chosen| {
            let changes = chosen.changes(&path);
            chosen.keep(&path).unwrap();
            changes.into_iter().map(|(key, from, to, _)| format!("{key}: {from} -> {to}")).collect::<Vec<_>>()
        };
        assert_eq!(told(chosen(&[("refresh_strict", "true")])), ["refresh_strict: (default) -> true"]);
        assert_eq!(told(chosen(&[("refresh_strict", "true")])), Vec::<String>::new());
        let other = told(chosen(&[("device_idle", "7d")]));
        assert_eq!(other, ["device_idle: (default) -> 7d", "refresh_strict: true -> (default)"]);
        assert_eq!(told(chosen(&[])), ["device_idle: 7d -> (default)"]);
    }
}
