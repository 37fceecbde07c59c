//! An import that is killed, or whose service is killed, is run again: then all users are there, each once and whole.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::place::{Place, RESCIND};
use crate::server::Server;
use crate::terminal::AtTerminal;

/// The number of users, so many that the import takes much longer than it takes to see how far it is.
const USERS: u64 = 6_000;

/// The password of the hash.
const PASSWORD: &str = "correct horse";

/// A hash that costs nothing to check, so that many users can sign in.
const HASH: &str = "md5$IXmsyDFNEAjOvotyY4Ng2k$5a81331fb1846b8e57abe2b2e48bcb3b";

const IMPORT: [&str; 5] = ["user", "import", "django", "users.csv", "--weak"];

const IMPORTING: &str = "importing users:";

/// A user of the file.
#[derive(Debug, PartialEq, Eq)]
struct ImportedUser {
    external_id: String,
    password: &'static str,
    active: bool,
    joined: String,
}

fn name(number: u64) -> String {
    format!("User{number}")
}

fn user(number: u64) -> ImportedUser {
    ImportedUser {
        external_id: (number + 100_000).to_string(),
        password: if number % 5 == 1 { "!" } else { HASH },
        active: number % 7 != 2,
        joined: format!("2020-05-17T10:{:02}:{:02}Z", number / 60 % 60, number % 60),
    }
}

/// A service that was started once, and the file with all users.
fn place() -> (Place, Server) {
    let place = Place::new();
    place.secrets.note(PASSWORD);
    place.secrets.note(HASH);
    let mut file = String::from("id,username,password,is_active,date_joined\n");
    for number in 0..USERS {
        let ImportedUser { external_id, password, active, joined } = user(number);
        writeln!(file, "{external_id},{},{password},{active},{joined}", name(number)).unwrap();
    }
    std::fs::write(place.path("users.csv"), file).unwrap();
    let server = place.serve();
    (place, server)
}

/// Starts the import at a terminal, and waits until it shows that so many users are done.
fn import_until(place: &Place, users: u64) -> AtTerminal {
    let import = AtTerminal::start(place.program(RESCIND, &IMPORT));
    import.wait_for_progress(IMPORTING, users);
    import
}

/// Runs the import to its end. Returns how many users it created, and how many it found.
fn import(place: &Place) -> [u64; 2] {
    let done = place.run(&format!("{} --json", IMPORT.join(" "))).json();
    assert_eq!((&done["read"], &done["left_out"]), (&json!(USERS), &json!(0)), "{}", done["reasons"]);
    ["created", "existing"].map(|count| done[count].as_u64().unwrap())
}

/// Asserts that the users of the service are those of the file.
fn assert_all_are_there(place: &Place, server: &Server) {
    let export = place.run("user export all.jsonl --json").json();
    assert_eq!(export["users"], USERS);
    let text = std::fs::read_to_string(place.path("all.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let found: BTreeMap<String, Value> =
        lines.map(|line| (line["fields"]["username"].as_str().unwrap().to_owned(), line)).collect();
    assert_eq!(found.len() as u64, USERS);
    let key = place.service_key("admin");
    for number in 0..USERS {
        let (name, user) = (name(number), user(number));
        let (id, fields) = (&found[&name]["pk"], &found[&name]["fields"]);
        let text = |field: &str| fields[field].as_str().unwrap();
        assert_eq!((id.to_string(), text("password")), (user.external_id.clone(), user.password), "{name}");
        assert_eq!(
            (fields["is_active"] == true, text("date_joined")),
            (user.active, &*user.joined),
            "{name}"
        );
        if number % 500 == 0 {
            let path = format!("/api/v1/admin/users/external_id:{}", user.external_id);
            assert_eq!(server.client.get(&path, &key).ok()["username"], name);
        }
    }
    // With a password, without one, disabled.
    for (number, status) in [0, 1, 2, USERS - 1].into_iter().zip([200, 401, 401, 200]) {
        let body = json!({ "username": name(number), "password": PASSWORD });
        assert_eq!(server.client.post("/api/v1/auth/login", "", &body).status, status, "{number}");
    }
}

/// Kills the import twice, and runs it to its end.
fn kill_the_command(place: &Place) {
    import_until(place, USERS / 5).kill();
    import_until(place, USERS * 3 / 5).kill();
    let [created, existing] = import(place);
    assert!(existing >= USERS * 3 / 5 && created > 0, "{created} created, {existing} found");
    assert_eq!(import(place), [0, USERS]);
}

#[test]
fn a_command_that_was_killed_beside_a_service_is_run_again() {
    let (place, server) = place();
    kill_the_command(&place);
    assert_all_are_there(&place, &server);
}

#[test]
fn a_command_that_was_killed_while_it_had_the_store_itself_is_run_again() {
    let (place, server) = place();
    server.stop();
    kill_the_command(&place);
    let server = place.serve();
    assert_all_are_there(&place, &server);
}

#[test]
fn after_the_service_was_killed_the_command_is_run_again() {
    let (place, server) = place();
    let import_at_terminal = import_until(&place, USERS / 5);
    server.kill();
    let ended = import_at_terminal.end();
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""), "{ended:?}");
    for part in ["the running server does not answer", "users were created before", "stay as they are"] {
        assert!(ended.err.contains(part), "{part}: {ended:?}");
    }
    let server = place.serve();
    let [created, existing] = import(&place);
    assert!(existing >= USERS / 5 && created > 0, "{created} created, {existing} found");
    assert_all_are_there(&place, &server);
}
