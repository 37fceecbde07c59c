//! A store that was put back from a copy: what ended since is live in it, and only who is told can know.

use std::time::Instant;

use crate::guarded::{BOUND, Scene};
use crate::place::{Place, RESCIND, run};
use crate::session::Session;
use crate::trace;

/// As a backup does it.
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
    let said = scene.place.run("store restored --yes").ok();
    assert!(
        said.starts_with("it is a new store, ") && said.ends_with(": everyone is signed out\n"),
        "{said}"
    );
    scene.start();
    for session in [&gone, &other] {
        session.assert_dead(scene.client(), "reset");
        scene.assert_everywhere(session, "401 reset");
    }
    scene.assert_everywhere(&Session::login(scene.client(), "ada", "Phone"), "204");
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

/// Also between the commit and the note of it, where the witness knows the store by its old name.
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
