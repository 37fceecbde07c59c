//! Users whom another system manages: added, changed, deleted and signed in by it.

use poem::http::Method;
use serde_json::{Value, json};

use crate::actors::{PASSWORD, Someone};
use crate::log;
use crate::service::Service;

const USERS: &str = "/api/v1/admin/users";
const NEW: &str = "staple engine tulip";
/// Not a complete hash.
const DAMAGED: &str = "pbkdf2_sha256$hunter2";

async fn create(who: &Someone<'_>, body: Value) -> Value {
    who.post(USERS).json(&body).send().await.ok()
}

async fn faults(who: &Someone<'_>, body: Value) -> Vec<String> {
    let answer = who.post(USERS).json(&body).send().await.refused("invalid_request");
    assert!(!answer.text.contains("hunter2"), "{}", answer.text);
    answer.fields()
}

async fn change(who: &Someone<'_>, user: &str, body: Value) -> Value {
    who.ask(Method::PATCH, &format!("{USERS}/{user}")).json(&body).send().await.ok()
}

/// The hash that the service made of a user's password.
async fn hash_of(service: &Service, name: &str) -> String {
    use rescind::store::queries::users::FindUserByName;
    let query = FindUserByName { name: name.to_owned() };
    let user = service.store.read(query).await.unwrap().unwrap();
    user.password.unwrap().as_str().to_owned()
}

