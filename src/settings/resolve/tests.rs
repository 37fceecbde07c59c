use std::ffi::OsString;
use std::path::Path;
use std::{io, str};

use super::*;

/// Resolves a file, an environment and flags; the only secret file that exists holds a URL with a password.
fn resolved(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Resolved {
    let vars = environment.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let environment = Environment::from_vars(vars);
    let flag = |(key, text): &(&str, &str)| (format!("--{key}"), (*key).to_owned(), (*text).to_owned());
    let flags: Vec<_> = flags.iter().map(flag).collect();
    let read = |path: &Path| match path.to_str() {
        Some("/run/secrets/store") => Ok("mysql://app:hunter2@db/rescind\n".to_owned()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    resolve(&Inputs {
        file: Some(("rescind.toml", file)),
        environment: &environment,
        flags: &flags,
        read: &read,
    })
}

fn faults(resolved: &Resolved) -> String {
    resolved.settings.as_ref().unwrap_err().to_string()
}

fn row<'a>(resolved: &'a Resolved, key: &str) -> &'a Row {
    resolved.rows.iter().find(|row| row.setting.key == key).unwrap()
}

#[test]
fn the_nearer_source_wins_and_is_named() {
    let file = "listen = \"[::1]:1\"\nlog_format = \"json\"\ndevice_idle = \"7d\"";
    let all = resolved(
        file,
        &[("RESCIND_LISTEN", "[::1]:2"), ("RESCIND_LOG_FORMAT", "text")],
        &[("listen", "[::1]:3")],
    );
    assert_eq!(all.settings.as_ref().unwrap().listen.port(), 3);
    assert_eq!(row(&all, "listen").at.to_string(), "--listen");
    assert_eq!(row(&all, "log_format").at.to_string(), "RESCIND_LOG_FORMAT");
    assert_eq!(row(&all, "device_idle").at.to_string(), "rescind.toml:3");
    assert_eq!(row(&all, "device_lifetime").at, SettingSource::Default);
}

#[test]
fn an_unknown_key_of_the_file_is_told_with_its_line_and_the_near_name() {
    let all = resolved("\nacces_lifetime = \"5m\"", &[], &[]);
    assert_eq!(
        faults(&all),
        "rescind.toml:2: there is no setting `acces_lifetime`; did you mean `access_lifetime`?"
    );
}

#[test]
fn an_unknown_variable_is_told_with_the_near_variable() {
    let all = resolved("", &[("RESCIND_LISTN", "[::1]:1")], &[]);
    assert_eq!(
        faults(&all),
        "RESCIND_LISTN: there is no setting `RESCIND_LISTN`; did you mean `RESCIND_LISTEN`?"
    );
}

#[test]
fn a_name_like_no_other_gets_no_guess() {
    assert_eq!(faults(&resolved("zzz = 1", &[], &[])), "rescind.toml:1: there is no setting `zzz`");
}

#[test]
fn an_invalid_value_is_told_with_its_place_and_its_range() {
    let all = resolved("access_lifetime = \"2h\"", &[("RESCIND_DEVICES_PER_USER", "0")], &[]);
    assert_eq!(
        faults(&all),
        "rescind.toml:1: `access_lifetime` = `2h` is not allowed; it must be 1m to 60m\n\
         RESCIND_DEVICES_PER_USER: `devices_per_user` = `0` is not allowed; it must be 1 to 20000"
    );
}

#[test]
fn a_secret_is_never_quoted() {
    let all = resolved("store = \"mysql://app:hunter2@db\"", &[], &[]);
    assert!(faults(&all).contains("`store` is not allowed"), "{}", faults(&all));
    assert!(!faults(&all).contains("hunter2"));
    assert_eq!(row(&all, "store").shown(), "(hidden)");
}

#[test]
fn a_secret_may_be_a_file() {
    let all = resolved("", &[("RESCIND_STORE_FILE", "/run/secrets/store")], &[]);
    assert_eq!(row(&all, "store").at.to_string(), "RESCIND_STORE_FILE");
    assert!(faults(&all).starts_with("RESCIND_STORE_FILE: `store` is not allowed"), "{}", faults(&all));
    assert!(!faults(&all).contains("hunter2"));
}

#[test]
fn a_secret_file_that_is_not_there_is_told() {
    let all = resolved("store_file = \"/nowhere\"", &[], &[]);
    assert_eq!(faults(&all), "rescind.toml:1: cannot read /nowhere: entity not found");
}

#[test]
fn a_secret_given_twice_in_one_place_is_refused() {
    let both = [("RESCIND_STORE", "postgres://db/a"), ("RESCIND_STORE_FILE", "/run/secrets/store")];
    assert!(faults(&resolved("", &both, &[])).contains("both give `store`"));
}

#[test]
fn only_secrets_may_be_files() {
    assert!(faults(&resolved("listen_file = \"/a\"", &[], &[])).contains("no setting `listen_file`"));
}

#[test]
fn a_file_that_is_not_toml_is_refused_and_the_rest_still_told() {
    let all = resolved("listen = ", &[("RESCIND_LOG_LEVEL", "loud")], &[]);
    assert!(faults(&all).starts_with("rescind.toml:1: this is not TOML"), "{}", faults(&all));
    assert!(faults(&all).contains("RESCIND_LOG_LEVEL: `log_level` = `loud`"));
}

#[test]
fn a_table_is_no_value() {
    let all = resolved("[listen]\nport = 1", &[], &[]);
    assert!(
        faults(&all).starts_with("rescind.toml:1: `listen` = `(table)` is not allowed"),
        "{}",
        faults(&all)
    );
}
