//! Each token gets one code from everybody: the service, to which it is presented, and a follower, which has the log only.
//! One table of situations. The Python package has the same one against its own follower.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::clocks::{Clock, clocks_can_be_set};
use crate::guarded::Scene;
use crate::place::{Place, RESCIND, SERVE};
use crate::server::Server;
use crate::session::{PASSWORD, Session};

const OTHER_PASSWORD: &str = "another long password";

/// A situation, an access token in it, and the code of the token; `live` if it is accepted.
type Row = (&'static str, String, &'static str);

/// Makes all situations. Each user is in one of them, so that all hold until the end.
struct Situations<'a> {
    scene: &'a Scene,
    rows: Vec<Row>,
}

impl Situations<'_> {
    fn add(&mut self, situation: &'static str, access: &str, code: &'static str) {
        self.rows.push((situation, access.to_owned(), code));
    }

    fn register(&self, name: &str) -> Session {
        Session::register(self.scene.client(), name, "Phone")
    }

    fn login(&self, name: &str) -> Session {
        Session::login(self.scene.client(), name, "Laptop")
    }

    fn post(&self, path: &str, session: &Session, body: &Value) -> Value {
        self.scene.client().post(&format!("/api/v1/auth/{path}"), &session.access, body).ok()
    }

    fn run(&self, line: &str) {
        self.scene.place.run(line).ok();
    }

    fn before_an_era(&mut self) {
        let ended = self.register("ended-before");
        self.post("logout-all", &ended, &json!({}));
        let disabled = self.register("disabled-before");
        self.run("user disable disabled-before");
        self.add("everyone was signed out", &self.register("before").access, "reset");
        self.add("signed out everywhere, then everyone was", &ended.access, "reset");
        self.add("disabled, then everyone was signed out", &disabled.access, "reset");
        self.run("everyone logout --yes");
        self.add("signed in after everyone was signed out", &self.login("before").access, "live");
    }

    fn of_devices(&mut self) {
        let (ended, other) = (self.register("ended"), self.login("ended"));
        self.post("logout", &ended, &json!({}));
        self.add("signed out", &ended.access, "signed_out");
        self.add("another device was signed out", &other.access, "live");
        let refreshed = self.register("refreshed");
        self.add("refreshed: the earlier token", &refreshed.access, "live");
        self.add("refreshed: the later one", &refreshed.refreshed(self.scene.client()).access, "live");
    }

    fn of_all_devices(&mut self) {
        let everywhere = self.register("everywhere");
        self.post("logout-all", &everywhere, &json!({}));
        self.add("signed out everywhere", &everywhere.access, "signed_out_everywhere");
        self.add("signed in again", &self.login("everywhere").access, "live");

        let (here, there) = (self.register("others"), self.login("others"));
        let newer = self.post("logout-others", &here, &json!({}));
        self.add("signed out everywhere else: here, before", &here.access, "superseded");
        self.add("signed out everywhere else: here, since", newer["access"].as_str().unwrap(), "live");
        self.add("signed out everywhere else: there", &there.access, "signed_out_everywhere");

        let deleted = self.register("deleted");
        self.post("delete-account", &deleted, &json!({ "password": PASSWORD }));
        self.add("deleted", &deleted.access, "signed_out_everywhere");
    }

    fn of_passwords(&mut self) {
        let (here, there) = (self.register("changed"), self.login("changed"));
        let newer = here.with_new_password(self.scene.client(), OTHER_PASSWORD);
        self.add("a new password: here, before", &here.access, "password_changed");
        self.add("a new password: here, since", &newer.access, "live");
        self.add("a new password: there", &there.access, "signed_out_everywhere");

        let here = self.register("changed-first");
        let newer = here.with_new_password(self.scene.client(), OTHER_PASSWORD);
        let newest = self.post("logout-others", &newer, &json!({}));
        self.add("a new password, then everywhere else: before", &here.access, "password_changed");
        self.add("a new password, then everywhere else: between", &newer.access, "superseded");
        self.add("both: since", newest["access"].as_str().unwrap(), "live");

        let replaced = self.register("replaced");
        self.scene.place.run_with("user password replaced --password-stdin", OTHER_PASSWORD).ok();
        self.add("an administrator set a password", &replaced.access, "signed_out_everywhere");
    }

    fn of_disabled_accounts(&mut self) {
        let (session, ended) = (self.register("disabled"), self.login("disabled"));
        self.post("logout", &ended, &json!({}));
        self.run("user disable disabled");
        self.add("disabled", &session.access, "user_disabled");
        self.add("signed out, then disabled", &ended.access, "user_disabled");

        let session = self.register("disabled-first");
        self.run("user disable disabled-first");
        self.scene.place.run_with("user password disabled-first --password-stdin", OTHER_PASSWORD).ok();
        self.add("disabled, then given a password", &session.access, "user_disabled");

        let before = self.register("enabled");
        self.run("user disable enabled");
        self.run("user enable enabled");
        self.add("enabled again: before", &before.access, "signed_out_everywhere");
        self.add("enabled again: since", &self.login("enabled").access, "live");

        let before = self.register("twice");
        self.run("user disable twice");
        self.run("user enable twice");
        let between = self.login("twice");
        self.run("user disable twice");
        self.add("disabled twice: before", &before.access, "user_disabled");
        self.add("disabled twice: between", &between.access, "user_disabled");

        let session = self.register("removed");
        self.run("user disable removed");
        self.run("user delete removed --yes");
        self.add("disabled, then deleted", &session.access, "signed_out_everywhere");
    }
}