#[tokio::test]
async fn a_user_of_another_system_is_added_once() {
    let service = Service::start().await;
    let administrator = service.administrator().await;
    let body = json!({"username": "ada", "external_id": "auth0|42"});
    let answer = administrator.post(USERS).json(&body).send().await;
    insta::assert_snapshot!(answer.shown(), @r#"
    201 {
      "id": "[uuid]",
      "username": "ada",
      "external_id": "auth0|42",
      "has_password": false,
      "created_at": "2026-11-22T10:00:00Z",
      "disabled": false,
      "live_devices": 0,
      "generation": 1
    }
    "#);
    for again in [body.clone(), json!({"username": "ADA", "external_id": "auth0|42", "password": PASSWORD})] {
        let again = administrator.post(USERS).json(&again).send().await;
        assert_eq!((again.status, &again.json), (200, &answer.json), "nothing is changed");
    }
    for (other, code) in [
        (json!({"username": "ada"}), "username_taken"),
        (json!({"username": "ada", "external_id": "43"}), "username_taken"),
        (json!({"username": "eve", "external_id": "auth0|42"}), "external_id_taken"),
    ] {
        assert_eq!(administrator.post(USERS).json(&other).send().await.refused(code).status, 409);
    }
    service.bearer_of_scopes(&["sessions"]).await.post(USERS).json(&body).send().await.refused("forbidden");
}

#[tokio::test]
async fn of_two_requests_at_once_one_adds_the_user() {
    let service = Service::start().await;
    let administrator = service.administrator().await;
    for round in 0..8 {
        let body =
            |name: &str| json!({"username": format!("{name}{round}"), "external_id": format!("{round}")});
        let ask = |name| administrator.post(USERS).json(&body(name)).send();
        let (one, same) = tokio::join!(ask("ada"), ask("ada"));
        let mut statuses = [one.status, same.status];
        statuses.sort_unstable();
        assert_eq!((statuses, &one.json["id"]), ([200, 201], &same.json["id"]));
        ask("eve").await.refused("external_id_taken");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_user_is_named_and_never_quoted() {
    let service = Service::start().await;
    let administrator = service.administrator().await;
    let long = "x".repeat(256);
    for (body, fault) in [
        (json!({"username": "external_id:42"}), "username reserved"),
        (json!({"username": "a", "external_id": ""}), "external_id too_short"),
        (json!({"username": "a", "external_id": long}), "external_id too_long"),
        (json!({"username": "a", "external_id": "hunter2 "}), "external_id invalid_characters"),
        (json!({"username": "a", "password_hash": DAMAGED}), "password_hash invalid_format"),
        (json!({"username": "a", "password_hash": "hunter2"}), "password_hash invalid_format"),
        (
            json!({"username": "a", "password_hash": "md5$a$5d41402abc4b2a76b9719d911017c592"}),
            "password_hash not_allowed",
        ),
        (json!({"username": "a", "password": NEW, "password_hash": DAMAGED}), "password_hash not_allowed"),
    ] {
        assert_eq!(faults(&administrator, body.clone()).await, [fault], "{body}");
    }
    administrator.get(&format!("{USERS}/a")).send().await.refused("not_found");
}

#[tokio::test]
async fn a_user_without_a_password_is_told_so_signed_in_and_looks_like_a_wrong_password_otherwise() {
    let service = Service::start().await;
    let (administrator, bridge) =
        (service.administrator().await, service.bearer_of_scopes(&["sessions"]).await);
    create(&administrator, json!({"username": "ada", "external_id": "42"})).await;
    let mut phone = service.phone("grace").await;
    let wrong = service.anonymous().login("grace", NEW).await.refused("wrong_credentials");
    let none = service.anonymous().login("ada", NEW).await.refused("wrong_credentials");
    assert_eq!(wrong.json["detail"], none.json["detail"]);

    let open = bridge.post(&format!("{USERS}/external_id:42/sessions")).json(&json!({}));
    phone.take(&open.send().await.ok());
    phone.change_password(PASSWORD, NEW).await.refused_with(403, "no_password");
    let delete = phone.post("/api/v1/auth/delete-account").json(&json!({"password": PASSWORD}));
    delete.send().await.refused_with(403, "no_password");
    phone.works().await;
    let answer = phone.me().await.ok();
    assert_eq!(answer["user"]["username"], "ada");
}

#[tokio::test]
async fn a_hash_of_a_password_lets_the_user_sign_in_and_ends_what_a_former_one_opened() {
    let service = Service::start().await;
    let administrator = service.administrator().await;
    let phone = service.phone("ada").await;
    let laptop = service.phone("grace").await;
    let hash = hash_of(&service, "grace").await;
    let added = create(&administrator, json!({"username": "eve", "password_hash": hash})).await;
    assert_eq!(added["has_password"], true);
    assert!(!added.to_string().contains(&hash));
    service.anonymous().login("eve", PASSWORD).await.ok();

    change(&administrator, "grace", json!({"password_hash": hash})).await;
    laptop.me().await.ok();
    let changed = change(&administrator, "ada", json!({"password_hash": hash})).await;
    assert_eq!(changed["live_devices"], 0);
    phone.is_refused("signed_out_everywhere").await;

    create(&administrator, json!({"username": "bob", "external_id": "42"})).await;
    let bridge = service.bearer_of_scopes(&["sessions"]).await;
    bridge.post(&format!("{USERS}/bob/sessions")).json(&json!({})).send().await.ok();
    let changed = change(&administrator, "bob", json!({"password_hash": hash})).await;
    assert_eq!(
        (&changed["live_devices"], &changed["has_password"]),
        (&json!(1), &json!(true)),
        "a first one"
    );
    service.anonymous().login("bob", PASSWORD).await.ok();
}

#[tokio::test]
async fn a_rename_keeps_the_id_and_the_devices() {
    let service = Service::start().await;
    let administrator = service.administrator().await;
    let mut phone = service.phone("ada").await;
    let user = phone.user.clone();
    let changed = change(&administrator, "ada", json!({"username": "Grace", "external_id": "42"})).await;
    assert_eq!((&changed["id"], &changed["username"]), (&json!(user), &json!("Grace")));
    phone.works().await;
    phone.renew().await;
    service.anonymous().login("ada", PASSWORD).await.refused("wrong_credentials");
    service.anonymous().login("grace", PASSWORD).await.ok();
    let kept = change(&administrator, "42", json!({"username": "grace"})).await;
    assert_eq!(kept["external_id"], "42", "what is left out stays");
    log::listen();
    let removed = change(&administrator, "external_id:42", json!({"external_id": null})).await;
    assert_eq!(removed.get("external_id"), None);
    administrator.get(&format!("{USERS}/external_id:42")).send().await.refused("not_found");
    let nothing = change(&administrator, "grace", json!({})).await;
    assert_eq!(nothing, removed);
    let events = log::events().into_iter().filter(|event| event["event"] == "user_changed");
    let recorded: Vec<_> = events.map(|event| (event["on"].clone(), event["by"].clone())).collect();
    let key = administrator.credential.as_deref().unwrap().split('_').nth(2).unwrap();
    let by = format!("service key {key} at {}", administrator.address);
    assert_eq!(recorded, [(json!(user), json!(by))], "a change that changes nothing is not recorded");
    service.phone("eve").await;
    let taken = administrator.ask(Method::PATCH, &format!("{USERS}/grace")).json(&json!({"username": "EVE"}));
    taken.send().await.refused("username_taken");
}

#[tokio::test]
async fn a_text_that_fits_two_users_is_refused_and_a_prefix_selects_one() {
    let service = Service::start().await;
    let administrator = service.administrator().await;
    let phone = service.phone("42").await;
    let other = create(&administrator, json!({"username": "ada", "external_id": "42"})).await;
    let get = |named: &str| administrator.get(&format!("{USERS}/{named}")).send();
    assert_eq!(get("42").await.refused("invalid_request").fields(), ["user ambiguous"]);
    assert_eq!(get("name:42").await.ok()["id"], json!(phone.user));
    assert_eq!(get("external_id:42").await.ok()["id"], other["id"]);
    let delete = administrator.ask(Method::DELETE, &format!("{USERS}/external_id:42"));
    assert_eq!(delete.send().await.ok()["signed_out"], 0);
    assert_eq!(get("42").await.ok()["id"], json!(phone.user));
    let again = create(&administrator, json!({"username": "ada", "external_id": "42"})).await;
    assert_ne!(again["id"], other["id"], "name and external id are free again");
}

#[tokio::test]
async fn the_system_that_signs_a_user_in_says_from_where_and_how() {
    let service = Service::start().await;
    let (administrator, bridge) =
        (service.administrator().await, service.bearer_of_scopes(&["sessions"]).await);
    create(&administrator, json!({"username": "ada", "external_id": "42"})).await;
    let open = |body: Value| bridge.post(&format!("{USERS}/external_id:42/sessions")).json(&body).send();
    let client = json!({"address": "::ffff:203.0.113.7", "user_agent": "okhttp/4.12"});
    let session = open(json!({"client": client, "amr": ["pwd", "otp"]})).await.ok();
    let list = administrator.get(&format!("{USERS}/ada/devices")).send().await.ok();
    let device = &list["results"][0];
    assert_eq!((&device["address"], &device["user_agent"]), (&json!("203.0.113.7"), &json!("okhttp/4.12")));
    assert_eq!(device["amr"], json!(["pwd", "otp"]));
    let server = service.resource_server().await;
    for token in ["access", "refresh"] {
        let told = server.introspect(session[token].as_str().unwrap()).await.ok();
        assert_eq!(told["amr"], json!(["pwd", "otp"]), "{token}");
    }
    let nine = vec!["pwd"; 9];
    for (body, fault) in [
        (json!({"client": {"address": "203.0.113.7:80"}}), "client.address invalid_format"),
        (json!({"client": {"address": "example.org"}}), "client.address invalid_format"),
        (json!({"client": {"user_agent": "x"}}), "client.address required"),
        (json!({"client": {"address": "::1", "user_agent": "a\nb"}}), "client.user_agent invalid_characters"),
        (json!({"client": {"address": "::1", "port": 1}}), "client.port unknown"),
        (json!({"amr": nine}), "amr too_long"),
        (json!({"amr": ["pwd", "x".repeat(33)]}), "amr[1] too_long"),
        (json!({"amr": [""]}), "amr[0] too_short"),
        (json!({"amr": ["a b"]}), "amr[0] invalid_characters"),
    ] {
        assert_eq!(open(body.clone()).await.refused("invalid_request").fields(), [fault], "{body}");
    }
    let one = administrator.get(&format!("{USERS}/ada/devices")).send().await.ok();
    assert_eq!(one["results"].as_array().unwrap().len(), 1);
}
