//! The settings of Patroni, where it runs the database: which of them let a failover lose what was acknowledged.
//!
//! PostgreSQL shows what Patroni has made of its settings at this moment, not whom Patroni would promote. What costs only
//! time is not judged (`failsafe_mode`, `primary_start_timeout`), nor what matters only where the standby that is promoted
//! need not have everything (`maximum_lag_on_failover`, `check_timeline`): with `synchronous_mode` it has. Any
//! `synchronous_node_count` is right, since Patroni promotes only one of those that confirm.
//!
//! Modules: `request` (asks a machine).

use serde_json::{Map, Value};

use super::diagnosis::{Diagnosis, Grade};
use crate::cli::service;
use crate::settings::Settings;
use request::PatroniAnswer;

mod request;

const ABOUT: &str = "patroni";

/// The port of Patroni's REST API, unless it is set to another one.
pub(super) const PORT: u16 = 8008;

/// Asks the Patroni of every machine that the connection string names. Finds nothing where no Patroni answers.
pub(super) async fn examine(settings: &Settings, port: u16) -> Vec<Diagnosis> {
    let Ok(machines) = service::database_machines(settings) else { return Vec::new() };
    let several = machines.len() > 1;
    let asked = machines.iter().map(|machine| request::ask(machine, port));
    let answers: Vec<_> = futures_util::future::join_all(asked).await.into_iter().flatten().collect();
    judge(&answers, several)
}

/// Judges all answers. The machines of a cluster have the same settings, so each finding is told once, with the machines
/// that say so. `several` says whether the connection string names several machines.
fn judge(answers: &[PatroniAnswer], several: bool) -> Vec<Diagnosis> {
    let several = several || answers.iter().any(|answer| is_one_of_several(&answer.status));
    let mut found: Vec<(Diagnosis, Vec<&str>)> = Vec::new();
    for answer in answers {
        for finding in findings(answer, several) {
            match found.iter_mut().find(|(known, _)| *known == finding) {
                Some((_, addresses)) => addresses.push(&answer.address),
                None => found.push((finding, vec![&answer.address])),
            }
        }
    }
    let told = found.into_iter().map(|(finding, addresses)| Diagnosis {
        what: format!("{}: {}", addresses.join(", "), finding.what),
        ..finding
    });
    told.collect()
}

/// What one answer says, without the address.
fn findings(answer: &PatroniAnswer, several: bool) -> Vec<Diagnosis> {
    let PatroniAnswer { status, config, .. } = answer;
    let mut found = Vec::new();
    // In a cluster that follows another one nobody is waited for.
    if !is_standby_cluster(config) {
        found.extend(promotion(status, config, several));
    }
    if is_on(config, "pause") {
        let what = "Patroni is in maintenance mode (pause): no machine takes over from a primary that fails";
        found.push(Diagnosis::new(ABOUT, Grade::Hint, what, "`patronictl resume` ends it"));
    }
    found
}

/// Judges whom Patroni promotes.
fn promotion(status: &Map<String, Value>, config: &Map<String, Value>, several: bool) -> Option<Diagnosis> {
    if !several {
        // There is nobody to promote.
        return None;
    }
    if !is_synchronous(status, config) {
        let limit = config.get("maximum_lag_on_failover").and_then(Value::as_u64).unwrap_or(1 << 20);
        let what = format!(
            "synchronous_mode is off: after a failover the newest acknowledged sign-outs can be missing. Patroni promotes a standby that lacks up to {limit} bytes (maximum_lag_on_failover) and what was written in the last seconds, whatever synchronous_standby_names says"
        );
        let help = "`patronictl edit-config --set synchronous_mode=true --set synchronous_mode_strict=true`; it takes effect at once";
        return Some(Diagnosis::new(ABOUT, Grade::Warning, what, help));
    }
    if !is_on(config, "synchronous_mode_strict") {
        let what = "synchronous_mode_strict is off: while no standby is connected, what is acknowledged is on one machine only, and is lost with its disk or by a failover that is forced";
        let help = "`patronictl edit-config --set synchronous_mode_strict=true`: then changes get 503 until a standby is back";
        return Some(Diagnosis::new(ABOUT, Grade::Warning, what, help));
    }
    Some(Diagnosis::good(ABOUT, "Patroni promotes only a standby that has what was acknowledged"))
}

/// Whether Patroni has commits wait for those that it would promote. Versions before 4 take `quorum` for off.
fn is_synchronous(status: &Map<String, Value>, config: &Map<String, Value>) -> bool {
    let version = status.get("patroni").and_then(|patroni| patroni.get("version")).and_then(Value::as_str);
    let major = version.and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    let quorum = config.get("synchronous_mode").and_then(Value::as_str);
    let is_quorum = quorum.is_some_and(|mode| mode.eq_ignore_ascii_case("quorum"));
    is_on(config, "synchronous_mode") || is_quorum && major.is_some_and(|major| major >= 4)
}

/// Whether a setting is on, in any way of writing that Patroni reads.
fn is_on(config: &Map<String, Value>, name: &str) -> bool {
    match config.get(name) {
        Some(Value::Bool(on)) => *on,
        Some(Value::Number(number)) => number.as_u64() == Some(1),
        Some(Value::String(text)) => {
            ["on", "true", "yes", "1"].iter().any(|on| text.eq_ignore_ascii_case(on))
        }
        _ => false,
    }
}

/// Whether the whole cluster follows another one.
fn is_standby_cluster(config: &Map<String, Value>) -> bool {
    let followed = |name| match config.get("standby_cluster").and_then(|section| section.get(name)) {
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Number(_)) => true,
        _ => false,
    };
    ["host", "port", "restore_command"].into_iter().any(followed)
}

/// Whether the machine is a standby or has one.
fn is_one_of_several(status: &Map<String, Value>) -> bool {
    let has_standby = status.get("replication").and_then(Value::as_array).is_some_and(|all| !all.is_empty());
    has_standby || status.get("role").and_then(Value::as_str) == Some("replica")
}

#[cfg(test)]
mod tests;
