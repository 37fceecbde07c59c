use serde_json::json;

use super::*;

fn answer(address: &str, config: Value) -> PatroniAnswer {
    let status = json!({ "role": "primary", "patroni": { "version": "4.0.11", "scope": "rescind" } });
    let Value::Object(status) = status else { unreachable!() };
    let Value::Object(config) = config else { panic!("settings are an object") };
    PatroniAnswer { address: address.to_owned(), status, config }
}

fn grades(config: Value) -> Vec<Grade> {
    judge(&[answer("db:8008", config)], true).iter().map(|found| found.grade).collect()
}

#[test]
fn every_way_of_writing_that_patroni_reads_is_understood() {
    for on in [json!(true), json!("on"), json!("True"), json!("yes"), json!(1), json!("1"), json!("Quorum")] {
        let config = json!({ "synchronous_mode": on, "synchronous_mode_strict": true });
        assert_eq!(grades(config), [Grade::Good], "{on}");
    }
    for off in [json!(false), json!("off"), json!(null), json!(0), json!("strict"), json!([true])] {
        let config = json!({ "synchronous_mode": off, "synchronous_mode_strict": true });
        assert_eq!(grades(config), [Grade::Warning], "{off}");
    }
    assert_eq!(grades(json!({})), [Grade::Warning]);
}

#[test]
fn quorum_is_off_before_version_4() {
    let mut old = answer("db:8008", json!({ "synchronous_mode": "quorum", "synchronous_mode_strict": true }));
    old.status.insert("patroni".to_owned(), json!({ "version": "3.3.2" }));
    assert!(judge(&[old], true)[0].what.contains("synchronous_mode is off"));
}

#[test]
fn strict_and_pause_are_told_apart_from_a_mode_that_is_off() {
    let found = judge(&[answer("db:8008", json!({ "synchronous_mode": true, "pause": true }))], true);
    assert_eq!(found.iter().map(|one| one.grade).collect::<Vec<_>>(), [Grade::Warning, Grade::Hint]);
    assert!(found[0].what.starts_with("db:8008: synchronous_mode_strict is off"), "{found:?}");
    assert!(found[1].help.contains("patronictl resume"), "{found:?}");
}

#[test]
fn machines_that_say_the_same_are_told_once() {
    let off = || json!({ "synchronous_mode": false, "maximum_lag_on_failover": 7 });
    let found = judge(&[answer("one:8008", off()), answer("two:8008", off())], true);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].what.starts_with("one:8008, two:8008: ") && found[0].what.contains("7 bytes"),
        "{found:?}"
    );
}

#[test]
fn a_machine_that_nobody_could_take_over_from_needs_no_synchronous_mode() {
    let alone = || answer("db:8008", json!({ "synchronous_mode": false }));
    assert_eq!(judge(&[alone()], false), []);
    let mut with_standby = alone();
    with_standby.status.insert("replication".to_owned(), json!([{ "state": "streaming" }]));
    assert_eq!(judge(&[with_standby], false).len(), 1);
}

#[test]
fn a_standby_cluster_has_no_synchronous_mode() {
    assert_eq!(grades(json!({ "standby_cluster": { "host": "10.1.0.1", "port": 5432 } })), []);
    assert_eq!(grades(json!({ "standby_cluster": { "host": "" } })), [Grade::Warning]);
}
