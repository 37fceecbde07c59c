//! `rescind config …`: shows the settings and checks them.

use clap::Subcommand;
use serde_json::{Value, json};

use super::failure::CommandFailure;
use super::output::{Output, OutputFormat};
use crate::settings::{Faults, Resolved, Row, sample};

/// The settings: check, show
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Check the settings without starting anything; exit code 1 tells a fault
    Check {
        #[command(flatten)]
        format: OutputFormat,
    },
    /// Show every setting, its value and who set it; secrets are hidden
    #[command(after_help = "Examples:\n  rescind config show\n  rescind config show --toml > rescind.toml")]
    Show {
        /// As a commented rescind.toml
        #[arg(long, conflicts_with = "json")]
        toml: bool,
        #[command(flatten)]
        format: OutputFormat,
    },
}

impl ConfigCommand {
    pub(super) fn run(self, resolved: Resolved, out: &mut Output) -> Result<(), CommandFailure> {
        match self {
            Self::Check { format } => {
                let faults = resolved.settings.as_ref().err().map(lines).unwrap_or_default();
                if format.json {
                    out.json(&json!({ "ok": faults.is_empty(), "faults": faults }))?;
                } else if faults.is_empty() {
                    out.line("the settings are right")?;
                }
            }
            Self::Show { toml: true, .. } => out.line(sample(&resolved.rows).trim_end())?,
            Self::Show { format, .. } if format.json => {
                let settings: Vec<Value> = resolved.rows.iter().map(record).collect();
                out.json(&json!({ "settings": settings }))?;
            }
            Self::Show { .. } => {
                let rows = resolved.rows.iter();
                let rows = rows.map(|row| vec![row.setting.key.to_owned(), value(row), row.at.to_string()]);
                out.table(["SETTING", "VALUE", "FROM"], rows)?;
            }
        }
        resolved.settings.map(drop).map_err(|faults| refused(&faults))
    }
}

/// Reports every fault in one failure.
pub(super) fn refused(faults: &Faults) -> CommandFailure {
    let what = match lines(faults).as_slice() {
        [only] => only.clone(),
        several => format!("the settings are wrong:\n  {}", several.join("\n  ")),
    };
    CommandFailure::new(
        what,
        "`rescind config show --toml` lists every setting with its meaning and its range",
    )
}

fn lines(faults: &Faults) -> Vec<String> {
    faults.0.iter().map(ToString::to_string).collect()
}

fn value(row: &Row) -> String {
    if row.shown().is_empty() { "-".to_owned() } else { row.shown().to_owned() }
}

fn record(row: &Row) -> Value {
    let setting = &row.setting;
    json!({
        "key": setting.key, "value": row.shown(), "from": row.at.to_string(), "default": setting.default,
        "allowed": setting.allowed, "environment": setting.environment(), "meaning": setting.meaning,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::context::tests::CapturedOutput;
    use crate::settings::{Environment, Inputs, resolve};

    fn run(config: ConfigCommand, file: &str) -> (String, Result<(), CommandFailure>) {
        let environment = Environment::default();
        let read = |_: &std::path::Path| Ok(String::new());
        let file = Some(("rescind.toml", file));
        let resolved = resolve(&Inputs { file, environment: &environment, flags: &[], read: &read });
        let page = CapturedOutput::default();
        let result = config.run(resolved, &mut Output::to(page.clone()));
        (page.text(), result)
    }

    fn show(json: bool) -> ConfigCommand {
        ConfigCommand::Show { toml: false, format: OutputFormat { json } }
    }

    #[test]
    fn right_settings_pass_the_check() {
        let (text, result) = run(ConfigCommand::Check { format: OutputFormat::default() }, "");
        assert_eq!((text.as_str(), result), ("the settings are right\n", Ok(())));
    }

    #[test]
    fn every_fault_fails_the_check_by_name() {
        let check = ConfigCommand::Check { format: OutputFormat { json: true } };
        let (text, result) = run(check, "lisen = 1\nrefresh_grace = \"3m\"");
        assert!(text.contains("\"ok\":false") && text.contains("refresh_grace"), "{text}");
        let failure = result.unwrap_err();
        assert!(failure.what.contains("did you mean `listen`?"), "{failure}");
        assert!(failure.what.contains("0s to 120s"), "{failure}");
    }

    #[test]
    fn a_value_is_shown_with_who_set_it() {
        let (text, _) = run(show(false), "listen = \"[::1]:9\"");
        assert!(
            text.lines().any(|line| line.split_whitespace().eq(["listen", "[::1]:9", "rescind.toml:1"])),
            "{text}"
        );
        assert!(text.lines().any(|line| line.split_whitespace().eq(["issuer", "-", "default"])), "{text}");
    }

    #[test]
    fn a_secret_is_shown_nowhere() {
        for config in
            [show(false), show(true), ConfigCommand::Show { toml: true, format: OutputFormat::default() }]
        {
            let (text, result) =
                run(config, "store = \"postgres://app:hunter2@db/rescind\"\nrefresh_grace = \"3m\"");
            assert!(text.contains("(hidden)") && !text.contains("hunter2"), "{text}");
            assert!(!result.unwrap_err().to_string().contains("hunter2"));
        }
    }
}