fn code(status: u16, problem: impl FnOnce() -> String) -> String {
    if status < 300 { "live".to_owned() } else { problem().split(' ').next_back().unwrap().to_owned() }
}

/// Compares the codes of the service as bearer and by introspection, and of the guard.
#[track_caller]
fn assert_same(scene: &Scene, introspection: &str, guard: &Server, rows: &[Row]) {
    for (situation, access, expected) in rows {
        let said = scene.client().get("/api/v1/auth/me", access);
        assert_eq!(code(said.status, || said.problem()), *expected, "the service: {situation}");
        let body = format!("token={access}");
        let active = scene.client().form("/oauth/introspect", introspection, &body).ok()["active"].clone();
        assert_eq!(active, *expected == "live", "introspection: {situation}");
        let verdict = guard.verdict(access);
        let verdict = verdict.split(' ').next_back().unwrap().replace("204", "live");
        assert_eq!(verdict, *expected, "the guard: {situation}");
    }
}

#[test]
fn a_token_is_refused_with_the_same_code_by_everybody() {
    if !clocks_can_be_set() {
        return;
    }
    let place = Place::new();
    place.secrets.note(OTHER_PASSWORD);
    let mut serve = place.program(RESCIND, &SERVE);
    let clock = Clock::of(&mut serve, &place.path("clock"));
    let mut scene = Scene::of_server(place, serve);
    scene.bound = std::time::Duration::from_secs(10);
    let mut command = scene.guard_command(&[]);
    let guards_clock = Clock::of(&mut command, &scene.place.path("guards-clock"));
    let guard = scene.place.start(command);
    guard.assert_ready();
    let key = scene.place.run("service-key add asks --scope introspect --json").json();
    let introspection = key["key"].as_str().unwrap().to_owned();
    scene.place.secrets.note(&introspection);

    let mut situations = Situations { scene: &scene, rows: Vec::new() };
    situations.before_an_era();
    situations.of_devices();
    situations.of_all_devices();
    situations.of_passwords();
    situations.of_disabled_accounts();
    // The log is in order: who knows its last entry knows all.
    let (last, live) = (situations.register("last"), situations.register("live"));
    situations.post("logout", &last, &json!({}));
    guard.assert_comes_to(&last.access, "401 signed_out");
    let mut rows = situations.rows;
    assert_same(&scene, &introspection, &guard, &rows);

    // Then all of them expire, and the reasons that came first stay.
    clock.set("+1000");
    guards_clock.set("+1000");
    guard.assert_comes_to(&live.access, "401 token_expired");
    for (.., expected) in rows.iter_mut().filter(|(.., expected)| *expected == "live") {
        *expected = "token_expired";
    }
    assert_same(&scene, &introspection, &guard, &rows);
    let codes: BTreeSet<_> = rows.iter().map(|(.., code)| *code).collect();
    assert_eq!(codes.len(), 7, "each reason is there: {codes:?}");
}
