//! `rescind doctor`: examines the machine as the service would find it, and reports what is wrong and what to do.
//!
//! It changes nothing of a store that is whole, and may run beside a server. (Opening a damaged store, as a start
//! would, clears what follows the damage.) Each file examines one subject; the result is judged by a pure function
//! where the machine cannot be arranged for a test.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::failure::CommandFailure;
use super::output::{Output, OutputFormat};
use super::service;
use crate::settings::{Faults, Settings};
use diagnosis::{Diagnosis, Grade};

mod clock;
#[cfg(feature = "postgres")]
mod database;
mod diagnosis;
mod disk;
mod encryption;
mod exposure;
mod folder;
mod limits;
mod master_key;
#[cfg(feature = "postgres")]
mod patroni;
mod ports;
mod store;

/// Say what is wrong here, and what to do
#[derive(Debug, Args)]
pub(super) struct DoctorCommand {
    #[command(flatten)]
    format: OutputFormat,
    /// The port of Patroni's REST API on the machines of the database
    #[cfg(feature = "postgres")]
    #[arg(long, value_name = "PORT", default_value_t = patroni::PORT)]
    patroni_port: u16,
}

impl DoctorCommand {
    pub(super) async fn run(
        self,
        settings: Result<Settings, Faults>,
        out: &mut Output,
    ) -> Result<ExitCode, CommandFailure> {
        let (diagnoses, all) = match settings {
            Ok(settings) => self.examine(&settings).await,
            Err(faults) => (unusable(&faults), true),
        };
        let bad = diagnoses.iter().filter(|diagnosis| diagnosis.grade == Grade::Bad).count();
        if self.format.json {
            out.json(&json!({ "ok": bad == 0, "diagnoses": diagnoses }))?;
        } else {
            for diagnosis in &diagnoses {
                out.line(&line(diagnosis))?;
            }
            let summary = match bad {
                0 if all => "nothing is broken".to_owned(),
                0 => "nothing is broken, as far as this user may look".to_owned(),
                _ => format!("to correct: {bad}"),
            };
            out.line(&format!("\n{summary}"))?;
        }
        Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Examines everything, and says whether this user may examine all of it.
    async fn examine(&self, settings: &Settings) -> (Vec<Diagnosis>, bool) {
        let mut diagnoses = vec![Diagnosis::good("settings", "the settings are right")];
        let foreign = folder::of_another(&settings.data);
        let all = foreign.is_none();
        if let Some(foreign) = foreign {
            diagnoses.push(foreign);
            // Not even root opens another user's store, which would leave files of root's in it.
            diagnoses.extend(ports::examine(settings, ports::Holder::Unknown));
        } else {
            let server = store::server_answers(settings);
            diagnoses.extend(folder::examine(settings));
            let state = Box::pin(store::find(settings, server)).await;
            diagnoses.push(store::judge(&state, settings, service::now()));
            diagnoses.extend(service::protected(settings).await.map(encryption::judge));
            #[cfg(feature = "postgres")]
            {
                diagnoses.extend(database::examine(settings).await);
                diagnoses.extend(patroni::examine(settings, self.patroni_port).await);
            }
            let holder = match state {
                _ if server => ports::Holder::Server,
                store::StoreCondition::Held => ports::Holder::Unknown,
                _ => ports::Holder::Nobody,
            };
            diagnoses.extend(ports::examine(settings, holder));
            diagnoses.extend(master_key::examine(settings, &state));
            diagnoses.extend(exposure::issuer(settings, &state));
        }
        diagnoses.push(disk::examine(settings));
        diagnoses.extend(exposure::examine(settings));
        diagnoses.push(limits::examine(settings));
        // A clock that the store proves wrong is not plausible as well.
        if diagnoses.iter().all(|diagnosis| diagnosis.about != clock::ABOUT) {
            diagnoses.push(clock::examine(service::now()));
        }
        (diagnoses, all)
    }
}

fn unusable(faults: &Faults) -> Vec<Diagnosis> {
    let help = "correct it; `rescind config show --toml` lists every setting. The rest is looked at once all are right";
    faults.0.iter().map(|fault| Diagnosis::new("settings", Grade::Bad, fault.to_string(), help)).collect()
}

fn line(diagnosis: &Diagnosis) -> String {
    let mark = match diagnosis.grade {
        Grade::Good => "ok     ",
        Grade::Hint => "hint   ",
        Grade::Warning => "warning",
        Grade::Bad => "BAD    ",
    };
    let line = format!("{mark}  {}: {}", diagnosis.about, diagnosis.what);
    if diagnosis.help.is_empty() { line } else { format!("{line}\n         -> {}", diagnosis.help) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::context::tests::CapturedOutput;

    async fn run(changes: &[(&str, &str)], json: bool) -> (String, bool) {
        let page = CapturedOutput::default();
        let doctor = DoctorCommand {
            format: OutputFormat { json },
            #[cfg(feature = "postgres")]
            patroni_port: patroni::PORT,
        };
        let code = doctor.run(Settings::with(changes), &mut Output::to(page.clone())).await.unwrap();
        (page.text(), code == ExitCode::SUCCESS)
    }

    #[tokio::test]
    async fn invalid_settings_are_bad_and_each_is_told() {
        let (text, well) = run(&[("refresh_grace", "3m"), ("lisen", "x")], false).await;
        assert!(!well);
        assert!(text.contains("`refresh_grace` = `3m`") && text.contains("did you mean `listen`?"), "{text}");
        assert!(text.ends_with("to correct: 2\n"), "{text}");
    }

    #[tokio::test]
    async fn a_machine_ready_for_a_first_start_is_well() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let changes = [
            ("data", data.to_str().unwrap()),
            ("listen", "127.0.0.1:0"),
            ("metrics_listen", "127.0.0.1:0"),
            ("connections_max", "16"),
        ];
        let (text, well) = run(&changes, true).await;
        assert!(well, "{text}");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["ok"], true);
        assert!(value["diagnoses"].as_array().unwrap().len() >= 8, "{text}");
        assert!(!data.exists(), "looking changes nothing");
    }

    /// `serve` warns of the same clock.
    #[cfg(feature = "sled")]
    #[tokio::test]
    async fn a_clock_a_day_behind_the_store_is_bad_and_not_plausible_as_well() {
        use crate::service::{Mode, Service};
        use crate::world::World;

        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let changes = [("data", data.to_str().unwrap())];
        let settings = Settings::with(&changes).unwrap();
        let tomorrow = World::real().now() + std::time::Duration::from_secs(24 * 60 * 60);
        let (world, _clock) = World::manual(tomorrow, 1);
        drop(Service::open(&settings, world, Mode::Initialize, "http://127.0.0.1").await.unwrap());
        let (text, well) = run(&changes, true).await;
        assert!(!well, "{text}");
        let told: serde_json::Value = serde_json::from_str(&text).unwrap();
        let diagnoses = told["diagnoses"].as_array().unwrap();
        let grades: Vec<_> =
            diagnoses.iter().filter(|one| one["about"] == "clock").map(|one| &one["grade"]).collect();
        assert_eq!(grades, ["bad"], "{text}");
    }
}
