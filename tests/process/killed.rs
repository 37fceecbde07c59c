//! SIGKILL right after an answer, then a start on another port: everything acknowledged is still in force.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::client::{Client, Payload};
use crate::place::Place;
use crate::server::Server;
use crate::session::{PASSWORD, Session, credentials};

const NEW_PASSWORD: &str = "another horse entirely";

/// A user on two devices.
struct Scene {
    server: Option<Server>,
    settings: &'static [&'static str],
    place: Place,
    phone: Session,
    laptop: Session,
}

impl Scene {
    fn new() -> Self {
        Self::with(&[])
    }

    /// A scene in which every refresh with the newest token advances its device, without waiting a minute.
    fn advancing_at_every_refresh() -> Self {
        Self::with(&["--set", "refresh_grace=0s"])
    }

    fn with(settings: &'static [&'static str]) -> Self {
        let place = Place::new();
        let server = place.serve_with(settings);
        let phone = Session::register(&server.client, "ada", "Phone");
        let laptop = Session::login(&server.client, "ada", "Laptop");
        Self { server: Some(server), settings, place, phone, laptop }
    }

    fn client(&self) -> &Client {
        &self.server.as_ref().unwrap().client
    }

    fn post(&self, path: &str, bearer: &str, body: &Value) -> Value {
        self.client().post(&format!("/api/v1/{path}/"), bearer, body).ok()
    }

    /// Signs out over HTTP, and asserts how many devices that ended.
    #[track_caller]
    fn sign_out(&self, path: &str, bearer: &str, body: &Value, count: u64) {
        assert_eq!(self.post(path, bearer, body)["signed_out"], count);
    }

    /// Kills the server right after its last answer, and starts another one on another port.
    fn restart(&mut self) {
        let before = self.server.take().unwrap().kill();
        // Held meanwhile, so that the system cannot give it out again.
        let _taken = TcpListener::bind(&before);
        let server = self.place.serve_with(self.settings);
        assert_ne!(server.client.address, before);
        self.server = Some(server);
    }

    #[track_caller]
    fn assert_phone_dead_laptop_alive(&self) {
        self.phone.assert_dead(self.client(), "signed_out");
        self.laptop.assert_alive(self.client());
    }

    #[track_caller]
    fn assert_both_dead(&self, code: &str) {
        self.phone.assert_dead(self.client(), code);
        self.laptop.assert_dead(self.client(), code);
    }

    #[track_caller]
    fn assert_signing_in_works(&self) {
        Session::login(self.client(), "ada", "Tablet").assert_alive(self.client());
    }
}

#[test]
fn a_logout_with_the_refresh_token() {
    let mut scene = Scene::new();
    scene.sign_out("auth/logout", "", &json!({ "refresh": scene.phone.refresh }), 1);
    scene.restart();
    scene.assert_phone_dead_laptop_alive();
}

#[test]
fn a_logout_with_the_access_token() {
    let mut scene = Scene::new();
    scene.sign_out("auth/logout", &scene.phone.access, &json!({}), 1);
    scene.restart();
    scene.assert_phone_dead_laptop_alive();
}

#[test]
fn a_device_ended_from_another() {
    let mut scene = Scene::new();
    let path = format!("/api/v1/devices/{}", scene.phone.device);
    scene.client().send("DELETE", &path, &scene.laptop.access, Payload::None).unwrap().ok();
    scene.restart();
    scene.assert_phone_dead_laptop_alive();
}

#[test]
fn a_revoked_token() {
    let mut scene = Scene::new();
    scene.client().form("/oauth/revoke", "", &format!("token={}", scene.phone.refresh)).ok();
    scene.restart();
    scene.assert_phone_dead_laptop_alive();
}

#[test]
fn a_logout_all() {
    let mut scene = Scene::new();
    scene.sign_out("auth/logout-all", &scene.phone.access, &json!({}), 2);
    scene.restart();
    scene.assert_both_dead("signed_out_everywhere");
    scene.assert_signing_in_works();
}

#[test]
fn a_logout_others() {
    let mut scene = Scene::new();
    let answer = scene.post("auth/logout-others", &scene.laptop.access, &json!({}));
    let renewed = Session { access: answer["access"].as_str().unwrap().to_owned(), ..scene.laptop.clone() };
    scene.restart();
    scene.phone.assert_dead(scene.client(), "signed_out_everywhere");
    assert_eq!(scene.laptop.me(scene.client()).problem(), "401 superseded");
    renewed.assert_alive(scene.client());
}

