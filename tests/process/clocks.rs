//! Followers and issuers whose clocks are wrong: a clock decides about `exp`, so a follower that is more than a minute off
//! its issuer accepts nothing.

use std::process::{Command, Stdio};

use crate::guarded::Scene;
use crate::place::{Place, RESCIND, SERVE};
use crate::server::Server;
use crate::session::Session;
use crate::skipped::skipped;

/// Debian's, for whatever this machine is: the loader knows what `$LIB` is there.
const FAKETIME: &str = "/usr/$LIB/faketime/libfaketimeMT.so.1";

/// Whether clocks can be set for one process alone.
pub(crate) fn clocks_can_be_set() -> bool {
    let there = Command::new("faketime").arg("--version").stdout(Stdio::null()).status().is_ok();
    if !there {
        skipped("faketime is missing, so nothing shows what clocks do that are wrong");
    }
    there
}

/// This process takes the time to be other than it is by so much. Durations stay what they are.
pub(crate) fn off_by(command: &mut Command, offset: &str) {
    command.env("LD_PRELOAD", FAKETIME).env("FAKETIME", offset).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
}

/// A guard with such a clock.
fn guard(scene: &Scene, offset: &str) -> Server {
    let mut command = scene.guard_command(&[]);
    off_by(&mut command, offset);
    scene.place.start(command)
}

#[track_caller]
fn assert_refuses(guard: &Server, tokens: [&Session; 2]) {
    guard.stderr.wait_for_line("the clock here and the issuer's are more than a minute apart");
    for session in tokens {
        assert_eq!(guard.verdict(&session.access), "503 stale");
    }
    assert_eq!(guard.client.get("/readyz", "").status, 503);
}

#[test]
fn a_follower_that_is_90_seconds_off_accepts_nothing() {
    if !clocks_can_be_set() {
        return;
    }
    let scene = Scene::new(0);
    let (gone, good) = (
        Session::register(scene.client(), "ada", "Phone"),
        Session::register(scene.client(), "eve", "Phone"),
    );
    scene.sign_out(&gone);
    for offset in ["+90s", "-90s"] {
        assert_refuses(&guard(&scene, offset), [&gone, &good]);
    }
    for offset in ["+30s", "-30s"] {
        let guard = guard(&scene, offset);
        guard.assert_comes_to(&good.access, "204");
        assert_eq!(guard.verdict(&gone.access), "401 signed_out_everywhere");
    }
}

#[test]
fn an_issuer_that_is_90_seconds_off_is_not_believed() {
    if !clocks_can_be_set() {
        return;
    }
    for offset in ["+90s", "-90s"] {
        let place = Place::new();
        let mut serve = place.program(RESCIND, &SERVE);
        off_by(&mut serve, offset);
        let server = place.start(serve);
        let scene = Scene::of(place, server);
        let (gone, good) = (
            Session::register(scene.client(), "ada", "Phone"),
            Session::register(scene.client(), "eve", "Phone"),
        );
        scene.sign_out(&gone);
        assert_refuses(&scene.guard(&[]), [&gone, &good]);
        // One whose clock is wrong in the same way sees no difference.
        let guard = guard(&scene, offset);
        guard.assert_comes_to(&good.access, "204");
        assert_eq!(guard.verdict(&gone.access), "401 signed_out_everywhere");
    }
}
