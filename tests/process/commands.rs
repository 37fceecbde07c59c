//! The commands on a running service: output for people, output for programs, and refusals.

use serde_json::{Value, json};

use crate::place::Place;
use crate::server::Server;
use crate::session::{PASSWORD, Session};

const OTHER_PASSWORD: &str = "another horse entirely";

fn running() -> (Place, Server) {
    let place = Place::new();
    let server = place.serve();
    (place, server)
}

/// The rows of a table, whose cells are separated by two or more spaces.
fn rows(table: &str) -> Vec<Vec<&str>> {
    table
        .lines()
        .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect()
}

fn login(server: &Server, password: &str) -> u16 {
    let body = json!({ "username": "ada", "password": password });
    server.client.post("/api/v1/auth/login", "", &body).status
}

fn keys_of(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_user_is_added_listed_and_signs_in() {
    let (place, server) = running();
    place.secrets.note(PASSWORD);
    assert_eq!(place.run("user list").ok(), "none\n");
    assert_eq!(place.run_with("user add ada --password-stdin", &format!("{PASSWORD}\n")).ok(), "added ada\n");
    let bob = place.run_with("user add bob --password-stdin --json", &format!("{PASSWORD}\n")).json();
    assert_eq!(
        keys_of(&bob),
        ["id", "username", "has_password", "created_at", "disabled", "live_devices", "generation"]
    );
    Session::login(&server.client, "ada", "Phone");

    let table = place.run("user list").ok();
    let table = rows(&table);
    assert_eq!(table[0], ["USERNAME", "ID", "CREATED", "DISABLED", "DEVICES", "GENERATION"]);
    assert_eq!((table[1][0], table[1][4], table[2][0], table[2][4]), ("ada", "1", "bob", "0"));
    assert_eq!(place.run("user list --all --json").json()["results"].as_array().unwrap().len(), 2);
    let page = place.run("user list --limit 1").ok();
    let next = page.split_once("\nmore: --after ").and_then(|(_, rest)| rest.strip_suffix(", or --all\n"));
    let next = next.unwrap_or_else(|| panic!("{page}"));
    let rest = place.run(&format!("user list --limit 1 --after {next} --json")).json();
    assert_eq!(rest["results"][0]["username"], "bob");
}

#[test]
fn a_user_of_another_system_is_added_without_a_password_and_found_by_the_id_there() {
    let (place, server) = running();
    let ada = place.run("user add ada --external-id 42 --no-password --json").json();
    assert_eq!((&ada["external_id"], &ada["has_password"]), (&json!("42"), &json!(false)));
    let again = place.run("user add ada --external-id 42 --no-password --json").json();
    assert_eq!(again["id"], ada["id"], "repeating is safe");
    let again = place.run("user add ada --external-id 42 --no-password").ok();
    assert!(again.starts_with("ada exists already, with this external id; nothing was changed"), "{again}");
    let table = place.run("user list").ok();
    let row = rows(&table).into_iter().find(|row| row[0] == "ada").unwrap();
    assert_eq!(row[2], "42");
    place
        .run("user add bob --external-id 42 --no-password")
        .assert_failed(&["error: The external id is taken\n", "help: `rescind user list --json` shows"]);
    assert_eq!(place.run("user add bob --no-password --password-stdin").code, Some(2), "wrong usage");
    assert_eq!(login(&server, PASSWORD), 401);
    assert_eq!(
        place.run("user disable external_id:42").ok(),
        "external_id:42 disabled; 0 devices signed out\n"
    );
    assert_eq!(place.run("user list --json").json()["results"][0]["disabled"], true);
    place.run("user delete 42 --yes").ok();
    assert_eq!(place.run("user list").ok(), "none\n");
}

#[test]
fn a_user_that_cannot_be_added_is_told_why() {
    let (place, _server) = running();
    let add =
        |name: &str, password: &str| place.run_with(&format!("user add {name} --password-stdin"), password);
    add("ada", PASSWORD).ok();
    add("ADA", PASSWORD).assert_failed(&["error: The username is taken\n", "help: choose another name"]);
    add("bob", "short")
        .assert_failed(&["(password: too_short)", "help: choose one of at least 8 characters"]);
    add("bob", "").assert_failed(&["the password is empty"]);
    add("b\u{7}b", PASSWORD).assert_failed(&["(username: invalid_characters)"]);
    place.run("user add bob").assert_failed(&["there is no terminal", "--password-stdin"]);
    place.run("user disable nobody").assert_failed(&[
        "error: there is no such user\n",
        "help: `rescind user list` shows those there are",
    ]);
}

#[test]
fn a_user_is_disabled_enabled_and_given_a_password() {
    let (place, server) = running();
    place.secrets.note(OTHER_PASSWORD);
    let phone = Session::register(&server.client, "ada", "Phone");
    assert_eq!(place.run("user disable ada --reason gone").ok(), "ada disabled; 1 device signed out\n");
    phone.assert_dead(&server.client, "user_disabled");
    assert_eq!(login(&server, PASSWORD), 401);
    assert_eq!(keys_of(&place.run("user enable ada --json").json()), ["signed_out", "generation"]);
    phone.assert_dead(&server.client, "signed_out_everywhere");
    let phone = Session::login(&server.client, "ada", "Phone");
    let set = place.run_with("user password ada --password-stdin", OTHER_PASSWORD).ok();
    assert_eq!(set, "password of ada set; 1 device signed out\n");
    phone.assert_dead(&server.client, "signed_out_everywhere");
    assert_eq!((login(&server, PASSWORD), login(&server, OTHER_PASSWORD)), (401, 200));
}

#[test]
fn a_user_is_signed_out_everywhere_and_deleted() {
    let (place, server) = running();
    let phone = Session::register(&server.client, "ada", "Phone");
    let told = place.run("user logout-all ada --reason stolen").ok();
    assert_eq!(told, "ada signed out everywhere; 1 device signed out\n");
    phone.assert_dead(&server.client, "signed_out_everywhere");
    place.run("user delete ada").assert_failed(&["there is no terminal to ask", "help: use --yes"]);
    assert_eq!(login(&server, PASSWORD), 200);
    assert_eq!(place.run("user delete ada --yes").ok(), "ada deleted; 1 device signed out\n");
    assert_eq!(login(&server, PASSWORD), 401);
}

#[test]
fn devices_are_listed_and_ended() {
    let (place, server) = running();
    let phone = Session::register(&server.client, "ada", "Phone");
    let laptop = Session::login(&server.client, "ada", "Laptop");
    let table = place.run("device list ada").ok();
    let table = rows(&table);
    assert_eq!(table[0], ["NAME", "ID", "KIND", "CREATED", "LAST SEEN", "ADDRESS", "ENDED"]);
    assert_eq!(table[1][..3], ["Phone", phone.device.as_str(), "mobile"]);
    assert_eq!(place.run(&format!("device end ada {}", phone.device)).ok(), "1 device signed out\n");
    phone.assert_dead(&server.client, "signed_out");
    laptop.assert_alive(&server.client);
    let ended = place.run("device list ada --ended --json").json();
    assert_eq!(
        (&ended["results"][0]["id"], &ended["results"][0]["ended_cause"]),
        (&json!(phone.device), &json!("administrator"))
    );
    let again = place.run(&format!("device end ada {} --json", phone.device)).json();
    assert_eq!(again, json!({ "signed_out": 0 }));
    for line in ["device end ada nonsense", "device list nobody"] {
        place.run(line).assert_failed(&["no such device\n", "help: ", "`rescind device list USER`"]);
    }
}

#[test]
fn everyone_is_signed_out() {
    let (place, server) = running();
    let phone = Session::register(&server.client, "ada", "Phone");
    place.run("everyone logout").assert_failed(&["no terminal to ask", "help: use --yes"]);
    phone.assert_alive(&server.client);
    let told = place.run("everyone logout --yes --reason leak").ok();
    assert!(told.starts_with("everyone is signed out; the era is now "), "{told}");
    phone.assert_dead(&server.client, "reset");
    assert_eq!(keys_of(&place.run("everyone logout --yes --json").json()), ["era"]);
}

#[test]
fn every_command_takes_the_data_folder() {
    let place = Place::new();
    let _server = place.serve_with(&["--data", "elsewhere"]);
    for line in ["user list", "key list", "service-key list", "doctor", "config check"] {
        assert_eq!(place.run(&format!("{line} --data elsewhere")).code, Some(0), "{line}");
    }
    assert!(!place.data().exists());
}

#[test]
fn the_document_is_the_committed_one() {
    let printed = Place::new().run("openapi").ok();
    let committed =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/openapi.json")).unwrap();
    assert!(
        printed.trim_end() == committed.trim_end(),
        "`rescind openapi` differs from openapi/openapi.json"
    );
}

#[test]
fn a_wrong_use_is_told_with_another_exit_code() {
    let place = Place::new();
    for line in [
        "user",
        "user add",
        "service-key add api",
        "service-key add api --scope root",
        "fly",
        "user add ada --password x",
    ] {
        let ran = place.run(line);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{ran:?}");
    }
    assert!(place.run("--help").ok().contains("rescind serve"));
    assert!(place.run("--version").ok().starts_with("rescind "));
}
