//! The servers of a shared store: whether they keep what they acknowledge, also when one is lost, and who is in the way.

use super::diagnosis::{Diagnosis, Grade};
use crate::cli::service::{self, ServerReport, Standby, TableLock};
use crate::settings::Settings;

const ABOUT: &str = "database";

/// How far a standby may be behind, in bytes of the write-ahead log: one segment.
const MOST_BEHIND: i64 = 16 << 20;

/// What to do where a failover can lose what was acknowledged.
const WAIT_FOR_STANDBY: &str = "set synchronous_standby_names to the standbys that may be promoted, as in FIRST 1 (standby1), and promote only one that is `sync`; with Patroni set `synchronous_mode: true` (patronictl edit-config), which does both";

pub(super) async fn examine(settings: &Settings) -> Vec<Diagnosis> {
    let Ok(reports) = service::durability(settings).await else { return Vec::new() };
    let several = reports.len() > 1;
    let of_server = |report| match report {
        Ok(report) => judge(&report),
        Err((address, error)) if several => {
            vec![Diagnosis::new(ABOUT, Grade::Warning, format!("{address}: {error}"), "")]
        }
        // The finding about the store says so.
        Err(_) => Vec::new(),
    };
    let of_all =
        second_primary(&reports).into_iter().chain(proofs(settings, reports.len())).collect::<Vec<_>>();
    reports.into_iter().flat_map(of_server).chain(of_all).collect()
}

/// A finding if proofs of primacy are required, and the only server that is named has no other beside it to be asked.
fn proofs(settings: &Settings, servers: usize) -> Option<Diagnosis> {
    (settings.proof_of_primacy.is_some() && servers == 1).then(|| {
        let what = "`store` names one host, so each proof of primacy is a commit that its standbys confirm";
        let help = "name the hosts of the standbys in `store` too: nodes then ask them, which is quicker";
        Diagnosis::new(ABOUT, Grade::Hint, what, help)
    })
}

/// A finding if more than one server accepts writes.
fn second_primary(reports: &[Result<ServerReport, (String, service::OpenError)>]) -> Option<Diagnosis> {
    let is_primary = |report: &&ServerReport| !report.is_standby && !report.settings.is_empty();
    let primaries: Vec<_> =
        reports.iter().flatten().filter(is_primary).map(|report| report.address.as_str()).collect();
    (primaries.len() > 1).then(|| {
        let what = format!(
            "{} accept writes: nodes of one do not know what the other has ended",
            primaries.join(" and ")
        );
        Diagnosis::new(ABOUT, Grade::Bad, what, "stop all but the newest primary at once")
    })
}

/// Judges one server.
fn judge(report: &ServerReport) -> Vec<Diagnosis> {
    if report.settings.is_empty() {
        let what = format!(
            "{}: it does not say what it is set to, so whether it keeps what it acknowledges is unknown",
            report.address
        );
        return vec![Diagnosis::new(
            ABOUT,
            Grade::Hint,
            what,
            "name the servers themselves in `store` and ask again",
        )];
    }
    let mut found = settings(report);
    if !report.is_standby {
        found.extend(standbys(report));
    }
    found.extend(report.locks.iter().map(lock));
    let bad = found.iter().any(|one| one.grade >= Grade::Warning);
    let mut diagnoses: Vec<_> = found
        .into_iter()
        .map(|one| Diagnosis { what: format!("{}: {}", report.address, one.what), ..one })
        .collect();
    if !bad {
        let role = if report.is_standby { "standby" } else { "primary" };
        let what = format!("{} ({role}) keeps what it acknowledges", report.address);
        diagnoses.insert(0, Diagnosis::good(ABOUT, what));
    }
    diagnoses
}

fn value<'a>(report: &'a ServerReport, name: &str) -> &'a str {
    report.settings.get(name).map_or("", |setting| &setting.value)
}

/// What to do about a setting, where it was made.
fn set(report: &ServerReport, name: &str, to: &str) -> String {
    let reset = match report.settings.get(name).map_or("", |setting| &setting.source) {
        "database" => "ALTER DATABASE … RESET",
        "user" => "ALTER ROLE … RESET",
        "database user" => "ALTER ROLE … IN DATABASE … RESET",
        "client" | "session" => return format!("take {name} out of `options` in the connection string"),
        _ if report.has_patroni => return format!("set {name} = {to} with `patronictl edit-config`"),
        _ => return format!("set {name} = {to} in its configuration"),
    };
    format!("it was set for this database or this user: {reset} {name}")
}

