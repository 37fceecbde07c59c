//! `rescind doctor`, the real command: each finding with its exit code and the next step.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use rescind::model::timestamp::Timestamp;
use rescind::service::{Mode, Service};
use rescind::settings::Settings;
use rescind::world::World;
use serde_json::Value;

use crate::damaged::with_store;
use crate::full::a_reserve_can_exceed_the_disk;
use crate::place::{Place, RESCIND, Ran, run};

/// Runs the doctor with `--json`; returns the exit code and the most severe finding about one subject.
fn asked(place: &Place, flags: &str, about: &str) -> (i32, Value) {
    found(&place.run(&format!("doctor --json {FREE_PORTS} {flags}")), about)
}

fn found(ran: &Ran, about: &str) -> (i32, Value) {
    let told: Value = serde_json::from_str(&ran.out).unwrap();
    let diagnoses = told["diagnoses"].as_array().unwrap();
    assert_eq!(told["ok"], diagnoses.iter().all(|diagnosis| diagnosis["grade"] != "bad"));
    let about_it: Vec<_> = diagnoses.iter().filter(|diagnosis| diagnosis["about"] == about).collect();
    let order = ["bad", "warning", "hint", "good"];
    let rank = |diagnosis: &&&Value| order.iter().position(|grade| diagnosis["grade"] == *grade);
    let gravest = about_it.iter().min_by_key(rank).unwrap_or_else(|| panic!("nothing about {about}: {told}"));
    (ran.code.unwrap(), Value::clone(gravest))
}

/// Settings that make the result independent of the ports in use on this machine.
const FREE_PORTS: &str = "--set listen=127.0.0.1:0 --set metrics_listen=127.0.0.1:0";

#[track_caller]
fn assert_said(place: &Place, flags: &str, (about, grade): (&str, &str), parts: &[&str]) {
    let (code, diagnosis) = asked(place, flags, about);
    assert_eq!((code, diagnosis["grade"].as_str()), (i32::from(grade == "bad"), Some(grade)), "{diagnosis}");
    for part in parts {
        assert!(diagnosis.to_string().contains(part), "{part} is missing in {diagnosis}");
    }
}

#[test]
fn nothing_is_broken_on_a_fresh_machine_or_beside_a_server() {
    let place = Place::new();
    let told = place.run(&format!("doctor {FREE_PORTS}")).ok();
    assert!(told.ends_with("\nnothing is broken\n"), "{told}");
    assert!(!place.data().exists(), "the doctor made something");
    assert_said(&place, "", ("data folder", "hint"), &["there is no store", "rescind serve"]);
    let server = place.serve();
    assert_said(&place, "", ("store", "good"), &["a server runs"]);
    server.stop();
    assert_said(&place, "", ("store", "good"), &["no server runs"]);
}

#[test]
fn wrong_settings() {
    let place = Place::new();
    let (about, parts) =
        (("settings", "bad"), ["did you mean `access_lifetime`?", "rescind config show --toml"]);
    assert_said(&place, "--set acces_lifetime=1m", about, &parts);
    let told = place.run("doctor --set acces_lifetime=1m");
    assert_eq!(told.code, Some(1));
    assert!(told.out.starts_with("BAD ") && told.out.ends_with("to correct: 1\n"), "{told:?}");
}

#[test]
fn a_folder_open_to_others() {
    let place = with_store();
    fs::set_permissions(place.data(), Permissions::from_mode(0o755)).unwrap();
    assert_said(&place, "", ("data folder", "bad"), &["mode 0755", "chmod 0700 ./rescind-data"]);
}

#[test]
fn a_socket_path_that_is_too_long() {
    let flags = format!("--data {}", "d".repeat(120));
    assert_said(&Place::new(), &flags, ("settings", "bad"), &["131 bytes", "name a shorter one"]);
}

#[test]
fn a_damaged_store() {
    let place = with_store();
    let file = fs::File::options().write(true).open(place.data().join("db")).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    assert_said(&place, "", ("store", "bad"), &["is damaged", "put a backup in its place"]);
}

#[tokio::test]
async fn a_clock_behind_the_store() {
    let place = Place::new();
    let data = place.data();
    let settings = Settings::with(&[("data", data.to_str().unwrap())]).unwrap();
    let (future, _clock) = World::manual(Timestamp::from_unix(4_000_000_000), 1);
    drop(Service::open(&settings, future, Mode::Initialize, "http://127.0.0.1").await.unwrap());
    let parts = ["behind the newest record of the store", "set the clock"];
    assert_said(&place, "", ("clock", "bad"), &parts);
}

#[test]
fn a_folder_that_is_none_or_cannot_be_made() {
    let place = Place::new();
    fs::write(place.data(), "a file").unwrap();
    assert_said(&place, "", ("data folder", "bad"), &["is not a folder", "name a folder with --data"]);
    let nowhere = "--data /proc/1/rescind";
    assert_said(&place, nowhere, ("data folder", "bad"), &["cannot make it", "install -d -m 0700"]);
}

#[test]
fn an_address_of_another_machine() {
    // TEST-NET-1 (RFC 5737) is nobody's.
    let flags = "--set listen=192.0.2.1:0";
    assert_said(&Place::new(), flags, ("port", "bad"), &["no address of this machine", "ip address"]);
}

