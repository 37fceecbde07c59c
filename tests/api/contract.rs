//! The document declares nothing that the service never sends: every answer that the document declares is provoked.
//! (That the service sends nothing undeclared is checked for every answer of every test.)

use std::time::Duration;

use poem::http::header;
use rescind::settings::Settings;
use serde_json::{Value, json};

use crate::actors::PASSWORD;
use crate::answer::Answer;
use crate::declared::{Operation, documents, operations};
use crate::sample::{Scene, Wants};
use crate::service::Service;
use crate::store::Mood;

const STRANGER: &str = "019aaa3c-52f0-7a31-9d0e-6c1f4b7a8e20";

/// Sends `operation` a request that must be answered with `status` and `code`.
async fn provoke(operation: &Operation, status: u16, code: &str) -> Answer {
    let service = Service::start().await;
    let mut scene = Scene::set(&service).await;
    end_the_phone(&mut scene, code).await;
    match status {
        200 if operation.id == "createUser" => {
            scene.good(operation).send().await;
            scene.good(operation).send().await
        }
        200..300 => scene.good(operation).send().await,
        304 => {
            let etag = scene.good(operation).send().await.header("etag").to_owned();
            scene.good(operation).header(header::IF_NONE_MATCH, &etag).send().await
        }
        401 | 403 if code != "wrong_credentials" => ask_without_right(&scene, operation, code).await,
        429 | 503 => ask_at_a_bad_time(&scene, operation, code).await,
        _ => ask_wrongly(&scene, operation, code).await,
    }
}

/// Ends the phone's tokens in the way that `code` names.
async fn end_the_phone(scene: &mut Scene<'_>, code: &str) {
    let operator = scene.service.operator();
    match code {
        "token_expired" => scene.service.pass(901),
        "superseded" => drop(scene.phone.logout_others().await.ok()),
        "password_changed" => {
            drop(scene.phone.change_password(PASSWORD, "staple engine tulip").await.ok());
        }
        "signed_out" => drop(scene.phone.logout().await.ok()),
        "signed_out_everywhere" => drop(scene.phone.logout_all().await.ok()),
        "reset" => drop(operator.post("/api/v1/admin/everyone/logout").send().await.ok()),
        "no_password" => {
            let body = json!({"username": "eve"});
            operator.post("/api/v1/admin/users").json(&body).send().await.ok();
            let open = operator.post("/api/v1/admin/users/eve/sessions").json(&json!({}));
            scene.phone.take(&open.send().await.ok());
        }
        "user_disabled" => drop(operator.post("/api/v1/admin/users/ada/disable").send().await.ok()),
        "refresh_reused" => {
            let old = scene.phone.refresh.clone();
            scene.phone.renew().await;
            scene.service.pass(60);
            scene.phone.renew().await;
            scene.phone.refresh = old;
        }
        _ => {}
    }
}

async fn ask_without_right(scene: &Scene<'_>, operation: &Operation, code: &str) -> Answer {
    let good = scene.good(operation);
    match (code, operation.id) {
        ("token_missing", "logout") => good.without_credential().json(&json!({})).send().await,
        ("token_missing", _) => good.without_credential().send().await,
        ("token_invalid", "refresh" | "logout") => {
            good.without_credential().json(&json!({"refresh": "v4.local.nothing"})).send().await
        }
        ("token_invalid", _) if operation.wants() == Wants::ServiceKey => {
            good.without_credential().bearer("nothing").send().await
        }
        ("token_invalid", _) => good.without_credential().bearer("v4.public.nothing").send().await,
        ("forbidden", "register") => {
            let closed = scene.service.again(|settings| settings.registration_open = false).await;
            good.on(&closed).send().await
        }
        ("forbidden", _) => {
            let other = if operation.is_of_the_feed() { "introspect" } else { "feed" };
            let key = scene.service.bearer_of_scopes(&[other]).await.credential.unwrap();
            good.without_credential().bearer(&key).send().await
        }
        // The phone's token was ended before, which provokes the code.
        _ => good.send().await,
    }
}

