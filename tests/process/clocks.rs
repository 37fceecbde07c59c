//! Followers and issuers with wrong clocks: `exp` is judged by the clock, so a follower whose clock differs by more
//! than a minute from its issuer's accepts no token.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::guarded::Scene;
use crate::place::{Place, RESCIND, SERVE};
use crate::server::Server;
use crate::session::Session;
use crate::skipped::skipped;

/// Debian's library for any architecture: the loader replaces `$LIB`.
const FAKETIME: &str = "/usr/$LIB/faketime/libfaketimeMT.so.1";

/// Whether the clock of a single process can be set on this machine.
pub(crate) fn clocks_can_be_set() -> bool {
    let there = Command::new("faketime").arg("--version").stdout(Stdio::null()).status().is_ok();
    if !there {
        skipped("faketime is missing, so nothing shows what clocks do that are wrong");
    }
    there
}

/// Starts the process with a wall clock that is off by `offset`. Durations are not affected.
pub(crate) fn off_by(command: &mut Command, offset: &str) {
    command.env("LD_PRELOAD", FAKETIME).env("FAKETIME", offset).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
}

/// The wall clock of one process, which can be set while it runs.
#[derive(Debug)]
pub(crate) struct Clock(PathBuf);

impl Clock {
    /// Gives the process a clock that is right at first, and reads its offset from this file.
    pub(crate) fn of(command: &mut Command, file: &Path) -> Self {
        let clock = Self(file.to_owned());
        clock.set("+0");
        command.env("LD_PRELOAD", FAKETIME).env("FAKETIME_TIMESTAMP_FILE", file);
        for switch in ["FAKETIME_DONT_FAKE_MONOTONIC", "FAKETIME_NO_CACHE", "FAKETIME_DISABLE_SHM"] {
            command.env(switch, "1");
        }
        clock
    }

    /// Sets the clock this number of seconds ahead (`+90`) or behind (`-90`).
    pub(crate) fn set(&self, offset: &str) {
        // The file is replaced atomically, since it is read at every use of the clock.
        let new = self.0.with_extension("new");
        std::fs::write(&new, format!("{offset}\n")).unwrap();
        std::fs::rename(new, &self.0).unwrap();
    }
}

/// A guard whose clock is off by `offset`.
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
        // A guard whose clock is wrong in the same way sees no difference.
        let guard = guard(&scene, offset);
        guard.assert_comes_to(&good.access, "204");
        assert_eq!(guard.verdict(&gone.access), "401 signed_out_everywhere");
    }
}

#[test]
fn serve_says_that_its_clock_is_behind_its_store() {
    if !clocks_can_be_set() {
        return;
    }
    let place = Place::new();
    let server = place.serve();
    Session::register(&server.client, "ada", "Phone");
    server.stop();
    let at = |offset: &str| {
        let mut serve = place.program(RESCIND, &SERVE);
        off_by(&mut serve, offset);
        place.start(serve).stop().stderr
    };
    let told = "the clock is behind the newest record of the store";
    assert!(at("-2h").contains(told));
    for fine in ["+2h", "+0"] {
        // The first server's records are dated ahead; a difference of less than a minute is accepted.
        assert!(!at(fine).contains(told), "{fine}");
    }
}

/// A machine's clock that is set wrong and corrected signs nobody out, and a guard that starts afterwards knows every
/// end.
#[test]
fn a_clock_that_jumps_and_comes_back_leaves_everything_as_it_was() {
    if !clocks_can_be_set() {
        return;
    }
    let place = Place::new();
    let mut serve = place.program(RESCIND, &SERVE);
    let clock = Clock::of(&mut serve, &place.path("clock"));
    let scene = Scene::of_server(place, serve);
    let (gone, good) = (
        Session::register(scene.client(), "ada", "Phone"),
        Session::register(scene.client(), "eve", "Phone"),
    );
    scene.sign_out(&gone);
    for offset in ["+4200", "+3456000", "-3600"] {
        clock.set(offset);
        assert_ne!(good.me(scene.client()).status, 500);
        let refreshed = good.refresh(scene.client());
        assert!(refreshed.status == 200 || refreshed.status == 503, "{offset}: {refreshed:?}");
        gone.assert_dead(scene.client(), "signed_out_everywhere");
        clock.set("+0");
    }
    let guard = scene.guard(&[]);
    guard.assert_comes_to(&Session::login(scene.client(), "eve", "Laptop").access, "204");
    assert_eq!(guard.verdict(&gone.access), "401 signed_out_everywhere");
    assert_eq!(good.me(scene.client()).status, 200);
}
