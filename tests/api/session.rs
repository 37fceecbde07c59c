//! Registering, signing in, staying signed in: the successful paths, as deployed clients use them.

use serde_json::json;

use crate::actors::PASSWORD;
use crate::service::Service;

#[tokio::test]
async fn registering_signs_in() {
    let service = Service::start().await;
    let body =
        json!({"username": "Ada", "password": PASSWORD, "device": {"name": "Ada's phone", "kind": "mobile"}});
    let answer = service.anonymous().post("/api/v1/auth/register").json(&body).send().await;
    insta::assert_snapshot!(answer.shown(), @r#"
    201 {
      "access": "[access]",
      "refresh": "[refresh]",
      "token_type": "Bearer",
      "expires_in": 900,
      "refresh_expires_in": 2592000,
      "device": {
        "id": "[uuid]",
        "name": "Ada's phone",
        "kind": "mobile",
        "current": true,
        "created_at": "2026-11-22T10:00:00Z",
        "expires_at": "2026-12-22T10:00:00Z"
      },
      "user": {
        "id": "[uuid]",
        "username": "Ada"
      }
    }
    "#);
}

#[tokio::test]
async fn signing_in_opens_a_device_of_its_own() {
    let service = Service::start().await;
    let mut phone = service.phone("ada").await;
    service.pass(5);
    let body = json!({"username": "ADA", "password": PASSWORD});
    let answer = phone.someone.post("/api/v1/auth/login/").json(&body).send().await;
    insta::assert_snapshot!(answer.shown(), @r#"
    200 {
      "access": "[access]",
      "refresh": "[refresh]",
      "token_type": "Bearer",
      "expires_in": 900,
      "refresh_expires_in": 2592000,
      "device": {
        "id": "[uuid]",
        "name": "Android app (okhttp)",
        "kind": "mobile",
        "current": true,
        "created_at": "2026-11-22T10:00:05Z",
        "expires_at": "2026-12-22T10:00:05Z"
      },
      "user": {
        "id": "[uuid]",
        "username": "ada"
      }
    }
    "#);
    assert_ne!(answer.json["device"]["id"], json!(phone.id));
    assert_eq!(answer.json["user"]["id"], json!(phone.user));
    phone.works().await;
}

#[tokio::test]
async fn who_am_i() {
    let service = Service::start().await;
    let laptop = service.laptop("ada").await;
    service.pass(30);
    let answer = laptop.get("/api/v1/auth/me/").send().await;
    insta::assert_snapshot!(answer.shown(), @r#"
    200 {
      "user": {
        "id": "[uuid]",
        "username": "ada"
      },
      "device": {
        "id": "[uuid]",
        "name": "Laptop",
        "kind": "desktop",
        "current": true,
        "created_at": "2026-11-22T10:00:00Z",
        "last_seen_at": "2026-11-22T10:00:00Z",
        "address": "198.51.100.20",
        "expires_at": "2026-12-22T10:00:00Z"
      }
    }
    "#);
}

#[tokio::test]
async fn every_operation_takes_a_trailing_slash_and_answers_the_same() {
    use crate::declared::operations;
    use crate::sample::Scene;
    for operation in operations() {
        let mut shown = Vec::new();
        for slash in ["", "/", "//"] {
            let service = Service::start().await;
            let scene = Scene::set(&service).await;
            let good = scene.good(operation);
            let path = format!("{}{slash}", good.target());
            let answer = good.at(&path).send().await;
            assert!(answer.status < 300, "{} {slash:?}: {} {}", operation.id, answer.status, answer.text);
            shown.push(answer.json.as_object().map(|fields| fields.keys().cloned().collect::<Vec<_>>()));
        }
        assert!(shown.iter().all(|fields| *fields == shown[0]), "{}: {shown:?}", operation.id);
    }
}

#[tokio::test]
async fn a_slash_never_redirects() {
    let service = Service::start().await;
    let answer = service.anonymous().get("/api/v1/auth/me/").send().await;
    answer.refused("token_missing");
}

#[tokio::test]
async fn what_the_client_leaves_out_is_read_from_its_user_agent() {
    let service = Service::start().await;
    service.phone("ada").await;
    for (user_agent, name, kind) in [
        ("okhttp/4.12.0", "Android app (okhttp)", "mobile"),
        ("Dart/3.5 (dart:io)", "Dart app", "mobile"),
        ("axios/1.7.2", "JavaScript app (axios)", "other"),
        ("curl/8.5.0", "curl", "other"),
        ("", "Unknown device", "other"),
    ] {
        let mut someone = service.anonymous();
        someone.user_agent = user_agent;
        let session = someone.login("ada", PASSWORD).await.ok();
        assert_eq!((&session["device"]["name"], &session["device"]["kind"]), (&json!(name), &json!(kind)));
    }
}

#[tokio::test]
async fn an_unknown_user_a_disabled_one_and_a_wrong_password_get_the_same_answer() {
    let service = Service::start().await;
    let (ada, bob) = (service.phone("ada").await, service.phone("bob").await);
    let disable = format!("/api/v1/admin/users/{}/disable", bob.user);
    service.operator().post(&disable).send().await.ok();
    let mut answers = Vec::new();
    for (name, password) in
        [("nobody", PASSWORD), ("bob", PASSWORD), ("ada", "not the right one"), ("", ""), ("ada", "")]
    {
        let mut answer = ada.someone.login(name, password).await.refused("wrong_credentials");
        answer.json["request_id"] = json!("-");
        answers.push(answer.json);
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
}

#[tokio::test]
async fn a_username_is_one_whatever_its_letters_look_like() {
    let service = Service::start().await;
    service.phone("Straße").await;
    for same in ["straße", "STRASSE", "Straße", "ｓｔｒａｓｓｅ"] {
        service.anonymous().login(same, PASSWORD).await.ok();
        service.anonymous().register(same, PASSWORD).await.refused("username_taken");
    }
}

#[tokio::test]
async fn registration_can_be_closed_to_all_but_the_operator() {
    let service = Service::with(&[("registration_open", "false")]).await;
    service.anonymous().register("ada", PASSWORD).await.refused("forbidden");
    let body = json!({"username": "ada", "password": PASSWORD});
    service.operator().post("/api/v1/admin/users").json(&body).send().await.ok();
    service.anonymous().login("ada", PASSWORD).await.ok();
}

#[tokio::test]
async fn a_password_is_hashed_anew_when_the_settings_change_and_still_fits() {
    let service = Service::start().await;
    service.phone("ada").await;
    let before = service.store.contents().await;
    let stronger = service.again(|settings| settings.argon2_iterations = 2).await;
    stronger.anonymous().login("ada", PASSWORD).await.ok();
    stronger.anonymous().login("ada", "not the right one").await.refused("wrong_credentials");
    service.anonymous().login("ada", PASSWORD).await.ok();
    assert_ne!(service.store.contents().await, before);
}

/// A step reads what it needs: the key set for the tokens in its answer, and the records that judge the caller.
#[tokio::test]
async fn a_session_is_opened_refreshed_and_ended_without_reading_the_store_again() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    service.stop_publishing();
    let client = service.anonymous();
    let before = service.store.reads();
    client.login("ada", PASSWORD).await.ok();
    assert_eq!(service.store.reads() - before, 1, "a sign-in reads the user");
    client.register("bob", PASSWORD).await.ok();
    assert_eq!(service.store.reads() - before, 1, "a registration reads nothing");
    client.refresh(&phone.refresh).await.ok();
    assert_eq!(service.store.reads() - before, 1, "a refresh reads nothing");
    client.refresh(&phone.access).await.refused("token_invalid");
    assert_eq!(service.store.reads() - before, 1, "what cannot be a refresh token is refused unread");
    phone.logout_all().await.ok();
    assert_eq!(service.store.reads() - before, 1, "a sign-out everywhere reads nothing");
}
