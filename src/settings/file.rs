//! `rescind.toml`: one flat table of `key = value`.

use toml::de::{DeTable, DeValue};

use super::fault::SettingFault;
use super::source::{GivenValue, SettingSource};

/// Parses the entries of a settings file, or reports the first place that is not TOML.
pub(super) fn read(name: &str, text: &str) -> Result<Vec<GivenValue>, SettingFault> {
    let line = |offset: usize| text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1;
    let table = DeTable::parse(text).map_err(|error| SettingFault::Syntax {
        name: name.to_owned(),
        line: line(error.span().map_or(0, |span| span.start)),
        // Only the message: the error's own text shows the line, and a line may hold a secret.
        message: error.message().to_owned(),
    })?;
    let mut said: Vec<GivenValue> = (table.get_ref().iter())
        .map(|(key, value)| GivenValue {
            name: key.get_ref().to_string(),
            text: words(value.get_ref()),
            at: SettingSource::File { name: name.to_owned(), line: line(key.span().start) },
        })
        .collect();
    said.sort_by_key(|said| match said.at {
        SettingSource::File { line, .. } => line,
        _ => 0,
    });
    Ok(said)
}

/// The text of a TOML value for its setting's rule. A value that no rule parses (a table, a date) becomes the name of
/// its type.
fn words(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Array(values) => {
            values.iter().map(|value| words(value.get_ref())).collect::<Vec<_>>().join(", ")
        }
        other => format!("({})", other.type_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_keeps_its_line() {
        let said =
            read("rescind.toml", "# head\nlisten = \"[::1]:1\"\n\ndevices_per_user = 1_000\n").unwrap();
        let seen: Vec<_> =
            said.iter().map(|said| format!("{} {} {}", said.at, said.name, said.text)).collect();
        assert_eq!(seen, ["rescind.toml:2 listen [::1]:1", "rescind.toml:4 devices_per_user 1000"]);
    }

    #[test]
    fn an_array_becomes_a_list() {
        let said = read("f", "cors_origins = [\"https://a\", \"https://b\"]").unwrap();
        assert_eq!(said[0].text, "https://a, https://b");
    }

    #[test]
    fn broken_toml_is_placed_without_showing_the_line() {
        let fault = read("f", "listen = \"a\"\nstore = \"postgres://u:hunter2@db\n").unwrap_err().to_string();
        assert!(fault.starts_with("f:2: "), "{fault}");
        assert!(!fault.contains("hunter2"), "{fault}");
        let fault = read("f", "store = hunter2\n").unwrap_err().to_string();
        assert!(!fault.contains("hunter2"), "{fault}");
    }
}
