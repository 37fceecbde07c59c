//! Exclusive access to the store: commands go to the running server, or open the store themselves, and never make one.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;

use crate::place::{Place, RESCIND, run};
use crate::session::Session;

#[test]
fn a_second_server_on_the_same_folder_is_refused_and_the_first_goes_on() {
    let place = Place::new();
    let server = place.serve();
    let phone = Session::register(&server.client, "ada", "Phone");
    let holder = format!("is in use by process {}: end it first", server.pid());
    place.refused(&[]).assert_failed(&["./rescind-data", &holder]);
    phone.assert_alive(&server.client);
    assert_eq!(place.run("user list --json").json()["results"][0]["username"], "ada");
}

#[test]
fn a_command_beside_a_server_is_a_request_to_it() {
    let place = Place::new();
    let server = place.serve();
    let phone = Session::register(&server.client, "ada", "Phone");
    place.run("user logout-all ada").ok();
    server.stderr.wait_for_line("/api/v1/admin/users/{user}/logout-all");
    phone.assert_dead(&server.client, "signed_out_everywhere");
}

#[test]
fn a_command_without_a_server_opens_the_store_itself() {
    let place = Place::new();
    let server = place.serve();
    let phone = Session::register(&server.client, "ada", "Phone");
    server.stop();
    let ran = place.run("user logout-all ada --reason lost --json");
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "{\"signed_out\":1,\"generation\":2}\n"), "{ran:?}");
    // Without a server, only the command's own log records the event.
    assert!(ran.err.contains("user_signed_out") && ran.err.contains("reason=\"lost\""), "{ran:?}");
    phone.assert_dead(&place.serve().client, "signed_out_everywhere");
}

/// The user id of another user, who may not open the data folder.
const STRANGER: u32 = 65_534;

#[test]
fn a_command_of_another_user_is_told_whose_it_has_to_be() {
    let place = Place::new();
    let _server = place.serve();
    let mode = |path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    // The other user needs access to the program and the folder, wherever the tests run.
    mode(place.path("."), 0o755);
    fs::copy(RESCIND, place.path("rescind")).unwrap();
    let mut command = place.program("./rescind", &["user", "list"]);
    if rustix::process::geteuid().is_root() {
        // Root may open every folder, so the command runs as another user.
        command.uid(STRANGER);
    } else {
        mode(place.data(), 0o000);
    }
    let told = run(command, "");
    mode(place.data(), 0o700);
    told.assert_failed(&[
        "error: the data folder ./rescind-data cannot be read",
        "help: run the command as the user",
    ]);
}

#[test]
fn a_socket_left_by_a_killed_server_is_in_nobodys_way() {
    let place = Place::new();
    let server = place.serve();
    Session::register(&server.client, "ada", "Phone");
    server.kill();
    assert!(place.data().join("admin.sock").exists());
    assert_eq!(place.run("user list --json").json()["results"][0]["username"], "ada");
    assert_eq!(place.serve().client.get("/livez", "").status, 200);
}

#[test]
fn a_command_never_makes_a_store() {
    let place = Place::new();
    let step = "make one by starting `rescind serve` once";
    for line in ["user list", "key rotate", "service-key list", "everyone logout --yes"] {
        place.run(line).assert_failed(&["there is no store in ./rescind-data", step]);
        assert!(!place.data().exists() && !place.master_key().exists(), "{line}");
    }
    std::fs::create_dir(place.path("empty")).unwrap();
    place.run("user list --data empty").assert_failed(&["there is no store in empty", step]);
    assert_eq!(place.path("empty").read_dir().unwrap().count(), 0);
}
