//! Bad input is answered with a clear problem, changes nothing, and is never quoted in the answer.

use poem::http::header;
use serde_json::{Value, json};

use crate::actors::PASSWORD;
use crate::declared::{Operation, is_sign_out, leaves, operations};
use crate::sample::{Scene, operation};
use crate::service::Service;

const LOGIN: &str = "/api/v1/auth/login";
/// A part of every bad value, which no answer may contain.
const MARK: &str = "hunter2";

#[tokio::test]
async fn every_body_is_held_to_its_size_type_and_form() {
    let service = Service::start().await;
    let scene = Scene::set(&service).await;
    let before = service.store.contents().await;
    let takes_a_body = |operation: &&Operation| operation.definition.get("requestBody").is_some();
    for operation in operations().iter().filter(takes_a_body).filter(|operation| !leaves(operation.id)) {
        let json = operation.definition["requestBody"]["content"].get("application/json").is_some();
        let media = if json { "application/json" } else { "application/x-www-form-urlencoded" };
        let large = format!("{MARK}{}", " ".repeat(16 * 1024));
        let answer = scene.good(operation).body(media, large).send().await.refused("too_large");
        assert_eq!(answer.status, 413);
        for wrong in ["text/plain", "application/xml", "application/jsonp", "multipart/form-data"] {
            let answer =
                scene.good(operation).body(wrong, MARK).send().await.refused("unsupported_media_type");
            assert_eq!(answer.status, 415);
            assert!(answer.json["detail"].as_str().unwrap().contains(media), "{}", answer.text);
        }
        for broken in ["{", "[1,", "{\"a\":}", "{'a': 1}", "\u{feff}{}", "nul", "{} {}"] {
            if json {
                let body = format!("\n{broken}");
                let answer = scene.good(operation).body(media, body).send().await.refused("bad_json");
                assert!(answer.json["detail"].as_str().unwrap().contains("line 2"), "{}", answer.text);
            }
        }
        for shape in [json!([MARK]), json!(MARK), json!(17), json!(true)] {
            if json {
                let answer = scene.good(operation).json(&shape).send().await.refused("invalid_request");
                assert!(!answer.text.contains(MARK), "{}", answer.text);
            }
        }
    }
    assert_eq!(service.store.contents().await, before);
}

#[tokio::test]
async fn a_body_of_exactly_sixteen_kibibytes_is_read() {
    let service = Service::start().await;
    service.phone("ada").await;
    let mut body = json!({"username": "ada", "password": PASSWORD}).to_string();
    body.push_str(&" ".repeat(16 * 1024 - body.len()));
    service.anonymous().post(LOGIN).body("application/json", body.clone()).send().await.ok();
    body.push(' ');
    service.anonymous().post(LOGIN).body("application/json", body).send().await.refused("too_large");
}

/// The service decompresses nothing, since a small body could become too large.
#[tokio::test]
async fn a_coded_body_is_refused_and_told_so() {
    let service = Service::start().await;
    let scene = Scene::set(&service).await;
    let with_body = |operation: &&Operation| operation.definition.get("requestBody").is_some();
    for operation in operations().iter().filter(with_body).filter(|operation| !is_sign_out(operation.id)) {
        for coding in ["gzip", "br", "deflate, gzip", "identity, gzip"] {
            let ask = scene.good(operation).header(header::CONTENT_ENCODING, coding);
            let answer = ask.send().await.refused("unsupported_media_type");
            assert_eq!(answer.status, 415);
            assert!(answer.text.contains("without `Content-Encoding`"), "{}", answer.text);
        }
    }
    let two_lines = scene.good(operation("login")).header(header::CONTENT_ENCODING, "identity");
    let two_lines = two_lines.header(header::CONTENT_ENCODING, "gzip");
    two_lines.send().await.refused("unsupported_media_type");
    let plain = scene.good(operation("login")).header(header::CONTENT_ENCODING, "identity");
    plain.send().await.ok();
}

/// Every operation but the sign-outs names the field that it does not know.
#[tokio::test]
async fn an_unknown_field_is_refused_by_name_except_by_sign_outs() {
    let service = Service::start().await;
    let mut strict = Vec::new();
    for operation in operations() {
        let content = &operation.definition["requestBody"]["content"];
        if content.get("application/json").is_none() {
            continue;
        }
        let scene_service = Service::start().await;
        let scene = Scene::set(&scene_service).await;
        let lenient = is_sign_out(operation.id);
        let body = json!({"surprise": MARK});
        let answer = scene.good(operation).json(&body).send().await;
        if lenient {
            answer.ok();
        } else {
            let answer = answer.refused("invalid_request");
            assert!(answer.fields().contains(&"surprise unknown".to_owned()), "{}", answer.text);
            assert!(!answer.text.contains(MARK), "{}", answer.text);
            strict.push(operation.id);
        }
    }
    strict.sort_unstable();
    assert_eq!(
        strict,
        [
            "changePassword",
            "createUser",
            "deleteAccount",
            "deleteUser",
            "disableUser",
            "enableUser",
            "login",
            "openSession",
            "ping",
            "refresh",
            "register",
            "renameDevice",
            "updateUser"
        ]
    );
    drop(service);
}

