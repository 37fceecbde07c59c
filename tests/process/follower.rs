//! Followers behind a faulty network, a killed issuer, or stopped themselves: no ended token is accepted beyond the
//! bound, and no end is forgotten.

use std::fs;
use std::path::Path;
use std::time::Instant;

use rustix::process::Signal;

use crate::client::PATIENCE;
use crate::faulty_proxy::NetworkFault;
use crate::guarded::{BOUND, Scene};
use crate::session::Session;

fn behind(fault: NetworkFault) {
    let scene = Scene::new(3);
    let (gone, other) = (
        Session::register(scene.client(), "ada", "Phone"),
        Session::register(scene.client(), "eve", "Phone"),
    );
    scene.assert_everywhere(&gone, "204");
    scene.proxy.set(fault);
    let acknowledged = scene.sign_out(&gone);
    scene.assert_refused_past_the_bound(&gone, acknowledged);
    scene.proxy.set(NetworkFault::None);
    scene.assert_everywhere(&gone, "401 signed_out_everywhere");
    scene.assert_everywhere(&other, "204");
    scene.assert_everywhere(&Session::login(scene.client(), "ada", "Phone"), "204");
}

#[test]
fn a_good_connection() {
    behind(NetworkFault::None);
}

#[test]
fn a_connection_that_is_cut() {
    behind(NetworkFault::Cut);
}

#[test]
fn a_connection_that_delays() {
    behind(NetworkFault::Delay(BOUND * 3 / 2));
}

#[test]
fn a_connection_that_drops_frames() {
    behind(NetworkFault::DropFrames);
}

#[test]
fn a_connection_that_repeats_frames() {
    behind(NetworkFault::RepeatFrames);
}

#[test]
fn a_connection_that_swaps_frames() {
    behind(NetworkFault::SwapFrames);
}

#[test]
fn a_connection_that_alters_frames() {
    behind(NetworkFault::AlterFrames);
}

/// A later version of the issuer may send events that this follower does not know.
#[test]
fn what_is_not_known_is_passed_over() {
    let scene = Scene::new(1);
    let gone = Session::register(scene.client(), "ada", "Phone");
    scene.assert_everywhere(&gone, "204");
    scene.proxy.set(NetworkFault::AddEvents);
    scene.sign_out(&gone);
    scene.assert_everywhere(&gone, "401 signed_out_everywhere");
    let said = scene.guards[0].stderr.text();
    assert!(!said.contains("not authentic") && !said.contains("interrupted"), "{said}");
}

#[test]
fn a_connection_that_drops_answers() {
    behind(NetworkFault::DropPongs);
}

#[test]
fn a_connection_that_repeats_answers() {
    behind(NetworkFault::RepeatPongs);
}

#[test]
fn a_connection_that_alters_answers() {
    behind(NetworkFault::AlterPongs);
}

#[test]
fn a_connection_that_hides_what_ended() {
    behind(NetworkFault::Hide);
}

#[test]
fn a_connection_that_floods() {
    behind(NetworkFault::Flood);
}

#[test]
fn what_is_too_long_is_refused_without_being_kept() {
    /// The allowance in KiB: more than the longest frame and answer take, and less than a flood brings in a moment.
    const MORE_KIB: u64 = 8 << 10;
    let scene = Scene::new(1);
    let guard = &scene.guards[0];
    let session = Session::register(scene.client(), "ada", "Phone");
    guard.assert_comes_to(&session.access, "204");
    let before = guard.most_memory_kib();
    scene.proxy.set(NetworkFault::Flood);
    scene.sign_out(&session);
    guard.stderr.wait_for_line("it answered something that is not a frame: it is too long");
    guard.stderr.wait_for_line("it answered something that is not an answer to a ping");
    scene.proxy.wait_for_streams(3);
    let after = guard.most_memory_kib();
    assert!(after < before + MORE_KIB, "{before} KiB, then {after} KiB");
    scene.proxy.set(NetworkFault::None);
    guard.assert_comes_to(&session.access, "401 signed_out_everywhere");
}

/// Pongs still arrive, so only the head that they prove shows that the stream is dead. The follower opens it again
/// until entries arrive.
#[test]
fn a_stream_that_died_unnoticed_is_opened_again_and_again() {
    let scene = Scene::new(1);
    let gone = Session::register(scene.client(), "ada", "Phone");
    scene.assert_everywhere(&gone, "204");
    scene.proxy.set(NetworkFault::DropFrames);
    scene.sign_out(&gone);
    scene.proxy.wait_for_streams(4);
    scene.proxy.set(NetworkFault::None);
    scene.assert_everywhere(&gone, "401 signed_out_everywhere");
}

#[test]
fn an_issuer_that_is_killed_and_comes_back() {
    let mut scene = Scene::new(3);
    for round in 0..3 {
        let gone = Session::register(scene.client(), &format!("ada{round}"), "Phone");
        scene.assert_everywhere(&gone, "204");
        let acknowledged = scene.sign_out(&gone);
        scene.restart();
        scene.assert_refused_past_the_bound(&gone, acknowledged);
        scene.assert_everywhere(&gone, "401 signed_out_everywhere");
    }
}

