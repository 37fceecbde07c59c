//! The settings: their list, their sources and their rules.
//!
//! Defaults < `rescind.toml` < `RESCIND_*` < flags. Every setting is checked before anything starts, and every fault
//! is reported at once, with its source and the allowed values. Nothing here reads the real environment: [`load`]
//! reads the disk, and everything below it is a pure function.
//!
//! Modules: `table` (the one list), `rule` (the values a setting allows), `measure` and `value` (kinds of value),
//! `source`, `file` and `environment` (sources), `resolve` (which source takes precedence), `checks` (values that must fit
//! together), `derived` (values that follow from several settings), `fault` (what is wrong), `sample` (a commented file).

mod checks;
mod derived;
mod environment;
mod fault;
mod file;
mod measure;
mod resolve;
mod rule;
mod sample;
mod source;
mod table;
mod value;

use std::io;
use std::path::{Path, PathBuf};

use crate::trusted::read_of_any_owner;
pub use checks::LONGEST_SOCKET_PATH;
pub use environment::{CONFIG, Environment, SERVICE_KEY};
pub use fault::{Faults, SettingFault};
pub use measure::{size_text, time as length_of_time};
pub use resolve::{Inputs, Resolved, resolve};
pub use sample::sample;
pub use source::SettingSource;
pub use table::{Row, Setting, Settings, table};
pub use value::{Day, LogFormat, SecretText, StoreUrl, has_unspecified_host};

/// Permission bits that no master key file may have: any for others, and writing for the group. A group may read it,
/// which is how secrets are mounted into containers.
pub const MASTER_KEY_TOO_OPEN: u32 = 0o027;

/// The settings file that is read if it exists in the working directory and no other is named.
pub const FILE: &str = "rescind.toml";

/// The most bytes that a settings file may have.
const LONGEST_FILE: u64 = 1024 * 1024;

/// The most bytes that a file with the value of one setting may have.
const LONGEST_SECRET: u64 = 64 * 1024;

/// Resolves the settings from the disk, the environment and the flags.
///
/// A file that is named has to exist; [`FILE`] may be missing.
pub fn load(
    config: Option<&Path>,
    environment: &Environment,
    flags: &[(String, String, String)],
) -> Resolved {
    let (path, at) = match (config, environment.config()) {
        (Some(path), _) => (path.to_owned(), Some(SettingSource::Flag("--config".to_owned()))),
        (None, Some(path)) => (PathBuf::from(path), Some(SettingSource::Environment(CONFIG.to_owned()))),
        (None, None) => (PathBuf::from(FILE), None),
    };
    let (text, fault) = match (read_of_any_owner(&path, LONGEST_FILE), at) {
        (Ok(text), _) => (Some(text), None),
        (Err(error), None) if error.kind() == io::ErrorKind::NotFound => (None, None),
        (Err(error), at) => {
            let at = at.unwrap_or_else(|| SettingSource::File { name: FILE.to_owned(), line: 1 });
            (
                None,
                Some(SettingFault::Unreadable { at, path: path.clone(), reason: error.kind().to_string() }),
            )
        }
    };
    let name = path.display().to_string();
    let file = text.as_deref().map(|text| (name.as_str(), text));
    let read = |path: &Path| read_of_any_owner(path, LONGEST_SECRET);
    let mut resolved = resolve(&Inputs { file, environment, flags, read: &read });
    if let Some(fault) = fault {
        let others = resolved.settings.err().map_or_else(Vec::new, |Faults(others)| others);
        resolved.settings = Err(Faults(std::iter::once(fault).chain(others).collect()));
    }
    resolved
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_named_file_has_to_be_there() {
        let nowhere = Path::new("/nowhere/rescind.toml");
        let resolved = load(Some(nowhere), &Environment::default(), &[]);
        let told = resolved.settings.unwrap_err().to_string();
        assert_eq!(told, "--config: cannot read /nowhere/rescind.toml: entity not found");
    }

    #[test]
    fn a_file_is_read_from_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.toml");
        fs::write(&path, "listen = \"[::1]:7\"").unwrap();
        let vars = [(CONFIG.into(), path.clone().into_os_string())];
        let resolved = load(None, &Environment::from_vars(vars), &[]);
        assert_eq!(resolved.settings.unwrap().listen.port(), 7);
    }
    #[test]
    fn a_secret_is_read_to_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let vars = [("RESCIND_STORE_FILE".into(), path.clone().into_os_string())];
        let environment = Environment::from_vars(vars);
        let told = |text: &str| {
            fs::write(&path, text).unwrap();
            load(None, &environment, &[]).settings.map(|settings| settings.store.is_some())
        };
        assert_eq!(told("postgres://db/rescind\n"), Ok(true));
        let refused = told(&"x".repeat(64 * 1024 + 1)).unwrap_err().to_string();
        assert!(refused.ends_with("file too large"), "{refused}");
    }
}
