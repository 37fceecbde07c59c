//! A store that was restored from a copy: what ended since is live in it, and only an operator can know that.

use std::time::Instant;

use serde_json::Value;

use crate::guarded::{BOUND, Scene};
use crate::place::{Place, RESCIND, run};
use crate::session::Session;
use crate::trace;

/// Copies a folder as a backup does.
fn copied(place: &Place, from: &str, to: &str) {
    run(place.program("rm", &["-rf", to]), "").ok();
    run(place.program("cp", &["-a", from, to]), "").ok();
}

#[test]
fn followers_forget_nothing_when_a_store_is_put_back_and_start_anew_once_they_are_told() {
    let mut scene = Scene::new(3);
    let gone = Session::register(scene.client(), "ada", "Phone");
    let other = Session::register(scene.client(), "eve", "Phone");
    scene.server.take().unwrap().stop();
    copied(&scene.place, "rescind-data", "copy");
    scene.start();
    scene.sign_out(&gone);
    scene.assert_everywhere(&gone, "401 signed_out_everywhere");

    scene.server.take().unwrap().stop();
    copied(&scene.place, "copy", "rescind-data");
    scene.start();
    gone.assert_alive(scene.client());
    let began = Instant::now();
    while began.elapsed() < BOUND * 2 {
        scene.guards.iter().for_each(|guard| assert_ne!(guard.verdict(&gone.access), "204"));
    }

    scene.server.take().unwrap().stop();
    let said = scene.place.run("store restored --keep-service-keys --yes").ok();
    for part in [
        "it is a new store, ",
        ": everyone is signed out\n",
        "signing keys  4 made, 4 distrusted",
        "users         2, of whom 0 are disabled",
        "The newest record of the copy is of 20",
        "passwords changed since are the old ones",
        "These service keys work. Remove each that was removed since",
        "If the original runs on, set `issuer` to a URL of this store's own",
    ] {
        assert!(said.contains(part), "{part} is missing in {said}");
    }
    scene.start();
    for session in [&gone, &other] {
        session.assert_dead(scene.client(), "token_invalid");
        scene.assert_everywhere(session, "401 token_invalid");
    }
    scene.assert_everywhere(&Session::login(scene.client(), "ada", "Phone"), "204");
}

/// What ends after the copy is made: a session, a service key, a signing key, an account, a password.
#[test]
fn nothing_that_was_taken_back_after_the_copy_is_revived_and_what_went_back_is_told() {
    let place = Place::new();
    let server = place.serve();
    let phone = Session::register(&server.client, "ada", "Phone");
    Session::register(&server.client, "eve", "Phone");
    let key = place.service_key("introspect");
    place.run("user disable eve").ok();
    server.stop();
    copied(&place, "rescind-data", "copy");
    let server = place.serve();
    let ids: Vec<_> = results(&place, "service-key list --json").iter().map(text("id")).collect();
    place.run(&format!("service-key remove {}", ids[0])).ok();
    let kids: Vec<_> = results(&place, "key list --json").iter().map(text("kid")).collect();
    place.run(&format!("key distrust {} --yes", kids[0])).ok();
    server.stop();

    copied(&place, "copy", "rescind-data");
    let done = place.run("store restored --yes --json").json();
    let server = place.serve();
    phone.assert_dead(&server.client, "token_invalid");
    let introspected = server.client.form("/oauth/introspect", &key, &format!("token={}", phone.access));
    assert_eq!(introspected.status, 401, "a removed service key works again");
    let listed = results(&place, "key list --json");
    for kid in &kids {
        let state = listed.iter().find(|key| key["kid"] == kid.as_str()).map(text("state"));
        assert_eq!(state.as_deref(), Some("distrusted"), "{kid}");
    }
    assert_eq!(listed.len(), kids.len() + 4);
    assert_eq!(results(&place, "service-key list --json"), Vec::<Value>::new());
    Session::login(&server.client, "ada", "Phone").assert_alive(&server.client);

    let distrusted = strings(&done["signing_keys"]["distrusted"]);
    assert!(kids.iter().all(|kid| distrusted.contains(kid)), "{done}");
    assert_eq!(done["signing_keys"]["made"].as_array().unwrap().len(), 4);
    assert_eq!(done["service_keys"]["dropped"][0]["id"], ids[0].as_str());
    assert_eq!(done["service_keys"]["kept"].as_array().unwrap().len(), 0);
    assert_eq!((&done["users"]["total"], &done["users"]["disabled"]), (&2.into(), &1.into()));
    assert!(done["newest_record"].as_str().unwrap().ends_with('Z'), "{done}");
    for what in ["registrations", "deletions", "disabled", "passwords", "service_keys"] {
        assert!(strings(&done["unknown_since"]).contains(&what.to_owned()), "{what} in {done}");
    }
}

