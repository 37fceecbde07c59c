//! Where the text of a setting comes from.

use std::fmt;

/// The source of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingSource {
    /// The default of the setting.
    Default,
    /// A line of the settings file.
    File {
        /// The name of the file, as it was given.
        name: String,
        /// The number of the line, from 1.
        line: usize,
    },
    /// A variable of the environment.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for SettingSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::Environment(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

/// A value as a source gives it, before it is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GivenValue {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) at: SettingSource,
}
