//! The signing keys: published, rotated, retired, distrusted.

use std::collections::BTreeSet;
use std::time::Duration;

use poem::http::header;
use serde_json::{Value, json};

use crate::actors::Device;
use crate::answer::Answer;
use crate::service::Service;

mod published;

const PASERK: &str = "/.well-known/paserk";

async fn published(service: &Service) -> Value {
    service.anonymous().get(PASERK).send().await.ok()
}

/// The id of the key in a token's footer.
fn kid(token: &str) -> String {
    use base64::Engine as _;
    let footer = token.rsplit('.').next().unwrap();
    let json = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(footer).unwrap();
    let footer: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(footer.as_object().unwrap().len(), 1);
    footer["kid"].as_str().unwrap().to_owned()
}

async fn change(service: &Service, what: &str) -> Value {
    service.operator().post(&format!("/operator/keys/{what}")).send().await.ok()
}

fn state(keys: &Value, kid: &str) -> String {
    let keys = keys.get("keys").or(keys.get("results")).unwrap().as_array().unwrap();
    let key = keys.iter().find(|key| key["kid"] == kid);
    key.map_or("gone", |key| key["state"].as_str().unwrap()).to_owned()
}

/// Sorts keys by purpose and state, for stable snapshots: the order of ids of the same age is random.
fn in_order(keys: &mut Value) {
    keys.as_array_mut().unwrap().sort_by_key(|key| format!("{}{}", key["purpose"], key["state"]));
}

#[tokio::test]
async fn the_next_key_is_published_before_it_is_used_and_rotation_ends_no_session() {
    let service = Service::start().await;
    let mut phone = service.phone("ada").await;
    let first = kid(&phone.access);
    let before = published(&service).await;
    let keys = change(&service, "rotate").await;
    assert_eq!(state(&keys, &first), "retired");
    phone.me().await.ok();
    phone.renew().await;
    let second = kid(&phone.access);
    assert_eq!(state(&before, &second), "next");
    assert_eq!(state(&published(&service).await, &second), "active");
    // A retired key is published until its last token has expired.
    let not_after = published(&service).await;
    let retired = not_after["keys"].as_array().unwrap().iter().find(|key| key["kid"] == first).unwrap();
    assert_eq!(retired["not_after"], "2026-11-22T11:00:00Z");
    service.pass(3600);
    phone.works_after_renewal().await;
    change(&service, "rotate").await;
    assert_eq!(state(&published(&service).await, &first), "gone");
    phone.works().await;
}

/// A device keeps the end it got: a shorter lifetime is for those that sign in from then on.
#[tokio::test]
async fn a_key_retired_under_a_shorter_device_lifetime_keeps_its_tokens() {
    let service = Service::with(&[("device_idle", "100d"), ("device_lifetime", "400d")]).await;
    let phone = service.phone("ada").await;
    let (hour, day) = (Duration::from_secs(60 * 60), Duration::from_secs(24 * 60 * 60));
    let shorter =
        service.again(|settings| (settings.device_idle, settings.device_lifetime) = (hour, day)).await;
    change(&shorter, "rotate").await;
    shorter.pass(99 * 24 * 60 * 60);
    // Each change drops the keys whose last token has expired.
    change(&shorter, "rotate").await;
    let mut phone = Device { someone: shorter.anonymous(), ..phone };
    phone.works_after_renewal().await;
}

#[tokio::test]
async fn a_retired_key_mints_nothing_more_and_its_tokens_live_on() {
    let service = Service::start().await;
    let mut phone = service.phone("ada").await;
    let first = kid(&phone.access);
    change(&service, &format!("{first}/retire")).await;
    assert_eq!(state(&published(&service).await, &first), "retired");
    phone.me().await.ok();
    phone.renew().await;
    assert_ne!(kid(&phone.access), first);
}

