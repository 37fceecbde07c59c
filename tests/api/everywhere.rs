//! Sign-outs of many devices at once, and the code that each device gets.

use serde_json::json;

use crate::actors::PASSWORD;
use crate::answer::Answer;
use crate::service::Service;

const NEW: &str = "staple engine tulip";

#[tokio::test]
async fn signing_out_everywhere_ends_every_earlier_token_and_a_new_sign_in_works_at_once() {
    let service = Service::start().await;
    let mut phone = service.phone("ada").await;
    let earlier = phone.clone();
    phone.renew().await;
    let laptop = service.laptop("ada").await;
    let mut bob = service.phone("bob").await;
    let answer = laptop.post("/api/v1/auth/logout-all/").body("application/json", "").send().await;
    insta::assert_snapshot!(answer.shown(), @r#"
    200 {
      "signed_out": 2,
      "generation": 2
    }
    "#);
    for device in [&earlier, &phone, &laptop] {
        device.is_refused("signed_out_everywhere").await;
    }
    service.phone("ada").await.works().await;
    bob.works().await;
    laptop.logout_all().await.refused("signed_out_everywhere");
}

#[tokio::test]
async fn signing_out_everywhere_again_and_again_counts_the_devices_of_each_time() {
    let service = Service::start().await;
    for (round, devices) in [(2, 1), (3, 3), (4, 2)] {
        let mut last = service.phone("ada").await;
        for _ in 1..devices {
            last = service.laptop("ada").await;
        }
        assert_eq!(last.logout_all().await.ok(), json!({"signed_out": devices, "generation": round}));
    }
}

#[tokio::test]
async fn signing_the_others_out_leaves_the_caller_signed_in() {
    let service = Service::start().await;
    let (mut phone, laptop) = (service.phone("ada").await, service.laptop("ada").await);
    service.pass(300);
    let answer = phone.logout_others().await;
    insta::assert_snapshot!(answer.shown(), @r#"
    200 {
      "signed_out": 1,
      "generation": 2,
      "access": "[access]",
      "expires_in": 600
    }
    "#);
    laptop.is_refused("signed_out_everywhere").await;
    phone.me().await.refused("superseded");
    answer.json["access"].as_str().unwrap().clone_into(&mut phone.access);
    phone.works().await;
}

#[tokio::test]
async fn the_token_that_signing_the_others_out_gives_lives_no_longer_than_the_one_before() {
    let service = Service::start().await;
    let mut phone = service.phone("ada").await;
    service.pass(899);
    let answer = phone.logout_others().await.ok();
    assert_eq!(answer["expires_in"], 1);
    answer["access"].as_str().unwrap().clone_into(&mut phone.access);
    phone.me().await.ok();
    service.pass(1);
    phone.me().await.refused("token_expired");
    phone.works_after_renewal().await;
}

#[tokio::test]
async fn a_new_password_ends_the_others_and_the_callers_own_older_pairs() {
    let service = Service::start().await;
    let (mut phone, laptop) = (service.phone("ada").await, service.laptop("ada").await);
    let older = phone.clone();
    phone.renew().await;
    let before = phone.clone();
    let answer = phone.change_password(PASSWORD, NEW).await;
    insta::assert_snapshot!(answer.shown(), @r#"
    200 {
      "signed_out": 1,
      "session": {
        "access": "[access]",
        "refresh": "[refresh]",
        "token_type": "Bearer",
        "expires_in": 900,
        "refresh_expires_in": 2592000,
        "device": {
          "id": "[uuid]",
          "name": "Phone",
          "kind": "mobile",
          "current": true,
          "created_at": "2026-11-22T10:00:00Z",
          "expires_at": "2026-12-22T10:00:00Z"
        },
        "user": {
          "id": "[uuid]",
          "username": "ada"
        }
      }
    }
    "#);
    laptop.is_refused("signed_out_everywhere").await;
    for pair in [&older, &before] {
        pair.is_refused("password_changed").await;
    }
    phone.take(&answer.json["session"]);
    let changed = phone.clone();
    phone.take_access(&phone.logout_others().await.ok());
    changed.me().await.refused("superseded");
    before.is_refused("password_changed").await;
    phone.works().await;
    service.anonymous().login("ada", PASSWORD).await.refused("wrong_credentials");
    service.anonymous().login("ada", NEW).await.ok();
}

/// A token from before a change of the password, which a thief may hold, ends nothing.
#[tokio::test]
async fn a_token_from_before_a_password_change_signs_nobody_out() {
    let service = Service::start().await;
    let mut phone = service.phone("ada").await;
    let old = phone.clone();
    phone.take(&phone.change_password(PASSWORD, NEW).await.ok()["session"]);
    let nobody = json!({"signed_out": 0});
    assert_eq!(service.anonymous().logout(&old.refresh).await.ok(), nobody);
    assert_eq!(old.post("/api/v1/auth/logout").send().await.ok(), nobody);
    assert_eq!(old.logout().await.ok(), nobody);
    for token in [&old.access, &old.refresh] {
        let ask = service.anonymous().post("/oauth/revoke").form(&[("token", token)]);
        assert_eq!(ask.send().await.status, 200);
    }
    let body = json!({"current_password": PASSWORD, "new_password": "yet another tulip"});
    old.post("/api/v1/auth/password").json(&body).send().await.refused("password_changed");
    phone.works().await;
    // An older refresh token beside a valid bearer still signs out the device.
    let body = json!({"refresh": old.refresh});
    let answer = phone.post("/api/v1/auth/logout").json(&body).send().await.ok();
    assert_eq!(answer, json!({"signed_out": 1}));
    phone.is_refused("signed_out").await;
}

#[tokio::test]
async fn a_wrong_password_changes_nothing_and_signs_nobody_out() {
    let service = Service::start().await;
    let (mut phone, mut laptop) = (service.phone("ada").await, service.laptop("ada").await);
    let wrong = |answer: Answer| answer.refused_with(403, "wrong_credentials");
    let answer = wrong(phone.change_password("not the right one", NEW).await);
    assert_eq!(answer.header("www-authenticate"), "", "nobody is asked to authenticate");
    let body = json!({"password": "not the right one"});
    wrong(phone.post("/api/v1/auth/delete-account").json(&body).send().await);
    phone.works().await;
    laptop.works().await;
    service.anonymous().login("ada", PASSWORD).await.ok();
}

#[tokio::test]
async fn deleting_the_account_ends_everything_and_frees_the_name() {
    let service = Service::start().await;
    let (phone, laptop) = (service.phone("ada").await, service.laptop("ada").await);
    let ask = phone.post("/api/v1/auth/delete-account/").json(&json!({"password": PASSWORD}));
    let answer = ask.send().await;
    insta::assert_snapshot!(answer.shown(), @r#"
    200 {
      "signed_out": 2,
      "generation": 2
    }
    "#);
    phone.is_refused("signed_out_everywhere").await;
    laptop.is_refused("signed_out_everywhere").await;
    service.anonymous().login("ada", PASSWORD).await.refused("wrong_credentials");
    // The next user with the same name is another user.
    let mut next = service.phone("ada").await;
    assert_ne!(next.user, phone.user);
    next.works().await;
    phone.is_refused("signed_out_everywhere").await;
}

#[tokio::test]
async fn a_disabled_user_is_out_and_enabling_brings_no_token_back() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    let administrator = service.administrator().await;
    let change = async |verb: &str| {
        let path = format!("/api/v1/admin/users/{}/{verb}/", phone.user);
        administrator.post(&path).json(&json!({"reason": "ticket 4711"})).send().await
    };
    insta::assert_snapshot!(change("disable").await.shown(), @r#"
    200 {
      "signed_out": 1,
      "generation": 2
    }
    "#);
    phone.is_refused("user_disabled").await;
    service.anonymous().login("ada", PASSWORD).await.refused("wrong_credentials");
    insta::assert_snapshot!(change("enable").await.shown(), @r#"
    200 {
      "signed_out": 0,
      "generation": 3
    }
    "#);
    phone.is_refused("signed_out_everywhere").await;
    service.laptop("ada").await.works().await;
}

#[tokio::test]
async fn signing_everyone_out_resets_every_token_of_everyone() {
    let service = Service::start().await;
    let (ada, bob) = (service.phone("ada").await, service.laptop("bob").await);
    let body = json!({"reason": "drill"});
    let administrator = service.administrator().await;
    let answer = administrator.post("/api/v1/admin/everyone/logout/").json(&body).send().await;
    insta::assert_snapshot!(answer.shown(), @r#"
    200 {
      "era": 1795341601
    }
    "#);
    ada.is_refused("reset").await;
    bob.is_refused("reset").await;
    service.phone("ada").await.works().await;
    let again = administrator.post("/api/v1/admin/everyone/logout").send().await.ok();
    assert!(again["era"].as_i64() > answer.json["era"].as_i64());
    ada.is_refused("reset").await;
}

#[tokio::test]
async fn an_access_token_lives_to_the_second() {
    let service = Service::start().await;
    let mut phone = service.phone("ada").await;
    service.pass(899);
    phone.me().await.ok();
    service.pass(1);
    phone.me().await.refused("token_expired");
    phone.works_after_renewal().await;
}

#[tokio::test]
async fn no_token_outlives_its_device() {
    let service = Service::with(&[("device_lifetime", "1h"), ("device_idle", "1h")]).await;
    let mut phone = service.phone("ada").await;
    service.pass(3590);
    let session = phone.present_refresh().await.ok();
    assert_eq!((&session["expires_in"], &session["refresh_expires_in"]), (&json!(10), &json!(10)));
    phone.take(&session);
    service.pass(10);
    phone.me().await.refused("token_expired");
    // For its owner an expired device is signed out.
    phone.present_refresh().await.refused("signed_out");
}

/// The code is that of the first reason in the order of the verdict that applies.
#[tokio::test]
async fn reasons_are_told_in_their_order() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    service.pass(901);
    phone.me().await.refused("token_expired");
    phone.logout().await.ok();
    phone.me().await.refused("signed_out");
    service.laptop("ada").await.logout_all().await.ok();
    phone.me().await.refused("signed_out_everywhere");
    let operator = service.operator();
    operator.post(&format!("/api/v1/admin/users/{}/disable", phone.user)).send().await.ok();
    phone.me().await.refused("user_disabled");
    operator.post("/api/v1/admin/everyone/logout").send().await.ok();
    phone.me().await.refused("reset");
}