#[tokio::test]
async fn whatever_is_wrong_with_the_fields_is_told_at_once_and_by_name() {
    let service = Service::start().await;
    let ask = async |body: Value| {
        let answer = service.anonymous().post("/api/v1/auth/register").json(&body).send().await;
        let answer = answer.refused("invalid_request");
        assert!(!answer.text.contains(MARK), "{}", answer.text);
        let mut fields = answer.fields();
        fields.sort();
        fields.join(", ")
    };
    assert_eq!(ask(json!({})).await, "password required, username required");
    assert_eq!(
        ask(json!({"username": null, "password": 123})).await,
        "password wrong_type, username required"
    );
    assert_eq!(
        ask(json!({"username": [MARK], "password": {"a": MARK}})).await,
        "password wrong_type, username wrong_type"
    );
    let nested =
        json!({"username": "a", "password": PASSWORD, "device": {"name": 1, "kind": [], "colour": MARK}});
    assert_eq!(ask(nested).await, "device.colour unknown, device.kind wrong_type, device.name wrong_type");
    let device = json!({"username": "a", "password": PASSWORD, "device": {"kind": "Not A Word"}});
    assert_eq!(ask(device).await, "device.kind invalid_characters");
    let empty = json!({"username": "a", "password": PASSWORD, "device": {"kind": ""}});
    assert_eq!(ask(empty).await, "device.kind too_short");
}

#[tokio::test]
async fn usernames_that_are_none_are_refused_by_name() {
    let service = Service::start().await;
    for (name, code) in [
        ("", "too_short"),
        (&"n".repeat(151), "too_long"),
        ("a\u{0}b", "invalid_characters"),
        ("a\nb", "invalid_characters"),
        ("\u{202e}ada", "invalid_characters"),
        ("ada\u{2066}", "invalid_characters"),
    ] {
        let answer = service.anonymous().register(name, PASSWORD).await.refused("invalid_request");
        assert_eq!(answer.fields(), [format!("username {code}")], "{name:?}");
    }
    service.anonymous().register(&"n".repeat(150), PASSWORD).await.ok();
    service.anonymous().register("ж", PASSWORD).await.ok();
}

#[tokio::test]
async fn weak_passwords_are_refused_with_the_reason() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    for (password, code) in [
        ("seven77", "too_short"),
        ("password1", "too_common"),
        ("PASSWORD1", "too_common"),
        (&"é".repeat(129), "too_long"),
    ] {
        let answer = service.anonymous().register("grace", password).await.refused("weak_password");
        assert_eq!(answer.fields(), [format!("password {code}")]);
        assert!(!answer.text.contains(password), "{}", answer.text);
        let answer = phone.change_password(PASSWORD, password).await.refused("weak_password");
        assert_eq!(answer.fields(), [format!("new_password {code}")]);
    }
    let own_name =
        service.anonymous().register("grace-hopper", "Grace-Hopper").await.refused("weak_password");
    assert_eq!(own_name.fields(), ["password same_as_username"]);
    service.anonymous().register("long", &"é".repeat(128)).await.ok();
    service.anonymous().login("long", &"é".repeat(128)).await.ok();
    service.anonymous().login("long", &"é".repeat(127)).await.refused("wrong_credentials");
}

#[tokio::test]
async fn a_path_that_is_none_and_a_method_that_is_none_are_told_apart() {
    let service = Service::start().await;
    let anyone = service.anonymous();
    for path in
        ["/", "/api", "/api/v1/auth", "/api/v2/auth/me", "/api/v1/auth/me/x", "/operator/keys", "/wp-admin"]
    {
        anyone.get(path).send().await.refused("not_found");
    }
    let answer = anyone.get(LOGIN).send().await.refused("method_not_allowed");
    assert_eq!((answer.status, answer.header("allow")), (405, "POST"));
    let answer = anyone.post("/api/v1/devices/").send().await.refused("method_not_allowed");
    assert_eq!(answer.header("allow"), "GET, HEAD");
}

#[tokio::test]
async fn a_bad_body_beside_a_good_bearer_changes_and_deletes_nothing() {
    let service = Service::start().await;
    let scene = Scene::set(&service).await;
    for id in ["changePassword", "deleteAccount"] {
        scene.good(operation(id)).body("application/json", "{").send().await.refused("bad_json");
        scene.good(operation(id)).body("text/plain", "{}").send().await.refused("unsupported_media_type");
    }
    scene.phone.clone().works().await;
    scene.laptop.clone().works().await;
}