async fn ask_at_a_bad_time(scene: &Scene<'_>, operation: &Operation, code: &str) -> Answer {
    let (service, good) = (scene.service, scene.good(operation));
    match code {
        "rate_limited" if operation.is_of_the_feed() => {
            let crowded = service.again(|settings| settings.feed_streams_per_key = 0).await;
            good.on(&crowded).send().await
        }
        "overloaded" if operation.is_of_the_feed() => {
            let crowded = service.again(|settings| settings.feed_streams_max = 0).await;
            good.on(&crowded).send().await
        }
        "rate_limited" if operation.id == "logoutOthers" => {
            let never = service.again(|settings| settings.sign_outs_of_others_per_user = 0).await;
            good.on(&never).send().await
        }
        "rate_limited" => {
            let strict = service
                .again(|settings| {
                    (settings.sign_in_attempts_per_account, settings.registrations_per_address) = (1, 1);
                    settings.sign_in_attempts_per_device = 1;
                })
                .await;
            scene.good(operation).on(&strict).json(&failing(operation)).send().await;
            good.on(&strict).json(&failing(operation)).send().await
        }
        "overloaded" => {
            let none =
                |settings: &mut Settings| (settings.hashes_at_once, settings.hash_wait) = (0, Duration::ZERO);
            let busy = service.again(none).await;
            good.on(&busy).send().await
        }
        "timeout" => {
            let impatient = service.impatient().await;
            service.store.feel(Mood::Stalled);
            good.on(&impatient).send().await
        }
        _ => {
            service.store.fail();
            good.send().await
        }
    }
}

async fn ask_wrongly(scene: &Scene<'_>, operation: &Operation, code: &str) -> Answer {
    let good = scene.good(operation);
    // Beside a bearer token `logout` ignores a faulty body.
    let good = if operation.id == "logout" { good.without_credential() } else { good };
    let path = good.target().to_owned();
    let content = &operation.definition["requestBody"]["content"];
    let (json, form) =
        (!content["application/json"].is_null(), !content["application/x-www-form-urlencoded"].is_null());
    match code {
        "invalid_request" if json => good.json(&json!([])).send().await,
        "invalid_request" if form => good.form(&[("token", "")]).send().await,
        "invalid_request" if operation.inputs().contains("wait") => {
            good.at(&format!("{path}?wait=soon")).send().await
        }
        "invalid_request" => good.at(&format!("{path}?limit=0")).send().await,
        "bad_json" => good.body("application/json", "{").send().await,
        "too_large" => {
            let media = if json { "application/json" } else { "application/x-www-form-urlencoded" };
            good.body(media, " ".repeat(16 * 1024 + 1)).send().await
        }
        "unsupported_media_type" => good.body("text/plain", "{}").send().await,
        "not_found" => {
            let nobody = path.replace(&scene.laptop.id, STRANGER).replace(&scene.laptop.user, STRANGER);
            good.at(&nobody).send().await
        }
        "resnapshot" => good.at(&format!("{path}?since=4711")).send().await,
        "weak_password" => {
            let body = json!({
                "register": {"username": "grace", "password": "password1"},
                "changePassword": {"current_password": PASSWORD, "new_password": "password1"},
                "createUser": {"username": "grace", "password": "password1"},
            });
            good.json(&body[operation.id]).send().await
        }
        "username_taken" | "external_id_taken" if operation.id != "register" => {
            let taken = json!({"username": "taken", "external_id": "taken"});
            scene.administrator.post("/api/v1/admin/users").json(&taken).send().await.ok();
            let (name, id) = if code == "username_taken" { ("taken", "7") } else { ("eve", "taken") };
            good.json(&json!({"username": name, "external_id": id})).send().await
        }
        "username_taken" | "wrong_credentials" => good.json(&failing(operation)).send().await,
        other => panic!("nothing here provokes {other}"),
    }
}

