//! Signing out of one device. The client is leaving: any token that still proves which device it is suffices, and a
//! client whose storage is empty gets a plain answer.

use serde_json::{Value, json};

use crate::actors::Device;
use crate::answer::Answer;
use crate::service::Service;

const LOGOUT: &str = "/api/v1/auth/logout";

/// Signs out with the phone's bearer token and this body.
async fn with_body(phone: &Device<'_>, media: Option<&str>, body: &str) -> Answer {
    let ask = phone.post(LOGOUT);
    match media {
        Some(media) => ask.body(media, body).send().await,
        None => ask.send().await,
    }
}

#[tokio::test]
async fn signing_out_of_the_phone_ends_the_phone_only() {
    let service = Service::start().await;
    let (phone, mut laptop) = (service.phone("ada").await, service.laptop("ada").await);
    let body = json!({"refresh": phone.refresh});
    let answer = phone.post("/api/v1/auth/logout/").json(&body).send().await;
    insta::assert_snapshot!(answer.shown(), @r#"
    200 {
      "signed_out": 1
    }
    "#);
    phone.is_refused("signed_out").await;
    laptop.works().await;
}

#[tokio::test]
async fn no_body_an_empty_one_null_and_an_empty_object_mean_the_same() {
    let service = Service::start().await;
    let mut laptop = service.laptop("ada").await;
    let json = Some("application/json");
    for (media, body) in [
        (None, ""),
        (json, ""),
        (json, "null"),
        (json, "{}"),
        (json, r#"{"refresh":null}"#),
        (Some("application/json; charset=utf-8"), r#"{"refresh": null, "more": [1]}"#),
    ] {
        let phone = service.phone("ada").await;
        assert_eq!(with_body(&phone, media, body).await.ok(), json!({"signed_out": 1}), "{media:?} {body}");
        phone.is_refused("signed_out").await;
        // The second time the device is signed out already, and its bearer token still identifies it.
        assert_eq!(with_body(&phone, media, body).await.ok(), json!({"signed_out": 0}), "{media:?} {body}");
        let nobody = service.anonymous().post(LOGOUT);
        let nobody = if let Some(media) = media { nobody.body(media, body) } else { nobody };
        nobody.send().await.refused("token_missing");
    }
    laptop.works().await;
}

#[tokio::test]
async fn a_refresh_token_alone_is_enough() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    assert_eq!(service.anonymous().logout(&phone.refresh).await.ok(), json!({"signed_out": 1}));
    phone.is_refused("signed_out").await;
    assert_eq!(service.anonymous().logout(&phone.refresh).await.ok(), json!({"signed_out": 0}));
}

#[tokio::test]
async fn a_bad_bearer_does_not_keep_anyone_from_leaving() {
    let service = Service::start().await;
    let mut bearers = vec!["v4.public.nothing".to_owned(), "nonsense".to_owned()];
    let ended = service.laptop("ada").await;
    ended.logout().await.ok();
    bearers.push(ended.access);
    for bearer in bearers {
        let phone = service.phone("ada").await;
        let body = json!({"refresh": phone.refresh});
        let answer = service.anonymous().post(LOGOUT).bearer(&bearer).json(&body).send().await;
        assert_eq!(answer.ok(), json!({"signed_out": 1}), "{bearer}");
        phone.is_refused("signed_out").await;
    }
    let phone = service.phone("ada").await;
    service.pass(3600);
    assert_eq!(phone.logout().await.ok(), json!({"signed_out": 1}), "beside an expired bearer");
}

#[tokio::test]
async fn tokens_of_any_age_sign_their_device_out() {
    let service = Service::start().await;
    // An older refresh token than the newest.
    let mut phone = service.phone("ada").await;
    let old = phone.refresh.clone();
    phone.renew().await;
    service.pass(60);
    phone.renew().await;
    assert_eq!(service.anonymous().logout(&old).await.ok(), json!({"signed_out": 1}));
    phone.is_refused("signed_out").await;
    // An expired access token.
    let phone = service.phone("ada").await;
    service.pass(7200);
    assert_eq!(with_body(&phone, None, "").await.ok(), json!({"signed_out": 1}));
    phone.present_refresh().await.refused("signed_out");
    // An access token of an older generation.
    let phone = service.phone("ada").await;
    let others = phone.logout_others().await.ok();
    assert_eq!(with_body(&phone, None, "").await.ok(), json!({"signed_out": 1}));
    let newer = Device { access: others["access"].as_str().unwrap().to_owned(), ..phone };
    newer.is_refused("signed_out").await;
}

#[tokio::test]
async fn a_device_that_ran_out_is_signed_out_without_complaint() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    service.pass(31 * 24 * 3600);
    let answer = phone.logout().await.ok();
    assert!(answer["signed_out"].as_i64().is_some_and(|count| count <= 1));
    assert_eq!(phone.logout().await.ok(), json!({"signed_out": 0}));
}

#[tokio::test]
async fn tokens_of_another_generation_or_era_are_authentic_and_have_nothing_left_to_end() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    phone.logout_all().await.ok();
    assert_eq!(phone.logout().await.ok(), json!({"signed_out": 0}));
    let phone = service.phone("ada").await;
    service.operator().post("/api/v1/admin/everyone/logout").send().await.ok();
    assert_eq!(phone.logout().await.ok(), json!({"signed_out": 0}));
    assert_eq!(with_body(&phone, None, "").await.ok(), json!({"signed_out": 0}));
}

