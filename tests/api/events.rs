//! The security events of the log: what each of them says, all of it, and which of them may be dropped in a flood of lines.

use poem::http::Method;
use serde_json::{Value, json};

use crate::actors::{Device, PASSWORD, Someone};
use crate::log;
use crate::service::Service;

const NEW: &str = "staple engine tulip";
const WRONG: &str = "not the right one";

/// The events that are logged while something is done, and what comes of that.
async fn heard<T>(done: impl Future<Output = T>) -> (Vec<Value>, T) {
    log::listen();
    let outcome = done.await;
    let mut events = log::events();
    for event in &mut events {
        let request_id = event.as_object_mut().unwrap().remove("request_id");
        assert!(request_id.is_some_and(|id| id.is_string()), "{event}");
    }
    (events, outcome)
}

/// What an event says that `who` caused.
fn caused(event: &str, who: &Someone<'_>) -> Value {
    json!({ "event": event, "address": who.address, "user_agent": who.user_agent, "kept": true })
}

/// What an event says that `device` caused, which happened to itself.
fn of(event: &str, device: &Device<'_>) -> Value {
    let mut line = caused(event, &device.someone);
    (line["user"], line["device"]) = (json!(device.user), json!(device.id));
    line
}

#[tokio::test]
async fn an_event_names_its_user_its_device_and_who_caused_it() {
    let service = Service::start().await;
    let (told, mut phone) = heard(service.phone("ada")).await;
    assert_eq!(told, [of("registered", &phone)]);
    let (told, laptop) = heard(service.laptop("ada")).await;
    assert_eq!(told, [of("signed_in", &laptop)]);

    let path = format!("/api/v1/devices/{}", laptop.id);
    let (told, _) = heard(phone.ask(Method::DELETE, &path).send()).await;
    let mut ended = of("device_signed_out", &phone);
    ended["device"] = json!(laptop.id);
    assert_eq!(told, [ended], "by one device, to another");
    let leaving = service.laptop("ada").await;
    assert_eq!(heard(leaving.logout()).await.0, [of("signed_out", &leaving)]);

    let (told, answer) = heard(phone.change_password(WRONG, NEW)).await;
    answer.refused_with(403, "wrong_credentials");
    assert_eq!(told, [of("password_refused", &phone)]);
    let (told, answer) = heard(phone.change_password(PASSWORD, NEW)).await;
    assert_eq!(told, [of("password_changed", &phone)]);
    phone.take(&answer.ok()["session"]);

    let (told, answer) = heard(phone.logout_others()).await;
    assert_eq!(told, [of("signed_out_elsewhere", &phone)]);
    phone.take_access(&answer.ok());
    assert_eq!(heard(phone.logout_all()).await.0, [of("signed_out_everywhere", &phone)]);

    let bob = service.phone("bob").await;
    let delete = bob.post("/api/v1/auth/delete-account").json(&json!({ "password": PASSWORD }));
    assert_eq!(heard(delete.send()).await.0, [of("account_deleted", &bob)]);
}

#[tokio::test]
async fn a_failed_sign_in_names_the_user_if_there_is_one_and_never_what_was_typed() {
    let service = Service::with(&[("sign_in_attempts_per_account", "1")]).await;
    let (phone, stranger) = (service.phone("ada").await, service.anonymous());
    let (told, answer) = heard(stranger.login("ada", WRONG)).await;
    answer.refused("wrong_credentials");
    let mut failed = caused("sign_in_failed", &stranger);
    failed["user"] = json!(phone.user);
    assert_eq!(told, [failed]);
    let (told, answer) = heard(stranger.login("typed-by-mistake", WRONG)).await;
    answer.refused("wrong_credentials");
    assert_eq!(told, [caused("sign_in_failed", &stranger)]);
    assert!(!log::text().contains("typed-by-mistake"));
}

/// Whoever is refused at no cost could otherwise make the log hold up everybody else.
#[tokio::test]
async fn what_costs_its_cause_nothing_may_be_dropped() {
    let service = Service::with(&[("sign_in_attempts_per_account", "1")]).await;
    service.phone("ada").await;
    let stranger = service.anonymous();
    let droppable = |event: &str| {
        let mut line = caused(event, &stranger);
        line["kept"] = json!(false);
        line
    };
    let (told, answer) = heard(stranger.login("no\u{0}name", WRONG)).await;
    answer.refused("wrong_credentials");
    assert_eq!(told, [droppable("sign_in_failed")]);
    stranger.login("ada", WRONG).await.refused("wrong_credentials");
    let (told, answer) = heard(stranger.login("ada", PASSWORD)).await;
    answer.refused("rate_limited");
    assert_eq!(told, [droppable("sign_in_limited")]);
    let ask = stranger.get("/api/v1/admin/users").bearer("rescind_sk_nothing");
    let (told, answer) = heard(ask.send()).await;
    answer.refused("token_invalid");
    assert_eq!(told, [droppable("service_key_refused")]);
}

