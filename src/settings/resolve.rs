//! Combines the four sources: default, file, environment, flag. A pure function of its inputs.

use std::io;
use std::path::Path;

use super::environment::Environment;
use super::fault::{Faults, SettingFault};
use super::source::{GivenValue, SettingSource};
use super::table::{self, Row, Settings};
use super::{checks, file};

/// The sources of the settings.
pub struct Inputs<'a> {
    /// The settings file: its name for messages, and its text.
    pub file: Option<(&'a str, &'a str)>,
    /// The variables of the environment.
    pub environment: &'a Environment,
    /// The flags: each as typed, with the setting it sets and the value.
    pub flags: &'a [(String, String, String)],
    /// Reads a secret that is given as the path of a file.
    pub read: &'a dyn Fn(&Path) -> io::Result<String>,
}

/// The text of every setting, and the parsed settings.
#[derive(Debug)]
pub struct Resolved {
    /// Every setting, in the order of the list.
    pub rows: Vec<Row>,
    /// The parsed settings, or every fault.
    pub settings: Result<Settings, Faults>,
}

/// Resolves every setting from its sources.
pub fn resolve(inputs: &Inputs<'_>) -> Resolved {
    let mut faults = Vec::new();
    let mut rows: Vec<Row> = (table::table().into_iter())
        .map(|setting| Row { at: SettingSource::Default, text: setting.default.to_owned(), setting })
        .collect();
    for layer in layers(inputs, &mut faults) {
        lay(&mut rows, layer, inputs, &mut faults);
    }
    let settings = match table::parse(&rows) {
        Err(Faults(wrong)) => Err(Faults(faults.into_iter().chain(wrong).collect())),
        Ok(settings) => {
            faults.extend(checks::together(&settings));
            if faults.is_empty() { Ok(settings) } else { Err(Faults(faults)) }
        }
    };
    Resolved { rows, settings }
}

impl Settings {
    /// The defaults with a few changes, each a key and its text, for tests and benchmarks.
    pub fn with(changes: &[(&str, &str)]) -> Result<Self, Faults> {
        let flag =
            |(key, text): &(&str, &str)| (format!("--set {key}"), (*key).to_owned(), (*text).to_owned());
        let flags: Vec<_> = changes.iter().map(flag).collect();
        let no_files = |_: &Path| Err(io::ErrorKind::NotFound.into());
        let environment = Environment::default();
        resolve(&Inputs { file: None, environment: &environment, flags: &flags, read: &no_files }).settings
    }
}

fn layers(inputs: &Inputs<'_>, faults: &mut Vec<SettingFault>) -> [Vec<GivenValue>; 3] {
    let from_file = inputs.file.map(|(name, text)| file::read(name, text)).transpose();
    let from_file = from_file.unwrap_or_else(|fault| {
        faults.push(fault);
        None
    });
    let from_flags = inputs.flags.iter().map(|(flag, key, text)| GivenValue {
        name: key.clone(),
        text: text.clone(),
        at: SettingSource::Flag(flag.clone()),
    });
    [from_file.unwrap_or_default(), inputs.environment.said(faults), from_flags.collect()]
}

fn lay(rows: &mut [Row], layer: Vec<GivenValue>, inputs: &Inputs<'_>, faults: &mut Vec<SettingFault>) {
    let mut given_here: Vec<(&'static str, SettingSource)> = Vec::new();
    for said in layer {
        let is_file_of =
            |row: &&mut Row| row.setting.secret && said.name.strip_suffix("_file") == Some(row.setting.key);
        let (row, text) = if let Some(row) = rows.iter_mut().find(|row| row.setting.key == said.name) {
            (row, Ok(said.text))
        } else if let Some(row) = rows.iter_mut().find(is_file_of) {
            (row, secret(&said, inputs))
        } else {
            faults.push(unknown(said));
            continue;
        };
        let key = row.setting.key;
        let earlier = given_here.iter().find(|(given, _)| *given == key);
        if let (Some((_, first)), false) = (earlier, matches!(said.at, SettingSource::Flag(_))) {
            faults.push(SettingFault::Twice { key, first: first.clone(), second: said.at.clone() });
        }
        given_here.push((key, said.at.clone()));
        match text {
            Ok(text) => (row.text, row.at) = (text, said.at),
            Err(fault) => faults.push(fault),
        }
    }
}

fn secret(said: &GivenValue, inputs: &Inputs<'_>) -> Result<String, SettingFault> {
    let path = Path::new(&said.text);
    (inputs.read)(path).map(|text| text.trim().to_owned()).map_err(|error| SettingFault::Unreadable {
        at: said.at.clone(),
        path: path.to_owned(),
        reason: error.kind().to_string(),
    })
}

/// The fault of an unknown name, with the nearest known name in the form of its source.
fn unknown(said: GivenValue) -> SettingFault {
    let closeness = |key: &str| strsim::jaro_winkler(&said.name, key);
    let near = (table::table().into_iter())
        .filter(|setting| closeness(setting.key) > 0.85)
        .max_by(|a, b| closeness(a.key).total_cmp(&closeness(b.key)))
        .map(|setting| match said.at {
            SettingSource::Environment(_) => setting.environment(),
            _ => setting.key.to_owned(),
        });
    let name = match &said.at {
        SettingSource::Environment(name) => name.clone(),
        _ => said.name,
    };
    SettingFault::Unknown { at: said.at, name, near }
}

#[cfg(test)]
mod tests;