/// Judges the settings of one server by itself.
fn settings(report: &ServerReport) -> Vec<Diagnosis> {
    let rules: [(&str, &[&str], Grade, &str, &str); 6] = [
        (
            "fsync",
            &["off"],
            Grade::Bad,
            "a crash of its machine can lose what was acknowledged, or destroy the database",
            "on",
        ),
        (
            "full_page_writes",
            &["off"],
            Grade::Warning,
            "a crash while a page is written can destroy it, unless the file system never writes half a page (ZFS)",
            "on",
        ),
        ("synchronous_commit", &["off", "local"], Grade::Bad, "what was acknowledged can be lost", "on"),
        (
            "wal_level",
            &["minimal"],
            Grade::Warning,
            "it can have no standby and no archive, so what is acknowledged is on one disk only",
            "replica",
        ),
        (
            "default_transaction_isolation",
            &["serializable"],
            Grade::Warning,
            "checks, which are single statements, run under it too, are slower, and are refused under load",
            "'read committed'",
        ),
        (
            "data_checksums",
            &["off"],
            Grade::Hint,
            "a page that its disk has damaged is read as if it were right",
            "",
        ),
    ];
    let broken = rules.into_iter().filter(|(name, values, ..)| values.contains(&value(report, name)));
    let told = broken.map(|(name, _, grade, meaning, to)| {
        let help = match name {
            "data_checksums" => "stop it and run `pg_checksums --enable`, or make the next database with `initdb --data-checksums`".to_owned(),
            _ => set(report, name, to),
        };
        Diagnosis::new(ABOUT, grade, format!("{name} = {}: {meaning}", value(report, name)), help)
    });
    told.collect()
}

/// Judges the standbys of a primary.
fn standbys(report: &ServerReport) -> Vec<Diagnosis> {
    let names = value(report, "synchronous_standby_names");
    let mut found = Vec::new();
    if report.standbys.iter().any(|standby| standby.sync_state.is_none()) {
        let help = "GRANT pg_read_all_stats TO … (the user in `store`), and ask again";
        let what = "this user may not see the state of its standbys";
        return vec![Diagnosis::new(ABOUT, Grade::Hint, what, help)];
    }
    if names.is_empty() {
        let connected: Vec<_> = report.standbys.iter().map(|standby| standby.name.as_str()).collect();
        if !connected.is_empty() {
            let what = format!(
                "synchronous_standby_names is empty, and standbys are connected ({}): after a failover to one, the newest acknowledged sign-outs can be missing",
                connected.join(", ")
            );
            found.push(Diagnosis::new(ABOUT, Grade::Warning, what, WAIT_FOR_STANDBY));
        }
        return found;
    }
    let waits = |standby: &&Standby| matches!(standby.sync_state.as_deref(), Some("sync" | "quorum"));
    if !report.standbys.iter().any(|standby| waits(&standby)) {
        let what = format!(
            "synchronous_standby_names = {names}, and no such standby is connected: every sign-out and sign-in waits for one and is answered with 503 ({} wait now)",
            report.waiting_commits
        );
        let help = "start the standby; its application_name has to be in the list. Take it out of the list only if it is lost for good";
        found.push(Diagnosis::new(ABOUT, Grade::Bad, what, help));
    } else if value(report, "synchronous_commit") == "remote_write" {
        let what = "synchronous_commit = remote_write: a standby confirms what is not on its disk yet, so it is lost if both machines lose power";
        found.push(Diagnosis::new(ABOUT, Grade::Warning, what, set(report, "synchronous_commit", "on")));
    }
    for standby in &report.standbys {
        found.extend(behind(standby, waits(&standby)));
        if standby.sync_state.as_deref() == Some("async") {
            let what = format!("the standby {} is async: it can lack what was acknowledged", standby.name);
            let help = "never promote it; Patroni with `synchronous_mode: true` does not";
            found.push(Diagnosis::new(ABOUT, Grade::Hint, what, help));
        }
    }
    found
}

/// A finding if the standby lags. `waited_for` says whether commits wait for it.
fn behind(standby: &Standby, waited_for: bool) -> Option<Diagnosis> {
    let bytes = standby.behind.filter(|bytes| *bytes > MOST_BEHIND)?;
    let means =
        if waited_for { "every sign-out and sign-in waits for it" } else { "it cannot take over soon" };
    let what = format!("the standby {} is {} MiB behind: {means}", standby.name, bytes >> 20);
    Some(Diagnosis::new(
        ABOUT,
        Grade::Warning,
        what,
        "see that it runs, and look at its log, its disk and the network between",
    ))
}

fn lock(lock: &TableLock) -> Diagnosis {
    let TableLock { pid, program, tables, stops_reads } = lock;
    let means = if *stops_reads {
        "checks and steps wait for it and are answered with 503"
    } else {
        "steps wait for it and are answered with 503"
    };
    let what = format!("process {pid} ({program}) holds a lock on rescind's tables ({tables}): {means}");
    let help = format!("let it finish, or end it: select pg_terminate_backend({pid})");
    Diagnosis::new(ABOUT, Grade::Bad, what, help)
}

#[cfg(test)]
mod tests;
