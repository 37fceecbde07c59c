use super::*;
use crate::service::stores::ServerSetting;

fn primary(settings: &[(&str, &str, &str)], standbys: &[(&str, &str, i64)]) -> ServerReport {
    let setting = |&(name, value, source): &(&str, &str, &str)| {
        (name.to_owned(), ServerSetting { value: value.to_owned(), source: source.to_owned() })
    };
    let standby = |&(name, sync, behind): &(&str, &str, i64)| Standby {
        name: name.to_owned(),
        state: Some("streaming".to_owned()),
        sync_state: Some(sync.to_owned()),
        behind: Some(behind),
    };
    ServerReport {
        address: "db:5432".to_owned(),
        settings: [("fsync", "on", "default")].iter().chain(settings).map(setting).collect(),
        standbys: standbys.iter().map(standby).collect(),
        ..ServerReport::default()
    }
}

#[track_caller]
fn assert_told(report: &ServerReport, grade: Grade, parts: &[&str]) {
    let diagnoses = judge(report);
    let worst = diagnoses.iter().max_by_key(|diagnosis| diagnosis.grade).unwrap();
    assert_eq!(worst.grade, grade, "{diagnoses:?}");
    for part in parts {
        assert!(format!("{} {}", worst.what, worst.help).contains(part), "{part} is missing in {worst:?}");
    }
}

#[test]
fn a_setting_is_corrected_where_it_was_made() {
    for (source, help) in [
        ("configuration file", "set synchronous_commit = on in its configuration"),
        ("user", "ALTER ROLE … RESET synchronous_commit"),
        ("database", "ALTER DATABASE … RESET synchronous_commit"),
        ("client", "out of `options` in the connection string"),
    ] {
        assert_told(&primary(&[("synchronous_commit", "off", source)], &[]), Grade::Bad, &[help]);
    }
    let mut patroni = primary(&[("wal_level", "minimal", "command line")], &[]);
    patroni.has_patroni = true;
    assert_told(&patroni, Grade::Warning, &["patronictl edit-config"]);
}

#[test]
fn a_primary_waits_for_the_standby_that_takes_over() {
    let named = ("synchronous_standby_names", "one", "configuration file");
    let report = |standbys: &[(&str, &str, i64)]| primary(&[named], standbys);
    assert_told(&primary(&[], &[]), Grade::Good, &["keeps what it acknowledges"]);
    assert_told(
        &primary(&[], &[("one", "async", 0)]),
        Grade::Warning,
        &["is empty", "(one)", "synchronous_mode"],
    );
    assert_told(&report(&[("one", "sync", 0)]), Grade::Good, &[]);
    assert_told(&report(&[("one", "sync", 0), ("two", "async", 0)]), Grade::Hint, &["two is async"]);
    assert_told(&report(&[("two", "async", 0)]), Grade::Bad, &["no such standby is connected"]);
    assert_told(&report(&[("one", "sync", 17 << 20)]), Grade::Warning, &["17 MiB behind", "waits for it"]);
    let mut hidden = report(&[("one", "sync", 0)]);
    hidden.standbys[0].sync_state = None;
    assert_told(&hidden, Grade::Hint, &["pg_read_all_stats"]);
}

#[test]
fn nodes_that_cannot_ask_the_standbys_are_told_how_to() {
    let settings = |proof| Settings::with(&[("proof_of_primacy", proof)]).unwrap();
    assert_eq!(proofs(&settings("0s"), 1).map(|found| found.grade), Some(Grade::Hint));
    assert_eq!(proofs(&settings("0s"), 3), None);
    assert_eq!(proofs(&settings("off"), 1), None);
}

#[test]
fn a_second_primary_is_bad() {
    let one = || Ok(primary(&[], &[]));
    let standby = Ok(ServerReport { is_standby: true, ..primary(&[], &[]) });
    assert_eq!(second_primary(&[one(), standby]), None);
    assert_eq!(second_primary(&[one(), one()]).map(|found| found.grade), Some(Grade::Bad));
}