#[test]
fn taken_ports() {
    let place = Place::new();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    let parts = [&*format!("{address} is taken by another program"), "ss -ltnp"];
    assert_said(&place, &format!("--set listen={address}"), ("port", "bad"), &parts);
    assert_said(&place, &format!("--set metrics_listen={address}"), ("metrics port", "warning"), &parts);
}

#[test]
fn too_little_free_disk() {
    if !a_reserve_can_exceed_the_disk() {
        return;
    }
    let flags = "--set free_space_reserve=1024GiB";
    assert_said(&Place::new(), flags, ("disk", "bad"), &["every write is refused", "make room"]);
}

#[test]
fn a_master_key_that_is_missing_wrong_exposed_or_beside_the_data() {
    let place = with_store();
    let key = fs::read(place.master_key()).unwrap();
    fs::set_permissions(place.master_key(), Permissions::from_mode(0o644)).unwrap();
    assert_said(&place, "", ("master key", "bad"), &["mode 0644", "chmod 0600 ./rescind-data.key"]);
    fs::write(place.master_key(), "something else").unwrap();
    assert_said(
        &place,
        "",
        ("master key", "bad"),
        &["does not hold a master key", "put the right file back"],
    );
    fs::write(place.master_key(), "k4").unwrap();
    assert_said(&place, "", ("master key", "bad"), &["cut short", "put the whole file back"]);
    fs::remove_file(place.master_key()).unwrap();
    assert_said(&place, "", ("master key", "bad"), &["is missing", "put the file back"]);
    fs::write(place.data().join("key"), key).unwrap();
    fs::set_permissions(place.data().join("key"), Permissions::from_mode(0o600)).unwrap();
    let inside = "--set master_key_file=rescind-data/key";
    assert_said(
        &place,
        inside,
        ("master key", "warning"),
        &["lies in the data folder", "move the file elsewhere"],
    );
}

#[test]
fn a_master_key_of_another_store() {
    let place = with_store();
    assert_said(&place, "", ("master key", "good"), &["opens the store's keys"]);
    fs::remove_file(place.master_key()).unwrap();
    place.run("key master rescind-data.key").ok();
    let parts = ["is not the key of this store", "put the right file back"];
    assert_said(&place, "", ("master key", "bad"), &parts);
}

#[test]
fn a_server_that_is_starting_or_stopping() {
    let place = with_store();
    let lock = fs::File::options().write(true).open(place.data().join("lock")).unwrap();
    lock.lock().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let flags = format!("--set listen={}", taken.local_addr().unwrap());
    assert_said(&place, &flags, ("store", "hint"), &["starting or stopping", "ask again in a moment"]);
    assert_said(&place, &flags, ("port", "hint"), &["perhaps by the server of this data folder"]);
    assert_said(&place, &flags, ("master key", "good"), &["not tried on the keys"]);
    drop(lock);
    assert_said(&place, "", ("store", "good"), &["no server runs"]);
    assert_said(&place, &flags, ("port", "bad"), &["taken by another program"]);
}

#[test]
fn a_folder_of_another_user() {
    if !rustix::process::geteuid().is_root() {
        return crate::skipped::skipped(
            "only root can give a folder away, so nothing shows what another user is told",
        );
    }
    let place = with_store();
    for path in [place.data(), place.master_key()] {
        std::os::unix::fs::chown(path, Some(65534), Some(65534)).unwrap();
    }
    let parts = ["belongs to user 65534 and this is user 0", "sudo -u '#65534' rescind doctor"];
    assert_said(&place, "", ("data folder", "warning"), &parts);
    let told = place.run(&format!("doctor {FREE_PORTS}")).ok();
    assert!(told.ends_with("nothing is broken, as far as this user may look\n"), "{told}");
    assert!(!told.contains("first start") && !told.contains("BAD"), "{told}");
}

#[test]
fn a_first_start_that_has_no_issuer() {
    let place = Place::new();
    let open = "--set listen=0.0.0.0:0";
    assert_said(&place, open, ("issuer", "bad"), &["the first start is refused", "public_url"]);
    let told = place.run(&format!("doctor {FREE_PORTS} {open} --set public_url=https://auth.example.com"));
    assert!(told.ok().ends_with("nothing is broken\n"));
}

#[test]
fn listening_beyond_this_machine_without_tls() {
    let place = with_store();
    let open = "--set listen=0.0.0.0:0";
    assert_said(&place, open, ("tls", "warning"), &["nothing says that TLS is in front", "public_url"]);
    assert_said(&place, open, ("proxies", "hint"), &["trusted_proxies"]);
    let plain = format!("{open} --set public_url=http://auth.example.com");
    assert_said(&place, &plain, ("tls", "warning"), &["its URL is not https", "public_url"]);
}

#[test]
fn fewer_open_files_than_connections() {
    let place = Place::new();
    let limited = format!("ulimit -n 4096 && exec {RESCIND} doctor --json {FREE_PORTS}");
    let (code, diagnosis) = found(&run(place.program("bash", &["-c", &limited]), ""), "open files");
    assert_eq!((code, diagnosis["grade"].as_str()), (0, Some("warning")), "{diagnosis}");
    assert!(diagnosis["help"].as_str().unwrap().contains("LimitNOFILE=10192"), "{diagnosis}");
}