#[tokio::test]
async fn a_distrusted_key_ends_its_tokens_at_the_next_check() {
    let service = Service::start().await;
    let mut phone = service.phone("ada").await;
    let other_node = service.again(|_| {}).await;
    // Every node remembers the token as verified.
    phone.me().await.ok();
    phone.get("/api/v1/auth/me").on(&other_node).send().await.ok();
    let first = kid(&phone.access);
    change(&service, &format!("{first}/distrust")).await;
    phone.me().await.refused("token_invalid");
    phone.get("/api/v1/auth/me").on(&other_node).send().await.refused("token_invalid");
    assert_eq!(state(&published(&service).await, &first), "gone", "who takes every key it is given is safe");
    assert_eq!(published(&service).await["distrusted"], json!([first]));
    let listed = service.operator().get("/operator/keys").send().await.ok();
    assert_eq!(state(&listed, &first), "distrusted");
    // The refresh token is of another key: the user stays signed in.
    phone.works_after_renewal().await;
    assert_ne!(kid(&phone.access), first);
}

#[tokio::test]
async fn a_distrusted_refresh_key_ends_its_tokens_too() {
    let service = Service::start().await;
    let mut phone = service.phone("ada").await;
    let first = kid(&phone.refresh);
    assert!(first.starts_with("k4.lid."));
    change(&service, &format!("{first}/distrust")).await;
    phone.present_refresh().await.refused("token_invalid");
    service.phone("ada").await.works().await;
    service.anonymous().logout(&phone.refresh).await.refused("token_invalid");
    phone.me().await.ok();
    phone.logout().await.ok();
    phone.me().await.refused("signed_out");
    phone = service.laptop("ada").await;
    assert_ne!(kid(&phone.refresh), first);
}

/// A sign-out and a refresh do not ask for the key set's version first: their step finds out, and they start anew.
#[tokio::test]
async fn a_change_of_the_keys_on_another_node_counts_for_steps() {
    let service = Service::start().await;
    let other_node = service.again(|_| {}).await;
    let mut phone = service.phone("ada").await;
    change(&other_node, "rotate").await;
    phone.renew().await;
    change(&other_node, "rotate").await;
    phone.logout_all().await.ok();
    phone.is_refused("signed_out_everywhere").await;

    let laptop = service.laptop("ada").await;
    change(&other_node, &format!("{}/distrust", kid(&laptop.access))).await;
    laptop.logout_all().await.refused("token_invalid");
    change(&other_node, &format!("{}/distrust", kid(&laptop.refresh))).await;
    laptop.present_refresh().await.refused("token_invalid");
}

#[tokio::test]
async fn the_operator_lists_the_keys_and_nobody_else() {
    let service = Service::start().await;
    let mut answer = service.operator().get("/operator/keys").send().await;
    in_order(&mut answer.json["results"]);
    insta::assert_snapshot!(answer.shown(), @r#"
    200 {
      "version": 1,
      "results": [
        {
          "kid": "[kid]",
          "purpose": "access",
          "state": "active",
          "created_at": "2026-11-22T10:00:00Z"
        },
        {
          "kid": "[kid]",
          "purpose": "access",
          "state": "next",
          "created_at": "2026-11-22T10:00:00Z"
        },
        {
          "kid": "[kid]",
          "purpose": "refresh",
          "state": "active",
          "created_at": "2026-11-22T10:00:00Z"
        },
        {
          "kid": "[kid]",
          "purpose": "refresh",
          "state": "next",
          "created_at": "2026-11-22T10:00:00Z"
        }
      ]
    }
    "#);
    let unknown = format!("/operator/keys/k4.pid.{}/retire", "A".repeat(44));
    service.operator().post(&unknown).send().await.refused("not_found");
    service.operator().post("/operator/keys/nonsense/distrust").send().await.refused("not_found");
    service.administrator().await.get("/operator/keys").send().await.refused("not_found");
    service.anonymous().post("/operator/keys/rotate").send().await.refused("not_found");
}
