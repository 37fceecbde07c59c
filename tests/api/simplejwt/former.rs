//! Refresh tokens that SimpleJWT gave out: exchanged for one device each, and for nothing once that has ended.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use poem::http::Method;
use rescind::model::external_id::ExternalId;
use rescind::model::ids::UserId;
use rescind::model::username::Username;
use rescind::model::verdict::Reason;
use rescind::store::queries::former_sessions::FindFormerEnd;
use rescind::store::steps::register::Register;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{BLACKLIST, ON, REFRESH, VERIFY, post};
use crate::actors::PASSWORD;
use crate::answer::Answer;
use crate::log;
use crate::service::{START, Service};

const KEY: &str = "django-insecure-0123456789abcdefghijklmnopqrstuvwxyz";
const DAY: i64 = 24 * 3600;

/// Signs claims as SimpleJWT does.
fn signed(header: &Value, claims: &Value, key: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn claims(jti: &str) -> Value {
    let (iat, exp) = (START.unix() - DAY, START.unix() + 60 * DAY);
    json!({"token_type": "refresh", "exp": exp, "iat": iat, "jti": jti, "user_id": "42"})
}

fn token(jti: &str) -> String {
    signed(&json!({"alg": "HS256", "typ": "JWT"}), &claims(jti), KEY)
}

/// A service that exchanges tokens for a month, without a user.
async fn empty(changes: &[(&str, &str)]) -> Service {
    let settings = [ON, ("simplejwt_signing_key", KEY), ("simplejwt_until", "2026-12-31")];
    Service::with(&[settings.as_slice(), changes].concat()).await
}

/// A service that exchanges tokens for a month, and the user `alice`, whose id in Django is 42.
async fn started(changes: &[(&str, &str)]) -> Service {
    let service = empty(changes).await;
    bring(&service, 42).await;
    service
}

/// Adds the user `alice` under this id.
async fn bring(service: &Service, id: u8) {
    let external_id = ExternalId::parse("42").ok();
    let (id, username) = (UserId::from_bytes([id; 16]), Username::parse("alice").unwrap());
    let request = Register { id, username, external_id, password: None, device: None, now: service.now() };
    service.store.run(request).await.unwrap();
}

async fn refresh(service: &Service, token: &str) -> Answer {
    post(&service.anonymous(), REFRESH, json!({ "refresh": token })).await
}

async fn verify(service: &Service, token: &str) -> Answer {
    post(&service.anonymous(), VERIFY, json!({ "token": token })).await
}

async fn blacklist(service: &Service, token: &str) -> Answer {
    post(&service.anonymous(), BLACKLIST, json!({ "refresh": token })).await
}

async fn device_of(service: &Service, answer: Answer) -> String {
    let access = answer.ok()["access"].as_str().unwrap().to_owned();
    let me = service.anonymous().get("/api/v1/auth/me").bearer(&access).send().await.ok();
    assert_eq!(me["user"]["username"], "alice");
    me["device"]["id"].as_str().unwrap().to_owned()
}

const BLACKLISTED: &str = r#"{"detail":"Token is blacklisted","code":"token_not_valid"}"#;
const INVALID: &str = r#"{"detail":"Token is invalid","code":"token_not_valid"}"#;

#[tokio::test]
async fn an_app_goes_on_with_the_token_it_has() {
    let service = started(&[]).await;
    let old = token("a");
    verify(&service, &old).await.ok();
    let answer = refresh(&service, &old).await;
    assert_eq!(answer.json.as_object().unwrap().keys().collect::<Vec<_>>(), ["access"]);
    let device = device_of(&service, answer).await;
    // A lost answer, a parallel request, and an app that stores none.
    for day in 0..20 {
        service.pass(u64::try_from(DAY).unwrap() * (day % 2));
        assert_eq!(device_of(&service, refresh(&service, &old).await).await, device);
    }
    let again = service.again(|_| {}).await;
    assert_eq!(device_of(&again, refresh(&again, &old).await).await, device, "after a restart");
    verify(&service, &old).await.ok();
    assert_ne!(device_of(&service, refresh(&service, &token("b")).await).await, device);
    blacklist(&service, &old).await.ok();
    for service in [&service, &again] {
        assert_eq!(refresh(service, &old).await.text, BLACKLISTED);
        assert_eq!(blacklist(service, &old).await.text, BLACKLISTED);
        assert_eq!(verify(service, &old).await.text, r#"{"non_field_errors":["Token is blacklisted"]}"#);
    }
}

#[tokio::test]
async fn a_token_that_was_taken_back_before_its_exchange_is_never_exchanged() {
    let service = started(&[]).await;
    blacklist(&service, &token("a")).await.ok();
    assert_eq!(refresh(&service, &token("a")).await.text, BLACKLISTED);
    let device = refresh(&service, &token("b")).await.ok();
    let bearer = device["access"].as_str().unwrap();
    service.anonymous().post("/api/v1/auth/logout-all").bearer(bearer).send().await.ok();
    for jti in ["b", "c"] {
        assert_eq!(refresh(&service, &token(jti)).await.text, BLACKLISTED, "everything was ended");
    }

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jtis");
    std::fs::write(&path, "x\nold\n").unwrap();
    let service = started(&[("simplejwt_blacklist_file", path.to_str().unwrap())]).await;
    for answer in [refresh(&service, &token("old")).await, blacklist(&service, &token("old")).await] {
        assert_eq!(answer.text, BLACKLISTED, "as Django had it");
    }
    refresh(&service, &token("new")).await.ok();
}

#[tokio::test]
async fn an_account_that_was_deleted_and_came_again_takes_no_token_of_before() {
    let service = started(&[]).await;
    let [used, unused] = ["a", "b"].map(token);
    refresh(&service, &used).await.ok();
    let admin = service.administrator().await;
    admin.ask(Method::DELETE, "/api/v1/admin/users/external_id:42").send().await.ok();
    bring(&service, 43).await;
    for token in [&used, &unused] {
        assert_eq!(refresh(&service, token).await.text, BLACKLISTED);
        assert!(verify(&service, token).await.text.contains("Token is blacklisted"));
    }
    // Also when the last day of the exchange is past: it may yet be made a later one.
    let late = started(&[]).await;
    late.pass(u64::try_from(39 * DAY).unwrap());
    let admin = late.administrator().await;
    admin.ask(Method::DELETE, "/api/v1/admin/users/external_id:42").send().await.ok();
    bring(&late, 43).await;
    let told = FindFormerEnd { user: UserId::from_bytes([43; 16]) };
    assert_eq!(late.store.read(told).await.unwrap(), Some(Reason::SignedOutEverywhere));
}

#[tokio::test]
async fn an_account_that_was_deleted_before_the_exchange_was_switched_on_takes_no_token_of_before() {
    let off = Service::with(&[ON]).await;
    bring(&off, 42).await;
    let admin = off.administrator().await;
    admin.ask(Method::DELETE, "/api/v1/admin/users/external_id:42").send().await.ok();
    bring(&off, 43).await;
    let on = switched_on(&off).await;
    assert_eq!(refresh(&on, &token("a")).await.text, BLACKLISTED);
}

#[tokio::test]
async fn the_next_user_with_an_external_id_takes_no_token_of_the_former_one() {
    let off = Service::with(&[ON]).await;
    bring(&off, 42).await;
    let bob = off.phone("bob").await;
    give_42_to_bob(&off).await;
    let on = switched_on(&off).await;
    for jti in ["a", "b"] {
        assert_eq!(refresh(&on, &token(jti)).await.text, BLACKLISTED);
        assert!(verify(&on, &token(jti)).await.text.contains("Token is blacklisted"));
        assert_eq!(blacklist(&on, &token(jti)).await.text, BLACKLISTED);
    }
    bob.me().await.ok();
}

#[tokio::test]
async fn a_session_that_goes_on_here_stays_with_its_user_when_the_external_id_moves() {
    let service = started(&[]).await;
    let device = device_of(&service, refresh(&service, &token("a")).await).await;
    let bob = service.phone("bob").await;
    give_42_to_bob(&service).await;
    assert_eq!(device_of(&service, refresh(&service, &token("a")).await).await, device);
    verify(&service, &token("a")).await.ok();
    blacklist(&service, &token("a")).await.ok();
    assert_eq!(refresh(&service, &token("a")).await.text, BLACKLISTED);
    assert_eq!(refresh(&service, &token("b")).await.text, BLACKLISTED, "one that was not continued");
    bob.me().await.ok();
}

async fn give_42_to_bob(service: &Service) {
    let admin = service.administrator().await;
    for (user, external_id) in [("alice", "43"), ("bob", "42")] {
        let path = format!("/api/v1/admin/users/{user}");
        admin.ask(Method::PATCH, &path).json(&json!({ "external_id": external_id })).send().await.ok();
    }
}

/// The same service, started anew with the exchange.
async fn switched_on(off: &Service) -> Service {
    let with = empty(&[]).await;
    off.again(|settings| {
        settings.simplejwt_signing_key.clone_from(&with.settings.simplejwt_signing_key);
        settings.simplejwt_until = with.settings.simplejwt_until;
    })
    .await
}

#[tokio::test]
async fn oauth_revoke_takes_a_token_back_before_and_after_its_exchange() {
    let service = started(&[]).await;
    let [exchanged, untouched] = ["a", "b"].map(token);
    let phone = device_of(&service, refresh(&service, &exchanged).await).await;
    let bob = service.phone("bob").await;
    let by_bob = bob.post("/oauth/revoke").form(&[("token", &exchanged)]).send().await;
    assert_eq!(by_bob.refused("invalid_request").fields(), ["token other_user"]);
    refresh(&service, &exchanged).await.ok();
    for token in [&exchanged, &untouched] {
        for _ in 0..2 {
            assert_eq!(service.anonymous().revoke(token).await.status, 200);
            assert_eq!(refresh(&service, token).await.text, BLACKLISTED);
        }
    }
    let path = "/api/v1/admin/users/alice/devices?ended=true";
    let ended = service.administrator().await.get(path).send().await.ok();
    let ended = ended["results"].as_array().unwrap();
    assert!(ended.iter().any(|device| device["id"] == *phone), "{ended:?}");
    // Nobody's: no error, as RFC 7009 has it, and nothing ends.
    let (header, key) = (json!({"alg": "HS256", "typ": "JWT"}), "another key");
    let forged = signed(&header, &claims("c"), key);
    assert_eq!(service.anonymous().revoke(&forged).await.status, 200);
    refresh(&service, &token("c")).await.ok();
}

#[tokio::test]
async fn a_token_from_before_a_password_change_on_its_device_is_of_no_use() {
    let service = empty(&[]).await;
    let alice = json!({"username": "alice", "external_id": "42", "password": PASSWORD});
    service.administrator().await.post("/api/v1/admin/users").json(&alice).send().await.ok();
    let old = token("a");
    let access = refresh(&service, &old).await.ok()["access"].as_str().unwrap().to_owned();
    verify(&service, &old).await.ok();
    let body = json!({"current_password": PASSWORD, "new_password": "another horse battery"});
    service.anonymous().post("/api/v1/auth/password").bearer(&access).json(&body).send().await.ok();
    assert_eq!(verify(&service, &old).await.text, r#"{"non_field_errors":["Token is blacklisted"]}"#);
    assert_eq!(refresh(&service, &old).await.text, BLACKLISTED);
}

#[tokio::test]
async fn what_simplejwt_did_not_sign_or_not_as_a_refresh_token_is_refused() {
    let service = started(&[]).await;
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let with = |change: &dyn Fn(&mut Value)| {
        let mut claims = claims("a");
        change(&mut claims);
        signed(&header, &claims, KEY)
    };
    let unsigned = {
        let token = signed(&json!({"alg": "none"}), &claims("a"), KEY);
        format!("{}.", token.rsplit_once('.').unwrap().0)
    };
    for (what, refused) in [
        ("none", unsigned),
        ("another algorithm", signed(&json!({"alg": "HS384"}), &claims("a"), KEY)),
        ("no jti", with(&|claims| drop(claims.as_object_mut().unwrap().remove("jti")))),
        ("nobody's", with(&|claims| claims["user_id"] = json!("43"))),
        ("no id", with(&|claims| claims["user_id"] = json!(" "))),
    ] {
        for answer in [
            refresh(&service, &refused).await,
            blacklist(&service, &refused).await,
            verify(&service, &refused).await,
        ] {
            assert_eq!((answer.status, answer.text.as_str()), (401, INVALID), "{what}");
        }
    }
    let expired = with(&|claims| claims["exp"] = json!(START.unix()));
    assert_eq!(refresh(&service, &expired).await.json["detail"], "Token is expired");
    let access = with(&|claims| claims["token_type"] = json!("access"));
    assert_eq!(refresh(&service, &access).await.json["detail"], "Token has wrong type");
    assert_eq!(verify(&service, &access).await.text, INVALID, "an access token of before is none");
    service.anonymous().get("/api/v1/auth/me").bearer(&access).send().await.refused("token_invalid");

    log::listen();
    for _ in 0..3 {
        assert_eq!(refresh(&service, &signed(&header, &claims("a"), "another key")).await.text, INVALID);
    }
    let told = log::text();
    assert_eq!(told.matches("not made with simplejwt_signing_key").count(), 1, "{told}");
    assert!(!told.contains(KEY), "{told}");
    assert_eq!(service.store.live_devices().await, 0);
}

#[tokio::test]
async fn the_exchange_ends_on_its_day_and_so_do_no_devices() {
    let service = started(&[]).await;
    let pair = service.anonymous().refresh(&token("a")).await.ok();
    service.pass(u64::try_from(39 * DAY).unwrap());
    let late = started(&[("simplejwt_until", "2026-11-22")]).await;
    for (service, jti) in [(&service, "a"), (&service, "b"), (&late, "a")] {
        assert_eq!(refresh(service, &token(jti)).await.text, INVALID);
    }
    // 39 days without a refresh are too many; a device that did refresh goes on.
    service.anonymous().refresh(pair["refresh"].as_str().unwrap()).await.refused("signed_out");
}

#[tokio::test]
async fn an_app_that_was_updated_goes_on_and_rotates() {
    let service = started(&[]).await;
    let session = service.anonymous().refresh(&token("a")).await.ok();
    assert_eq!(session["user"]["username"], "alice");
    service.pass(60);
    let next = service.anonymous().refresh(session["refresh"].as_str().unwrap()).await.ok();
    assert_eq!(next["device"]["id"], session["device"]["id"]);
    service.pass(60);
    let last = service.anonymous().refresh(next["refresh"].as_str().unwrap()).await.ok();
    service.anonymous().refresh(&token("a")).await.refused("refresh_reused");
    service.anonymous().refresh(last["refresh"].as_str().unwrap()).await.refused("signed_out");
    assert_eq!(service.anonymous().logout(&token("b")).await.ok(), json!({"signed_out": 1}));
    service.anonymous().refresh(&token("b")).await.refused("signed_out");
    service.anonymous().logout("eyJ.eyJ.x").await.refused("token_invalid");

    let rotating = started(&[("simplejwt_rotate", "true")]).await;
    let pair = refresh(&rotating, &token("a")).await.ok();
    assert_eq!(pair.as_object().unwrap().keys().collect::<Vec<_>>(), ["access", "refresh"]);
    rotating.pass(60);
    refresh(&rotating, pair["refresh"].as_str().unwrap()).await.ok();

    let off = Service::start().await;
    bring(&off, 42).await;
    off.anonymous().refresh(&token("a")).await.refused("token_invalid");
}
