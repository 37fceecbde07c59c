//! The settings as a commented `rescind.toml`: settings in force as entries, every default as a comment.

use std::fmt::Write as _;

use super::rule::{ValueShape, items};
use super::source::SettingSource;
use super::table::Row;

/// Formats a settings file with the values of `rows`. A secret is left out, for a person to write.
pub fn sample(rows: &[Row]) -> String {
    let mut text = String::from("# Settings of Rescind. The environment and flags win over this file.\n");
    for row in rows {
        let setting = &row.setting;
        let value = written(setting.shape, row.shown());
        let silent = row.at == SettingSource::Default || setting.secret;
        let mark = if silent { "# " } else { "" };
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n# {}\n# Allowed: {}. Environment: {}\n{mark}{} = {value}\n",
            setting.meaning,
            setting.allowed,
            setting.environment(),
            setting.key
        );
    }
    text
}

fn written(shape: ValueShape, value: &str) -> String {
    match shape {
        ValueShape::Bare => value.to_owned(),
        ValueShape::Text => quoted(value),
        ValueShape::List => format!("[{}]", items(value).map(quoted).collect::<Vec<_>>().join(", ")),
    }
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::environment::Environment;
    use super::super::resolve::{Inputs, Resolved, resolve};
    use super::*;

    fn read_back(text: &str) -> Resolved {
        let environment = Environment::default();
        resolve(&Inputs {
            file: Some(("rescind.toml", text)),
            environment: &environment,
            flags: &[],
            read: &|_| Ok(String::new()),
        })
    }

    #[test]
    fn a_sample_read_back_says_the_same() {
        let text = "listen = \"[::1]:1\"\ndevices_per_user = 7\ncors_origins = [\"https://a\"]\nregistration_open = false";
        let (first, again) = (read_back(text), read_back(&sample(&read_back(text).rows)));
        assert_eq!(first.settings, again.settings);
        assert_eq!(again.settings.unwrap().devices_per_user, 7);
    }

    #[test]
    fn every_default_of_a_sample_may_be_uncommented() {
        let uncomment = |line: &str| {
            line.strip_prefix("# ").filter(|rest| rest.contains(" = ")).unwrap_or(line).to_owned()
        };
        let text: Vec<String> = sample(&read_back("").rows).lines().map(uncomment).collect();
        assert_eq!(read_back(&text.join("\n")).settings, read_back("").settings);
    }

    #[test]
    fn a_sample_holds_no_secret() {
        let text = sample(&read_back("store = \"postgres://app:hunter2@db/rescind\"").rows);
        assert!(text.contains("# store = \"(hidden)\""), "{text}");
        assert!(!text.contains("hunter2"));
    }
}