#[tokio::test]
async fn what_an_administrator_does_is_told_with_whose_word_it_was_and_why() {
    let service = Service::start().await;
    let (phone, laptop) = (service.phone("ada").await, service.laptop("ada").await);
    let tool = service.bearer_of_scopes(&["admin", "sessions"]).await;
    let id = tool.credential.as_deref().unwrap().split('_').nth(2).unwrap();
    let by = format!("service key {id} at {}", tool.address);
    let user = format!("/api/v1/admin/users/{}", phone.user);
    let reason = json!({ "reason": "ticket 4711" });
    for (method, path, event, on) in [
        (Method::DELETE, format!("{user}/devices/{}", laptop.id), "device_ended", &*laptop.id),
        (Method::POST, format!("{user}/logout-all"), "user_signed_out", &phone.user),
        (Method::POST, format!("{user}/disable"), "user_disabled", &phone.user),
        (Method::POST, format!("{user}/enable"), "user_enabled", &phone.user),
        (Method::POST, "/api/v1/admin/everyone/logout".to_owned(), "everyone_signed_out", "everyone"),
    ] {
        let (told, answer) = heard(tool.ask(method, &path).json(&reason).send()).await;
        answer.ok();
        let line = json!({ "event": event, "on": on, "by": by, "reason": "ticket 4711", "kept": true });
        assert_eq!(told, [line]);
    }
    let body = json!({ "client": { "address": "203.0.113.7", "user_agent": "Kiosk/1" }, "amr": ["pwd"] });
    let (told, answer) = heard(tool.post(&format!("{user}/sessions")).json(&body).send()).await;
    let device = answer.ok()["device"]["id"].clone();
    let opened = json!({ "event": "session_opened", "on": phone.user, "by": by, "kept": true });
    let signed_in = json!({
        "event": "signed_in", "user": phone.user, "device": device, "address": "203.0.113.7",
        "user_agent": "Kiosk/1", "kept": true,
    });
    assert_eq!(told, [opened, signed_in], "with the address of the end user");
}

#[tokio::test]
async fn what_a_service_key_does_to_the_account_of_a_user_is_told_with_its_id() {
    let hash = |salt: &str| format!("pbkdf2_sha256$1000${salt}$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    let service = Service::start().await;
    let tool = service.administrator().await;
    let id = tool.credential.as_deref().unwrap().split('_').nth(2).unwrap();
    let by = format!("service key {id} at {}", tool.address);
    let account = json!({ "username": "ada", "external_id": "42" });
    let ask = tool.post("/api/v1/admin/users").json(&account);
    let (told, answer) = heard(ask.send()).await;
    let on = answer.ok()["id"].clone();
    let line = |event: &str| json!({ "event": event, "on": on, "by": by, "kept": true });
    assert_eq!(told, [line("user_added")]);

    let path = "/api/v1/admin/users/external_id:42";
    for (change, events) in [
        (json!({ "username": "grace" }), &["user_changed"][..]),
        (json!({ "password_hash": hash("one") }), &["user_changed", "password_replaced"]),
        (json!({ "username": "ada", "password_hash": hash("two") }), &["user_changed", "password_replaced"]),
        (json!({ "username": "ada", "password_hash": hash("two") }), &[]),
    ] {
        let (told, answer) = heard(tool.ask(Method::PATCH, path).json(&change).send()).await;
        answer.ok();
        assert_eq!(told, events.iter().map(|event| line(event)).collect::<Vec<_>>(), "{change}");
    }
    let delete = tool.ask(Method::DELETE, path).json(&json!({ "reason": "ticket 4711" }));
    let (told, answer) = heard(delete.send()).await;
    answer.ok();
    let mut deleted = line("user_deleted");
    deleted["reason"] = json!("ticket 4711");
    assert_eq!(told, [deleted]);

    let again = tool.post("/api/v1/admin/users").json(&json!({ "username": "bo", "password": PASSWORD }));
    let (told, answer) = heard(again.send()).await;
    let added = json!({ "event": "user_added", "on": answer.ok()["id"], "by": by, "kept": true });
    assert_eq!(told, [added], "also with a password");
}

#[tokio::test]
async fn what_the_operator_does_is_told_with_what_it_was_done_to() {
    let service = Service::start().await;
    let operator = service.operator();
    let does = async |method: Method, path: &str, body: Value| {
        let (told, answer) = heard(operator.ask(method, path).json(&body).send()).await;
        (told, answer.ok())
    };
    let line = |event: &str, on: &Value| json!({ "event": event, "on": on, "by": "operator", "kept": true });
    let with_reason = |event: &str, on: &Value| {
        let mut line = line(event, on);
        line["reason"] = json!("drill");
        line
    };
    let reason = json!({ "reason": "drill" });

    let account = json!({ "username": "ada", "password": PASSWORD });
    let (told, ada) = does(Method::POST, "/api/v1/admin/users", account).await;
    assert_eq!(told, [line("user_added", &ada["id"])]);
    let (told, _) = does(Method::POST, "/operator/users/ada/password", json!({ "password": NEW })).await;
    assert_eq!(told, [line("password_replaced", &ada["id"])]);
    let (told, _) = does(Method::DELETE, "/api/v1/admin/users/ada", reason.clone()).await;
    assert_eq!(told, [with_reason("user_deleted", &ada["id"])]);

    let (told, keys) = does(Method::POST, "/operator/keys/rotate", json!({})).await;
    assert_eq!(told, [line("keys_rotated", &json!(keys["version"].to_string()))]);
    let [first, second] = [0, 1].map(|at| &keys["results"][at]["kid"]);
    let path = |kid: &Value, what: &str| format!("/operator/keys/{}/{what}", kid.as_str().unwrap());
    let (told, _) = does(Method::POST, &path(first, "retire"), json!({})).await;
    assert_eq!(told, [line("key_retired", first)]);
    let (told, _) = does(Method::POST, &path(second, "distrust"), reason).await;
    assert_eq!(told, [with_reason("key_distrusted", second)]);

    let key = json!({ "name": "guard", "scopes": ["feed"] });
    let (told, key) = does(Method::POST, "/operator/service-keys", key).await;
    assert_eq!(told, [line("service_key_added", &key["id"])]);
    let path = format!("/operator/service-keys/{}", key["id"].as_str().unwrap());
    let (told, _) = does(Method::DELETE, &path, json!({})).await;
    assert_eq!(told, [line("service_key_removed", &key["id"])]);
}
