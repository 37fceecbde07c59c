//! The hosts of a shared store: whether a promoted standby would have everything that was acknowledged.

use super::diagnosis::{Diagnosis, Grade};
use crate::cli::service::{ExaminedHost, HostSettings};

const ABOUT: &str = "replication";

const SYNCHRONOUS: &str = "set `synchronous_mode` and `synchronous_mode_strict` in Patroni, as deploy/patroni/patroni.yml does, or `synchronous_standby_names` without Patroni";

/// Judges the hosts that `store` names.
pub(super) fn judge(hosts: &[ExaminedHost]) -> Vec<Diagnosis> {
    let mut found: Vec<Diagnosis> = hosts.iter().flat_map(|host| judge_host(host, hosts.len())).collect();
    let primaries = || hosts.iter().filter(|host| host.settings.as_ref().is_ok_and(|host| host.is_primary));
    if primaries().count() > 1 {
        let names: Vec<&str> = primaries().map(|host| host.name.as_str()).collect();
        let what = format!(
            "{} accept writes: nodes of one would not know what the other has ended",
            names.join(" and ")
        );
        found.push(Diagnosis::new(ABOUT, Grade::Bad, what, "stop all but the newest primary at once"));
    }
    if found.is_empty() && hosts.len() > 1 {
        found.push(Diagnosis::good(ABOUT, "what is acknowledged is on a standby's disk as well"));
    }
    found
}

fn judge_host(host: &ExaminedHost, count: usize) -> Vec<Diagnosis> {
    let name = &host.name;
    let settings = match &host.settings {
        Ok(settings) => settings,
        // With a single host, opening the store says so.
        Err(_) if count == 1 => return Vec::new(),
        Err(reason) => {
            let what = format!("{name} cannot be asked: {reason}");
            return vec![Diagnosis::new(
                ABOUT,
                Grade::Warning,
                what,
                "no other may take over before it answers",
            )];
        }
    };
    let HostSettings { is_primary, fsync, full_page_writes, synchronous_commit, synchronous_standby_names } =
        settings;
    let mut found = Vec::new();
    let mut warn = |what: String, help: &str| found.push(Diagnosis::new(ABOUT, Grade::Warning, what, help));
    for (setting, value) in [("fsync", fsync), ("full_page_writes", full_page_writes)] {
        if value == "off" {
            let what =
                format!("{name} has `{setting}` off: a loss of power may damage what it has confirmed");
            warn(what, "turn it on; a host that ran without may have to be copied anew");
        }
    }
    if *is_primary && count > 1 && synchronous_standby_names.is_empty() {
        let what = format!("{name} waits for no standby: one that is promoted lacks the last sign-outs");
        warn(what, SYNCHRONOUS);
    } else if !synchronous_standby_names.is_empty() && synchronous_commit == "remote_write" {
        let what = format!(
            "`synchronous_commit` is remote_write on {name}: what the standby confirms is only in its memory"
        );
        warn(what, "set it to `on`");
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(change: impl FnOnce(&mut HostSettings)) -> ExaminedHost {
        let on = || "on".to_owned();
        let mut settings = HostSettings {
            is_primary: true,
            fsync: on(),
            full_page_writes: on(),
            synchronous_commit: on(),
            synchronous_standby_names: "db-2".to_owned(),
        };
        change(&mut settings);
        ExaminedHost { name: "db-1:5432".to_owned(), settings: Ok(settings) }
    }

    fn standby() -> ExaminedHost {
        host(|settings| settings.is_primary = false)
    }

    #[track_caller]
    fn assert_found(hosts: &[ExaminedHost], grade: Grade, part: &str) {
        let found = judge(hosts);
        assert!(matches!(&found[..], [one] if one.grade == grade && one.what.contains(part)), "{found:?}");
    }

    #[test]
    fn a_synchronous_pair_is_good_and_a_single_host_needs_no_standby() {
        assert_found(&[host(|_| ()), standby()], Grade::Good, "a standby's disk");
        assert_eq!(judge(&[host(|settings| settings.synchronous_standby_names.clear())]), []);
    }

    #[test]
    fn each_setting_that_breaks_a_promise_is_named() {
        let broken: [(fn(&mut HostSettings), &str); 4] = [
            (|settings| settings.fsync = "off".to_owned(), "`fsync` off"),
            (|settings| settings.full_page_writes = "off".to_owned(), "`full_page_writes` off"),
            (|settings| settings.synchronous_commit = "remote_write".to_owned(), "remote_write"),
            (|settings| settings.synchronous_standby_names.clear(), "waits for no standby"),
        ];
        for (breaks, part) in broken {
            assert_found(&[host(breaks), standby()], Grade::Warning, part);
        }
        let mut careless = standby();
        careless.settings.as_mut().unwrap().fsync = "off".to_owned();
        assert_found(&[host(|_| ()), careless], Grade::Warning, "`fsync` off");
    }

    #[test]
    fn a_host_that_does_not_answer_and_a_second_primary_are_named() {
        let silent =
            ExaminedHost { name: "db-2:5432".to_owned(), settings: Err("no answer in 5 s".to_owned()) };
        assert_found(&[host(|_| ()), silent.clone()], Grade::Warning, "db-2:5432 cannot be asked");
        assert_eq!(judge(&[silent]), []);
        assert_found(&[host(|_| ()), host(|_| ())], Grade::Bad, "accept writes");
    }
}
