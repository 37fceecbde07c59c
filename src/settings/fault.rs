//! Faults of the settings, with messages that say how to correct them.

use std::fmt;
use std::path::PathBuf;

use super::source::SettingSource;

/// One fault of the settings. Never holds a secret's value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingFault {
    /// A name that no setting has.
    #[error("{at}: there is no setting `{name}`{}", near.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    Unknown {
        /// The source of the name.
        at: SettingSource,
        /// The name as written.
        name: String,
        /// The setting with the most similar name.
        near: Option<String>,
    },
    /// A value that its setting does not allow.
    #[error("{at}: `{key}`{} is not allowed; it must be {allowed}", given.as_ref().map(|given| format!(" = `{given}`")).unwrap_or_default())]
    Invalid {
        /// The source of the value.
        at: SettingSource,
        /// The key of the setting.
        key: &'static str,
        /// The value, unless the setting is secret.
        given: Option<String>,
        /// The values that the setting allows.
        allowed: String,
    },
    /// A file that is not TOML.
    #[error("{name}:{line}: this is not TOML: {message}")]
    Syntax {
        /// The name of the file.
        name: String,
        /// The number of the line, from 1.
        line: usize,
        /// The parser's message, which quotes no value.
        message: String,
    },
    /// A file that a setting names and that cannot be read.
    #[error("{at}: cannot read {}: {reason}", path.display())]
    Unreadable {
        /// The source that names the file.
        at: SettingSource,
        /// The path of the file.
        path: PathBuf,
        /// The error and its remedy.
        reason: String,
    },
    /// A variable that is not text.
    #[error("{name}: its value is not UTF-8 text")]
    NotText {
        /// The name of the variable.
        name: String,
    },
    /// A value given both directly and as a file.
    #[error("{first} and {second} both give `{key}`; keep one of them")]
    Twice {
        /// The key of the setting.
        key: &'static str,
        /// The earlier one, of the same kind of source.
        first: SettingSource,
        /// The other source.
        second: SettingSource,
    },
    /// Values that are allowed, but not together.
    #[error("{0}")]
    Together(String),
}

/// Every fault of the settings, one line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Faults(pub Vec<SettingFault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{fault}")?;
        }
        Ok(())
    }
}