#[test]
fn a_changed_password() {
    let mut scene = Scene::new();
    let change = json!({ "current_password": PASSWORD, "new_password": NEW_PASSWORD });
    let renewed = Session::of(&scene.post("auth/password", &scene.laptop.access, &change)["session"]);
    scene.restart();
    scene.phone.assert_dead(scene.client(), "signed_out_everywhere");
    assert_eq!(scene.laptop.refresh(scene.client()).problem(), "401 password_changed");
    renewed.assert_alive(scene.client());
    let old = scene.client().post("/api/v1/auth/login/", "", &credentials("ada", "Tablet"));
    assert_eq!(old.problem(), "401 wrong_credentials");
    let new = json!({ "username": "ada", "password": NEW_PASSWORD });
    Session::of(&scene.post("auth/login", "", &new)).assert_alive(scene.client());
}

#[test]
fn a_deleted_account() {
    let mut scene = Scene::new();
    scene.sign_out("auth/delete-account", &scene.phone.access, &json!({ "password": PASSWORD }), 2);
    scene.restart();
    for session in [&scene.phone, &scene.laptop] {
        assert_eq!(session.me(scene.client()).status, 401);
        assert_eq!(session.refresh(scene.client()).status, 401);
    }
    Session::register(scene.client(), "ada", "Phone").assert_alive(scene.client());
}

#[test]
fn an_administrators_logout_all() {
    let mut scene = Scene::new();
    let key = scene.place.service_key("admin");
    scene.sign_out("admin/users/ada/logout-all", &key, &json!({ "reason": "phone stolen" }), 2);
    scene.restart();
    scene.assert_both_dead("signed_out_everywhere");
    scene.assert_signing_in_works();
}

#[test]
fn a_device_ended_by_an_administrator() {
    let mut scene = Scene::new();
    let key = scene.place.service_key("admin");
    let path = format!("/api/v1/admin/users/ada/devices/{}", scene.phone.device);
    scene.client().send("DELETE", &path, &key, Payload::None).unwrap().ok();
    scene.restart();
    scene.assert_phone_dead_laptop_alive();
}

#[test]
fn a_password_set_by_an_operator() {
    let mut scene = Scene::new();
    scene.place.secrets.note(NEW_PASSWORD);
    scene.place.run_with("user password ada --password-stdin", NEW_PASSWORD).ok();
    scene.restart();
    scene.assert_both_dead("signed_out_everywhere");
}

#[test]
fn a_user_deleted_by_an_operator() {
    let mut scene = Scene::new();
    scene.place.run("user delete ada --yes").ok();
    scene.restart();
    for session in [&scene.phone, &scene.laptop] {
        assert_eq!((session.me(scene.client()).status, session.refresh(scene.client()).status), (401, 401));
    }
}

#[test]
fn a_disabled_user() {
    let mut scene = Scene::new();
    let key = scene.place.service_key("admin");
    scene.sign_out("admin/users/ada/disable", &key, &json!({}), 2);
    scene.restart();
    scene.assert_both_dead("user_disabled");
    let login = scene.client().post("/api/v1/auth/login/", "", &credentials("ada", "Tablet"));
    assert_eq!(login.problem(), "401 wrong_credentials");
}

#[test]
fn everyone_signed_out() {
    let mut scene = Scene::new();
    let key = scene.place.service_key("admin");
    scene.post("admin/everyone/logout", &key, &json!({}));
    scene.restart();
    scene.assert_both_dead("reset");
    scene.assert_signing_in_works();
}

#[test]
fn a_reused_refresh_token() {
    let mut scene = Scene::advancing_at_every_refresh();
    let newest = scene.phone.refreshed(scene.client()).refreshed(scene.client());
    assert_eq!(scene.phone.refresh(scene.client()).problem(), "401 refresh_reused");
    scene.restart();
    newest.assert_dead(scene.client(), "signed_out");
    scene.laptop.assert_alive(scene.client());
}

#[test]
fn a_registration_and_its_issuer() {
    let place = Place::new();
    let server = place.serve();
    let issuer = |client: &Client| client.get("/.well-known/paserk", "").ok()["issuer"].clone();
    let founded_as = issuer(&server.client);
    let phone = Session::register(&server.client, "ada", "Phone");
    let mut scene = Scene { server: Some(server), settings: &[], place, laptop: phone.clone(), phone };
    scene.restart();
    assert_eq!(issuer(scene.client()), founded_as);
    scene.phone.assert_alive(scene.client());
}

#[test]
fn a_sign_in() {
    let mut scene = Scene::new();
    let tablet = Session::login(scene.client(), "ada", "Tablet");
    scene.restart();
    tablet.assert_alive(scene.client());
}

#[test]
fn a_refresh() {
    let mut scene = Scene::advancing_at_every_refresh();
    let newest = (0..3).fold(scene.phone.clone(), |phone, _| phone.refreshed(scene.client()));
    scene.restart();
    // Had the rotations been lost, this token would be ahead of its device.
    newest.assert_alive(scene.client());
    assert_eq!(scene.phone.refresh(scene.client()).problem(), "401 refresh_reused");
}
