//! What can be wrong with the settings, said so that a person can correct it.

use std::fmt;
use std::path::PathBuf;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody said anything.
    Default,
    /// A line of the settings file.
    File {
        /// The file's name as it was given.
        name: String,
        /// The line, from 1.
        line: usize,
    },
    /// A variable of the environment.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::Environment(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

/// One thing that is wrong. Never holds a secret's value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A name that no setting has.
    #[error("{at}: there is no setting `{name}`{}", near.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    Unknown {
        /// Where it is written.
        at: Source,
        /// The name as written.
        name: String,
        /// The name that was probably meant.
        near: Option<String>,
    },
    /// A value that its setting does not allow.
    #[error("{at}: `{key}`{} is not allowed; it must be {allowed}", given.as_ref().map(|given| format!(" = `{given}`")).unwrap_or_default())]
    Invalid {
        /// Where it is written.
        at: Source,
        /// The setting.
        key: &'static str,
        /// The value, unless the setting is secret.
        given: Option<String>,
        /// What may be written.
        allowed: String,
    },
    /// A file that is not TOML.
    #[error("{name}:{line}: this is not TOML: {message}")]
    Syntax {
        /// The file.
        name: String,
        /// The line, from 1.
        line: usize,
        /// What the parser expected; it quotes no value.
        message: String,
    },
    /// A file that a setting names and that cannot be read.
    #[error("{at}: cannot read {}: {reason}", path.display())]
    Unreadable {
        /// Where the file is named.
        at: Source,
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A variable that is not text.
    #[error("{name}: its value is not UTF-8 text")]
    NotText {
        /// The variable.
        name: String,
    },
    /// A value given both directly and as a file.
    #[error("{first} and {second} both give `{key}`; keep one of them")]
    Twice {
        /// The setting.
        key: &'static str,
        /// The one place.
        first: Source,
        /// The other place.
        second: Source,
    },
    /// Values that are fine by themselves but not together.
    #[error("{0}")]
    Together(String),
}

/// Everything that is wrong, one line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{fault}")?;
        }
        Ok(())
    }
}