#[test]
fn a_follower_that_sleeps() {
    let scene = Scene::new(1);
    let guard = &scene.guards[0];
    let gone = Session::register(scene.client(), "ada", "Phone");
    guard.assert_comes_to(&gone.access, "204");
    guard.signal(Signal::STOP);
    // The request is sent while the guard is suspended, so it is the first event after that.
    let asked = std::thread::scope(|scope| {
        let acknowledged = scene.sign_out(&gone);
        while acknowledged.elapsed() < BOUND * 2 {
            std::thread::yield_now();
        }
        let asked: Vec<_> = (0..8).map(|_| scope.spawn(|| guard.check(&gone.access).status)).collect();
        guard.signal(Signal::CONT);
        asked.into_iter().map(|asked| asked.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(!asked.contains(&204), "{asked:?}");
    guard.assert_comes_to(&gone.access, "401 signed_out_everywhere");
}

#[test]
fn a_follower_that_missed_entries_asks_for_all_of_them() {
    let scene = Scene::new(1);
    let users: Vec<_> =
        (0..4).map(|n| Session::register(scene.client(), &format!("ada{n}"), "Phone")).collect();
    scene.proxy.set(NetworkFault::DropFrames);
    scene.sign_out(&users[0]);
    scene.sign_out(&users[1]);
    scene.guards[0].stderr.wait_for_line("no longer proven");
    scene.proxy.set(NetworkFault::None);
    scene.sign_out(&users[2]);
    for user in &users[..3] {
        scene.assert_everywhere(user, "401 signed_out_everywhere");
    }
    scene.assert_everywhere(&users[3], "204");
}

#[test]
fn a_store_put_back_from_a_copy_alarms_and_brings_nothing_back() {
    let mut scene = Scene::new(2);
    let (gone, good) = (
        Session::register(scene.client(), "ada", "Phone"),
        Session::register(scene.client(), "eve", "Phone"),
    );
    scene.server.take().unwrap().stop();
    let (data, kept) = (scene.place.data(), scene.place.path("copy"));
    copy(&data, &kept);
    scene.start();
    scene.assert_everywhere(&good, "204");
    scene.sign_out(&gone);
    scene.assert_everywhere(&gone, "401 signed_out_everywhere");

    scene.server.take().unwrap().stop();
    fs::remove_dir_all(&data).unwrap();
    copy(&kept, &data);
    scene.start();
    let put_back = Instant::now();
    for guard in &scene.guards {
        guard.stderr.wait_for_line("the issuer's store lost what it had acknowledged");
    }
    while put_back.elapsed() < BOUND * 2 {
        for guard in &scene.guards {
            assert_eq!(guard.verdict(&gone.access), "401 signed_out_everywhere");
        }
    }
    scene.assert_everywhere(&good, "503 stale");
    // A guard that starts now knows nothing of the lost records, and follows the store as it is.
    let new = scene.guard(&[]);
    new.assert_ready();
    new.assert_comes_to(&good.access, "204");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_distrusted_key_ends_its_tokens_everywhere() {
    let scene = Scene::new(2);
    let before = Session::register(scene.client(), "ada", "Phone");
    scene.assert_everywhere(&before, "204");
    let keys = scene.place.run("key list --json").json();
    let is_signing = |key: &&serde_json::Value| key["purpose"] == "access" && key["state"] == "active";
    let kid = keys["results"].as_array().unwrap().iter().find(is_signing).unwrap()["kid"].clone();
    scene.place.run(&format!("key distrust {} --yes", kid.as_str().unwrap())).ok();
    let distrusted = Instant::now();
    scene.assert_everywhere(&before, "401 token_invalid");
    scene.assert_refused_past_the_bound(&before, distrusted);
    scene.assert_everywhere(&before.refreshed(scene.client()), "204");
}

#[test]
fn a_text_of_the_feed_is_no_token() {
    let scene = Scene::calm(1);
    let session = Session::register(scene.client(), "ada", "Phone");
    scene.sign_out(&session);
    let page = scene.client().get("/api/v1/revocations", &scene.key).ok();
    let frame = page["frame"].as_str().unwrap();
    assert_eq!(scene.guards[0].verdict(frame), "401 token_invalid");
    assert_eq!(scene.client().get("/api/v1/auth/me", frame).problem(), "401 token_invalid");
}

#[test]
fn a_removed_service_key_proves_nothing_any_more() {
    let scene = Scene::new(1);
    let good = Session::register(scene.client(), "ada", "Phone");
    scene.assert_everywhere(&good, "204");
    let keys = scene.place.run("service-key list --json").json();
    let id = keys["results"][0]["id"].as_str().unwrap().to_owned();
    scene.place.run(&format!("service-key remove {id}")).ok();
    scene.assert_everywhere(&good, "503 stale");
    scene.guards[0].stderr.wait_for_line("the service key is not one of this issuer");
}

#[test]
fn a_fence_waits_for_every_follower() {
    let scene = Scene::new(3);
    let gone = Session::register(scene.client(), "ada", "Phone");
    scene.assert_everywhere(&gone, "204");
    let path = "/api/v1/auth/logout-all?wait=30s";
    let answer = scene.client().post(path, &gone.access, &serde_json::json!({})).ok();
    assert_eq!(answer, serde_json::json!({"signed_out": 1, "generation": 2, "in_force": true}));
    for guard in &scene.guards {
        assert_eq!(guard.verdict(&gone.access), "401 signed_out_everywhere", "at once");
    }
    // A suspended guard delays the answer no longer than `wait`. The other guards have the same time, which is not
    // always enough.
    scene.guards[0].signal(Signal::STOP);
    // Only a service key gets the number of followers.
    let administrator = scene.place.service_key("admin");
    let path = "/api/v1/admin/users/ada/logout-all?wait=1s";
    let began = Instant::now();
    loop {
        let answer = scene.client().post(path, &administrator, &serde_json::json!({})).ok();
        assert_eq!((&answer["followers"], &answer["in_force"]), (&3.into(), &false.into()), "{answer}");
        if answer["confirmed"] == 2 {
            break;
        }
        assert!(began.elapsed() < PATIENCE && answer["confirmed"].as_u64() < Some(3), "{answer}");
    }
    scene.guards[0].signal(Signal::CONT);
}