#[test]
fn keys_are_made_under_the_master_key_of_the_copy_alone() {
    let place = Place::new();
    let server = place.serve();
    Session::register(&server.client, "ada", "Phone");
    server.stop();
    let right = std::fs::read(place.master_key()).unwrap();
    std::fs::remove_file(place.master_key()).unwrap();
    place.run("store restored --yes").assert_failed(&["master key file", "missing"]);
    place.run("key master rescind-data.key").ok();
    place.run("store restored --yes").assert_failed(&["the signing keys do not open", "master key file"]);
    std::fs::write(place.master_key(), right).unwrap();
    place.run("store restored --yes").ok();
    Session::login(&place.serve().client, "ada", "Phone");
}

fn results(place: &Place, command: &str) -> Vec<Value> {
    place.run(command).json()["results"].as_array().unwrap().clone()
}

fn text(field: &str) -> impl Fn(&Value) -> String {
    move |record| record[field].as_str().unwrap().to_owned()
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// A token that was issued after the copy was made proves that the copy was restored.
#[test]
fn a_device_that_the_copy_has_never_heard_of_stops_every_check_until_rescind_store_restored() {
    let place = Place::new();
    let server = place.serve();
    let gone = Session::register(&server.client, "ada", "Phone");
    server.stop();
    copied(&place, "rescind-data", "copy");
    let server = place.serve();
    server.client.post("/api/v1/auth/logout-all", &gone.access, &serde_json::json!({})).ok();
    gone.assert_dead(&server.client, "signed_out_everywhere");
    server.stop();
    copied(&place, "copy", "rescind-data");
    let server = place.serve();
    // Of the same generation as in the copy, so nothing but the device is unknown.
    let newer = Session::login(&server.client, "ada", "Laptop");
    server.stop();
    copied(&place, "copy", "rescind-data");

    let server = place.serve();
    assert_eq!(server.client.get("/readyz", "").status, 200);
    assert_eq!(gone.me(&server.client).status, 200, "nothing shows yet what it lost");
    assert_eq!(newer.me(&server.client).problem(), "503 unavailable");
    server.stderr.wait_for_line("rescind store restored");
    server.stop();
    let doctor = place.run("doctor");
    assert!(doctor.out.contains("the store was rolled back") && doctor.code == Some(1), "{doctor:?}");
    place.run("store copy --to elsewhere").assert_failed(&["rescind store restored"]);
    let server = place.serve();
    for session in [&gone, &newer] {
        assert_eq!(session.me(&server.client).problem(), "503 unavailable");
        assert_eq!(session.refresh(&server.client).problem(), "503 unavailable");
    }
    assert_eq!(server.client.get("/readyz", "").problem(), "503 unavailable");
    server.stop();

    place.run("store restored --yes").ok();
    let server = place.serve();
    assert_eq!(server.client.get("/readyz", "").status, 200);
    Session::login(&server.client, "ada", "Phone").assert_alive(&server.client);
}

#[test]
fn a_script_has_to_say_yes_and_there_has_to_be_a_store_that_nobody_serves() {
    let place = Place::new();
    place.run("store restored --yes").assert_failed(&["there is no store", "rescind serve"]);
    let server = place.serve();
    place.run("store restored").assert_failed(&["--yes"]);
    place.run("store restored --yes").assert_failed(&["in use"]);
    Session::register(&server.client, "ada", "Phone").assert_alive(&server.client);
}

/// A command killed at any write leaves a whole store, also between the commit and its record, when the commit
/// witness has the old id.
#[test]
fn killed_anywhere_it_is_a_whole_store() {
    if !trace::is_here() {
        return;
    }
    let place = Place::new();
    place.serve().stop();
    for call in ["fdatasync", "pwrite64"] {
        for at in 1.. {
            let kill = format!("inject={call}:signal=KILL:when={at}");
            let strace =
                ["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &kill, RESCIND];
            let restored = ["store", "restored", "--yes", "--json"];
            let ran = run(place.program("strace", &[&strace[..], &restored].concat()), "");
            place.run("user list --json").ok();
            if ran.code.is_some() {
                assert!(ran.code == Some(0) && at > 2, "{at}: {ran:?}");
                break;
            }
        }
    }
}
