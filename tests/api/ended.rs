//! **An ended token acts for nobody, changes nothing and reveals nothing**, at every operation of the document, for
//! every reason a token can have ended.

use serde_json::json;

use crate::actors::PASSWORD;
use crate::answer::Answer;
use crate::declared::{Operation, operations};
use crate::request::TestRequest;
use crate::sample::{Scene, Wants};
use crate::service::Service;

/// Whether the device of the ended tokens is still live, so that they can sign it out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum DeviceIs {
    Live,
    Ended,
}

/// Whether an operation signs a device out, which an ended token may still do while its device is live.
fn leaves(operation: &Operation) -> bool {
    matches!(operation.id, "logout" | "revoke")
}

/// Every way to present the phone's tokens in a request for `operation`.
fn presentations<'a>(scene: &Scene<'a>, operation: &Operation) -> Vec<(&'static str, TestRequest<'a>)> {
    let phone = &scene.phone;
    let good = || scene.good(operation).without_credential();
    let mut all = vec![
        ("access as bearer", good().bearer(&phone.access)),
        ("refresh as bearer", good().bearer(&phone.refresh)),
        ("access as password", good().basic("any", &phone.access)),
    ];
    match operation.id {
        // These operations act by a password in the body, which has to be wrong: a right one needs no bearer.
        "login" => {
            let wrong = json!({"username": "ada", "password": "not the right one"});
            all = all.into_iter().map(|(name, ask)| (name, ask.json(&wrong))).collect();
        }
        "register" => {
            let taken = json!({"username": "ada", "password": "not the right one"});
            all = all.into_iter().map(|(name, ask)| (name, ask.json(&taken))).collect();
        }
        "refresh" => {
            all = vec![
                ("refresh", good().json(&json!({"refresh": phone.refresh}))),
                ("access as refresh", good().json(&json!({"refresh": phone.access}))),
            ];
        }
        "logout" => all.push(("only a bearer", good().json(&json!({})).bearer(&phone.access))),
        "introspect" | "revoke" => {
            // Revocation acts by the token in the form.
            all.retain(|_| operation.id == "introspect");
            let ask = || scene.good(operation);
            all.push(("access in the form", ask().form(&[("token", &phone.access)])));
            all.push(("refresh in the form", ask().form(&[("token", &phone.refresh)])));
        }
        _ => {}
    }
    all
}

/// Asserts that an answer contains no data of the user.
fn reveals_nothing(scene: &Scene<'_>, operation: &Operation, answer: &Answer) {
    for secret in [&scene.phone.user, &scene.phone.id, &scene.laptop.id, &"ada".to_owned(), &"v4.".to_owned()]
    {
        assert!(!answer.text.contains(secret.as_str()), "{}: {}", operation.id, answer.text);
    }
}

async fn walk(scene: &Scene<'_>, code: &str, device: DeviceIs, refresh_lives: bool) {
    let before = scene.service.store.contents().await;
    let mut walked = 0;
    for operation in operations() {
        if leaves(operation) && device == DeviceIs::Live || operation.id == "refresh" && refresh_lives {
            continue;
        }
        for (how, ask) in presentations(scene, operation) {
            let answer = ask.send().await;
            let context = format!("{} with {how}: {} {}", operation.id, answer.status, answer.text);
            match (operation.wants(), operation.id) {
                (Wants::Bearer, "logout") => assert!(matches!(answer.status, 200 | 401), "{context}"),
                (Wants::Bearer, _) if how == "access as bearer" => {
                    assert_eq!((answer.status, answer.code()), (401, code), "{context}");
                }
                (Wants::ServiceKey, "introspect") if how.contains("form") => {
                    let refresh = how.contains("refresh") && refresh_lives;
                    assert!(refresh || answer.json == json!({"active": false}), "{context}");
                    continue;
                }
                (Wants::Bearer | Wants::ServiceKey, _) => {
                    assert_eq!((answer.status, answer.code()), (401, "token_invalid"), "{context}");
                }
                (Wants::Nothing, "refresh") => assert_eq!(answer.status, 401, "{context}"),
                (Wants::Nothing, _) => {}
            }
            if answer.json["signed_out"].is_number() {
                assert_eq!(answer.json, json!({"signed_out": 0}), "{context}");
            }
            reveals_nothing(scene, operation, &answer);
            assert_eq!(scene.service.store.contents().await, before, "{context} changed something");
            walked += 1;
        }
    }
    assert!(walked >= 70, "only {walked} requests walked");
}

#[tokio::test]
async fn after_the_device_signed_out() {
    let service = Service::start().await;
    let scene = Scene::set(&service).await;
    scene.phone.logout().await.ok();
    walk(&scene, "signed_out", DeviceIs::Ended, false).await;
}

#[tokio::test]
async fn after_the_user_signed_out_everywhere() {
    let service = Service::start().await;
    let scene = Scene::set(&service).await;
    scene.laptop.logout_all().await.ok();
    walk(&scene, "signed_out_everywhere", DeviceIs::Ended, false).await;
}

#[tokio::test]
async fn after_another_device_signed_the_others_out() {
    let service = Service::start().await;
    let scene = Scene::set(&service).await;
    scene.laptop.logout_others().await.ok();
    walk(&scene, "signed_out_everywhere", DeviceIs::Ended, false).await;
}

#[tokio::test]
async fn after_the_token_was_superseded() {
    let service = Service::start().await;
    let scene = Scene::set(&service).await;
    scene.phone.logout_others().await.ok();
    walk(&scene, "superseded", DeviceIs::Live, true).await;
}

/// The phone's tokens from before the change are refused, although the device stays signed in.
#[tokio::test]
async fn after_the_password_was_changed_on_the_device() {
    let service = Service::start().await;
    let scene = Scene::set(&service).await;
    scene.phone.change_password(PASSWORD, "staple engine tulip").await.ok();
    walk(&scene, "password_changed", DeviceIs::Ended, false).await;
}

#[tokio::test]
async fn after_the_token_expired() {
    let service = Service::start().await;
    let scene = Scene::set(&service).await;
    service.pass(900);
    walk(&scene, "token_expired", DeviceIs::Live, true).await;
}

#[tokio::test]
async fn after_the_device_ran_out() {
    let service = Service::start().await;
    let scene = Scene::set(&service).await;
    service.pass(30 * 24 * 3600);
    walk(&scene, "token_expired", DeviceIs::Live, false).await;
}

#[tokio::test]
async fn after_the_user_was_disabled() {
    let service = Service::start().await;
    let scene = Scene::set(&service).await;
    let disable = format!("/api/v1/admin/users/{}/disable", scene.phone.user);
    scene.administrator.post(&disable).send().await.ok();
    walk(&scene, "user_disabled", DeviceIs::Ended, false).await;
}

#[tokio::test]
async fn after_everyone_was_signed_out() {
    let service = Service::start().await;
    let scene = Scene::set(&service).await;
    scene.administrator.post("/api/v1/admin/everyone/logout").send().await.ok();
    walk(&scene, "reset", DeviceIs::Ended, false).await;
}

#[tokio::test]
async fn after_an_old_refresh_token_came_back() {
    let service = Service::start().await;
    let mut scene = Scene::set(&service).await;
    let stolen = service.thief(&scene.phone);
    scene.phone.renew().await;
    scene.service.pass(60);
    scene.phone.renew().await;
    stolen.present_refresh().await.refused("refresh_reused");
    walk(&scene, "signed_out", DeviceIs::Ended, false).await;
}
