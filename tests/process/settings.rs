//! Invalid settings keep the service from starting: the message names the file, the key and the nearest key, and no
//! secret.

use std::fs;

use crate::place::{Place, RESCIND, SERVE, run};

#[test]
fn a_wrong_name_in_the_file_is_told_with_the_near_one() {
    let place = Place::new();
    fs::write(place.path("rescind.toml"), "# ours\nacces_lifetime = \"5m\"\n").unwrap();
    let fault = "rescind.toml:2: there is no setting `acces_lifetime`; did you mean `access_lifetime`?";
    place.refused(&[]).assert_failed(&[fault, "rescind config show --toml"]);
    place.run("config check").assert_failed(&[fault]);
    let checked = place.run("config check --json");
    assert_eq!(checked.code, Some(1));
    assert!(checked.out.contains(r#"{"ok":false,"faults":["rescind.toml:2:"#), "{checked:?}");
    assert!(!place.data().exists());
}

#[test]
fn a_wrong_value_is_told_with_what_is_allowed() {
    let place = Place::new();
    fs::write(place.path("other.toml"), "listen = \"127.0.0.1:0\"\naccess_lifetime = \"2h\"\n").unwrap();
    let fault = "other.toml:2: `access_lifetime` = `2h` is not allowed; it must be ";
    place.refused(&["--config", "other.toml"]).assert_failed(&[fault, "60m"]);
    place.refused(&["--config", "missing.toml"]).assert_failed(&["missing.toml"]);
}

#[test]
fn a_wrong_variable_is_told_with_the_near_one() {
    let place = Place::new();
    let mut command = place.program(RESCIND, &SERVE);
    command.env("RESCIND_ACCES_LIFETIME", "5m");
    run(command, "").assert_failed(&["`RESCIND_ACCES_LIFETIME`; did you mean `RESCIND_ACCESS_LIFETIME`?"]);
    place
        .refused(&["--set", "lisen=x"])
        .assert_failed(&["--set lisen: there is no setting `lisen`; did you mean `listen`?"]);
}

#[test]
fn defaults_file_environment_and_flags_win_in_this_order() {
    let place = Place::new();
    let file = "access_lifetime = \"2m\"\ndevice_idle = \"2d\"\ndevice_lifetime = \"20d\"\n";
    fs::write(place.path("rescind.toml"), file).unwrap();
    let mut command = place.program(RESCIND, &["config", "show", "--set", "device_lifetime=40d", "--json"]);
    command.env("RESCIND_DEVICE_IDLE", "3d").env("RESCIND_DEVICE_LIFETIME", "30d");
    let shown = run(command, "").json();
    let said = |key: &str| {
        let row = shown["settings"].as_array().unwrap().iter().find(|row| row["key"] == key).unwrap();
        format!("{} from {}", row["value"].as_str().unwrap(), row["from"].as_str().unwrap())
    };
    assert_eq!(said("refresh_grace"), "60s from default");
    assert_eq!(said("access_lifetime"), "2m from rescind.toml:1");
    assert_eq!(said("device_idle"), "3d from RESCIND_DEVICE_IDLE");
    assert_eq!(said("device_lifetime"), "40d from --set device_lifetime");
}

#[test]
fn secrets_are_hidden_wherever_they_come_from() {
    let place = Place::new();
    let secret = "nobody-may-see-this";
    place.secrets.note(secret);
    fs::write(place.path("store-url"), format!("postgres://ada:{secret}@db/rescind\n")).unwrap();
    let asked = |line: &str, name: &str, value: &str| {
        let mut command = place.program(RESCIND, &line.split(' ').collect::<Vec<_>>());
        command.env(name, value);
        let ran = run(command, "");
        place.secrets.assert_absent(line, &format!("{}{}", ran.out, ran.err));
        ran.out
    };
    let url = format!("postgres://ada:{secret}@db/rescind");
    for line in ["config show", "config show --json", "config show --toml", "config check", "doctor", "serve"]
    {
        asked(line, "RESCIND_STORE", &url);
        asked(line, "RESCIND_STORE", &format!("mysql://ada:{secret}@db"));
        asked(line, "RESCIND_STORE_FILE", "store-url");
    }
    let shown = asked("config show", "RESCIND_STORE", &url);
    let row = shown.lines().find(|line| line.starts_with("store ")).unwrap().split_whitespace();
    assert_eq!(row.collect::<Vec<_>>(), ["store", "(hidden)", "RESCIND_STORE"]);
}

#[test]
fn the_sample_file_is_a_settings_file() {
    let place = Place::new();
    let sample = place.run("config show --toml").ok();
    fs::write(place.path("rescind.toml"), sample).unwrap();
    assert_eq!(place.run("config check").ok(), "the settings are right\n");
}