/// A valid body that fails: the password is wrong, or the name is taken.
fn failing(operation: &Operation) -> Value {
    let all = json!({
        "login": {"username": "ada", "password": "not the right one"},
        "changePassword": {"current_password": "not the right one", "new_password": "staple engine tulip"},
        "deleteAccount": {"password": "not the right one"},
        "register": {"username": "ADA", "password": PASSWORD},
    });
    all[operation.id].clone()
}

/// Asserts that a problem matches the document: its advice, unless that refers the reader to `detail`, and its example.
fn is_as_told(operation: &Operation, code: &str, answer: &Answer) {
    let (status, sent) = (answer.status, &answer.json);
    let advice = operation.advice(status, code);
    let same = sent["detail"] == advice || advice.contains("`detail`");
    assert!(same, "{} {code} says {}, and the document {advice:?}", operation.id, sent["detail"]);
    let media = &operation.definition["responses"][status.to_string()]["content"]["application/problem+json"];
    let example = &media["example"];
    if example["code"] != code {
        return;
    }
    for field in ["type", "title", "status", "error"] {
        assert_eq!(sent[field], example[field], "{} {code} {field}", operation.id);
    }
    assert_eq!(example["detail"], advice, "{} {code}", operation.id);
    for error in example["errors"].as_array().into_iter().flatten() {
        let (field, inputs) = (error["field"].as_str().unwrap(), operation.inputs());
        // For an operation without inputs the error is an unknown field.
        assert!(
            inputs.contains(field) || (inputs.is_empty() && error["code"] == "unknown"),
            "{} {field}",
            operation.id
        );
        let known = rescind::http::code::FieldCode::ALL.iter().any(|known| error["code"] == known.as_str());
        assert!(known, "{} {error}", operation.id);
    }
}

async fn everything_declared_is_answered(tag: &str) {
    let of_tag = |operation: &&Operation| operation.definition["tags"][0] == tag;
    for operation in operations().iter().filter(of_tag) {
        for (status, code) in operation.answers() {
            let answer = provoke(operation, status, &code).await;
            assert_eq!(
                (answer.status, answer.code()),
                (status, code.as_str()),
                "{}: {}",
                operation.id,
                answer.text
            );
            if status >= 400 {
                is_as_told(operation, &code, &answer);
            }
        }
    }
}

#[tokio::test]
async fn everything_declared_of_sessions_is_answered() {
    everything_declared_is_answered("Sessions").await;
}

#[tokio::test]
async fn everything_declared_of_devices_is_answered() {
    everything_declared_is_answered("Devices").await;
}

#[tokio::test]
async fn everything_declared_of_administration_is_answered() {
    everything_declared_is_answered("Administration").await;
}

#[tokio::test]
async fn everything_declared_of_oauth_is_answered() {
    everything_declared_is_answered("OAuth").await;
}

#[tokio::test]
async fn everything_declared_of_the_service_is_answered() {
    everything_declared_is_answered("Service").await;
}

#[tokio::test]
async fn everything_declared_of_the_feed_is_answered() {
    everything_declared_is_answered("Feed").await;
}

#[test]
fn there_are_no_other_tags() {
    let tags = documents().iter().flat_map(|document| document["tags"].as_array().unwrap());
    let mut names: Vec<_> = tags.map(|tag| tag["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["Administration", "Devices", "Feed", "OAuth", "Service", "Sessions"]);
}

/// The credential that a test sends follows from the security schemes of an operation, which must agree with its
/// errors.
#[test]
fn what_an_operation_wants_follows_from_its_errors() {
    for operation in operations() {
        let codes: Vec<_> = operation.answers().into_iter().map(|(_, code)| code).collect();
        let says = |code: &str| codes.iter().any(|known| known == code);
        let (wants, missing, forbidden) = (operation.wants(), says("token_missing"), says("forbidden"));
        assert_eq!(wants != Wants::Nothing, missing, "{}", operation.id);
        assert_eq!(wants == Wants::ServiceKey, missing && forbidden, "{}", operation.id);
    }
}