#[tokio::test]
async fn a_bearer_of_another_user_is_a_mistake_and_nobody_is_signed_out() {
    let service = Service::start().await;
    let (mut ada, mut bob) = (service.phone("ada").await, service.phone("bob").await);
    let body = json!({"refresh": ada.refresh});
    let answer = bob.post(LOGOUT).json(&body).send().await.refused("invalid_request");
    assert_eq!(answer.fields(), ["refresh other_user"]);
    ada.works().await;
    bob.works().await;
}

#[tokio::test]
async fn the_refresh_token_counts_when_the_bearer_is_of_another_device_of_the_user() {
    let service = Service::start().await;
    let (phone, mut laptop) = (service.phone("ada").await, service.laptop("ada").await);
    let body = json!({"refresh": phone.refresh});
    assert_eq!(laptop.post(LOGOUT).json(&body).send().await.ok(), json!({"signed_out": 1}));
    phone.is_refused("signed_out").await;
    laptop.works().await;
}

#[tokio::test]
async fn what_is_not_authentic_signs_nobody_out() {
    let service = Service::start().await;
    let mut phone = service.phone("ada").await;
    let body = json!({"refresh": "v4.local.nothing"});
    let post = || service.anonymous().post(LOGOUT);
    post().json(&body).send().await.refused("token_invalid");
    // A token of the other kind is not a refresh token.
    post().json(&json!({"refresh": phone.access})).send().await.refused("token_invalid");
    post().json(&json!({"refresh": ""})).send().await.refused("token_invalid");
    post().bearer(&phone.refresh).send().await.refused("token_invalid");
    for ask in [post(), post().bearer("v4.public.nothing")] {
        let mistyped = ask.json(&json!({"refresh": 17})).send().await.refused("invalid_request");
        assert_eq!(mistyped.fields(), ["refresh wrong_type"]);
    }
    post().form(&[("refresh", "v4.local.nothing")]).send().await.refused("token_invalid");
    post().body("text/plain", "refresh=").send().await.refused("unsupported_media_type");
    post().body("application/json", "{").send().await.refused("bad_json");
    phone.works().await;
}

/// Unreadable bodies that clients send because of their storages, forms and mistakes.
fn unreadable() -> Vec<(&'static str, String)> {
    let json = "application/json";
    let mut all: Vec<(&str, String)> =
        ["", "null", "undefined", "[object Object]", "v4.local.nothing", "v4.public.x"]
            .iter()
            .map(|refresh| (json, json!({"refresh": refresh}).to_string()))
            .collect();
    for body in
        [r#"{"refresh":17}"#, r#"{"refresh":[null]}"#, "[]", "17", r#""text""#, "{", "refresh=", "\u{0}"]
    {
        all.push((json, body.to_owned()));
    }
    all.push((json, format!(r#"{{"refresh":"{}"}}"#, "a".repeat(8 * 1024))));
    all.push((json, " ".repeat(16 * 1024 + 1)));
    all.push(("application/x-www-form-urlencoded", "refresh=v4.local.nothing".to_owned()));
    all.push(("text/plain", "bye".to_owned()));
    all.push(("multipart/form-data; boundary=x", "--x\r\n\r\nbye\r\n--x--".to_owned()));
    all.push(("nonsense", "{}".to_owned()));
    all
}

#[tokio::test]
async fn beside_an_authentic_bearer_no_body_keeps_anyone_from_leaving() {
    let service = Service::start().await;
    let mut laptop = service.laptop("ada").await;
    for (media, body) in unreadable() {
        let phone = service.phone("ada").await;
        let answer = with_body(&phone, Some(media), &body).await;
        assert_eq!(answer.ok(), json!({"signed_out": 1}), "{media}: {body}");
        phone.is_refused("signed_out").await;
        let answer = with_body(&phone, Some(media), &body).await;
        assert_eq!(answer.ok(), json!({"signed_out": 0}), "an ended bearer is authentic: {media}: {body}");
        laptop.works().await;
    }
    let phone = service.phone("ada").await;
    let coded = phone
        .post(LOGOUT)
        .header(poem::http::header::CONTENT_ENCODING, "gzip")
        .body("application/json", "{}");
    assert_eq!(coded.send().await.ok(), json!({"signed_out": 1}));
    let phone = service.phone("ada").await;
    service.pass(3600);
    let answer = with_body(&phone, Some("text/plain"), "bye").await;
    assert_eq!(answer.ok(), json!({"signed_out": 1}), "an expired bearer is authentic");
}

#[tokio::test]
async fn signing_out_everywhere_and_everywhere_else_take_any_body() {
    let service = Service::start().await;
    for (media, body) in unreadable() {
        let (phone, laptop) = (service.phone("ada").await, service.laptop("ada").await);
        let everywhere = |path: &str| phone.post(path).body(media, body.clone());
        everywhere("/api/v1/auth/logout-others").send().await.ok();
        laptop.is_refused("signed_out_everywhere").await;
        phone.me().await.refused("superseded");
        let phone = service.phone("ada").await;
        phone.post("/api/v1/auth/logout-all").body(media, body.clone()).send().await.ok();
        phone.is_refused("signed_out_everywhere").await;
    }
}

#[tokio::test]
async fn every_sign_out_takes_fields_it_does_not_know() {
    let service = Service::start().await;
    let more: Value = json!({"device": "phone", "all": true});
    for path in ["logout", "logout-all", "logout-others"] {
        for slash in ["", "/"] {
            let phone = service.phone("ada").await;
            phone.post(&format!("/api/v1/auth/{path}{slash}")).json(&more).send().await.ok();
        }
    }
}
