//! The caller's devices: listed, named, renamed, ended.

use poem::http::Method;
use serde_json::json;

use crate::service::Service;

const DEVICES: &str = "/api/v1/devices";
const STRANGER: &str = "019aaa3c-52f0-7a31-9d0e-6c1f4b7a8e20";

#[tokio::test]
async fn my_devices_are_listed_in_order_of_sign_in() {
    let service = Service::start().await;
    let _phone = service.phone("ada").await;
    service.pass(60);
    let laptop = service.laptop("ada").await;
    service.phone("bob").await;
    let answer = laptop.get("/api/v1/devices/").send().await;
    insta::assert_snapshot!(answer.shown(), @r#"
    200 {
      "results": [
        {
          "id": "[uuid]",
          "name": "Phone",
          "kind": "mobile",
          "current": false,
          "created_at": "2026-11-22T10:00:00Z",
          "last_seen_at": "2026-11-22T10:00:00Z",
          "address": "192.0.2.10",
          "expires_at": "2026-12-22T10:00:00Z"
        },
        {
          "id": "[uuid]",
          "name": "Laptop",
          "kind": "desktop",
          "current": true,
          "created_at": "2026-11-22T10:01:00Z",
          "last_seen_at": "2026-11-22T10:01:00Z",
          "address": "198.51.100.20",
          "expires_at": "2026-12-22T10:01:00Z"
        }
      ]
    }
    "#);
}

#[tokio::test]
async fn a_list_is_read_a_page_at_a_time() {
    let service = Service::start().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        service.pass(1);
        ids.push(service.phone("ada").await.id);
    }
    let phone = service.phone("ada").await;
    ids.push(phone.id.clone());
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let page = phone.get(&format!("{DEVICES}?limit=4{after}")).send().await.ok();
        seen.extend(
            page["results"]
                .as_array()
                .unwrap()
                .iter()
                .map(|device| device["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    seen.sort();
    ids.sort();
    assert_eq!(seen, ids);
    for (query, fault) in [
        ("limit=0", "limit out_of_range"),
        ("limit=1001", "limit out_of_range"),
        ("limit=many", "limit invalid_format"),
        ("limit=-1", "limit invalid_format"),
        ("after=x", "after invalid_format"),
    ] {
        let answer = phone.get(&format!("{DEVICES}?{query}")).send().await.refused("invalid_request");
        assert_eq!(answer.fields(), [fault]);
    }
}

#[tokio::test]
async fn one_of_my_devices_is_shown_renamed_and_ended() {
    let service = Service::start().await;
    let (phone, mut laptop) = (service.phone("ada").await, service.laptop("ada").await);
    let path = format!("{DEVICES}/{}/", phone.id);
    insta::assert_snapshot!(laptop.get(&path).send().await.shown(), @r#"
    200 {
      "id": "[uuid]",
      "name": "Phone",
      "kind": "mobile",
      "current": false,
      "created_at": "2026-11-22T10:00:00Z",
      "last_seen_at": "2026-11-22T10:00:00Z",
      "address": "192.0.2.10",
      "expires_at": "2026-12-22T10:00:00Z"
    }
    "#);
    let renamed = laptop.ask(Method::PATCH, &path).json(&json!({"name": "  Ada's old phone "})).send().await;
    insta::assert_snapshot!(renamed.shown(), @r#"
    200 {
      "id": "[uuid]",
      "name": "Ada's old phone",
      "kind": "mobile",
      "current": false,
      "created_at": "2026-11-22T10:00:00Z",
      "last_seen_at": "2026-11-22T10:00:00Z",
      "address": "192.0.2.10",
      "expires_at": "2026-12-22T10:00:00Z"
    }
    "#);
    assert_eq!(phone.me().await.ok()["device"]["name"], "Ada's old phone");
    let end = || laptop.ask(Method::DELETE, &path);
    assert_eq!(end().send().await.ok(), json!({"signed_out": 1}));
    assert_eq!(end().send().await.ok(), json!({"signed_out": 0}));
    phone.is_refused("signed_out").await;
    laptop.get(&path).send().await.refused("not_found");
    laptop.ask(Method::PATCH, &path).json(&json!({"name": "x"})).send().await.refused("not_found");
    laptop.works().await;
}

/// Ids in upper case are accepted, since Swift prints them so.
#[tokio::test]
async fn ids_are_read_in_upper_case_and_written_in_lower() {
    let service = Service::start().await;
    let (phone, laptop) = (service.phone("ada").await, service.laptop("ada").await);
    let operator = service.operator();
    let upper = phone.id.to_uppercase();
    let path = format!("{DEVICES}/{upper}");
    assert_eq!(laptop.get(&path).send().await.ok()["id"], phone.id);
    let renamed = laptop.ask(Method::PATCH, &path).json(&json!({"name": "Old phone"})).send().await;
    assert_eq!(renamed.ok()["id"], phone.id);
    let listed = laptop.get(&format!("{DEVICES}?after={upper}")).send().await.ok();
    assert_eq!(listed["results"].as_array().unwrap().len(), 1);

    let user = format!("/api/v1/admin/users/{}", phone.user.to_uppercase());
    assert_eq!(operator.get(&user).send().await.ok()["id"], phone.user);
    let of_user = operator.get(&format!("{user}/devices?after={upper}")).send().await.ok();
    assert_eq!(of_user["results"].as_array().unwrap().len(), 1);
    let tablet = service.phone("ada").await;
    let end = operator.ask(Method::DELETE, &format!("{user}/devices/{}", tablet.id.to_uppercase()));
    assert_eq!(end.send().await.ok(), json!({"signed_out": 1}));
    tablet.is_refused("signed_out").await;

    let tool = service.administrator().await.credential.unwrap();
    let (id, _) = tool.strip_prefix("rescind_sk_").unwrap().split_once('_').unwrap();
    let remove = operator.ask(Method::DELETE, &format!("/operator/service-keys/{}", id.to_uppercase()));
    assert_eq!(remove.send().await.status, 200);
    service.anonymous().get(&user).bearer(&tool).send().await.refused("token_invalid");

    assert_eq!(laptop.ask(Method::DELETE, &path).send().await.ok(), json!({"signed_out": 1}));
    phone.is_refused("signed_out").await;
}

#[tokio::test]
async fn i_may_end_the_device_i_am_on() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    let path = format!("{DEVICES}/{}", phone.id);
    assert_eq!(phone.ask(Method::DELETE, &path).send().await.ok(), json!({"signed_out": 1}));
    phone.is_refused("signed_out").await;
}

#[tokio::test]
async fn a_strangers_device_is_not_there() {
    let service = Service::start().await;
    let (ada, mut bob) = (service.phone("ada").await, service.phone("bob").await);
    let before = service.store.contents().await;
    for id in [bob.id.as_str(), STRANGER, "nonsense", "..", "%00", "a b"] {
        let path = format!("{DEVICES}/{}", id.replace(' ', "%20"));
        let answers = [
            ada.get(&path).send().await,
            ada.ask(Method::PATCH, &path).json(&json!({"name": "mine"})).send().await,
            ada.ask(Method::DELETE, &path).send().await,
        ];
        for answer in answers {
            let answer = answer.refused("not_found");
            assert!(!answer.text.contains("bob") && !answer.text.contains(id), "{}", answer.text);
        }
    }
    assert_eq!(service.store.contents().await, before);
    bob.works().await;
}

#[tokio::test]
async fn the_least_recently_seen_device_gives_way_and_is_recorded_as_ended() {
    let service = Service::with(&[("devices_per_user", "2")]).await;
    let mut phone = service.phone("ada").await;
    service.pass(120);
    let laptop = service.laptop("ada").await;
    service.pass(120);
    phone.works().await;
    service.last_seen.write().await.unwrap();
    service.pass(120);
    service.phone("ada").await.works().await;
    phone.works().await;
    laptop.is_refused("signed_out").await;
    let ended = service.operator().get("/api/v1/admin/users/ada/devices?ended=true").send().await.ok();
    assert_eq!(
        (&ended["results"][0]["id"], &ended["results"][0]["ended_cause"]),
        (&json!(laptop.id), &json!("evicted"))
    );
}

#[tokio::test]
async fn when_and_from_where_a_device_was_seen_is_written_once_a_minute() {
    let service = Service::start().await;
    let mut phone = service.phone("ada").await;
    phone.someone.address = "203.0.113.77";
    let mut seen = Vec::new();
    for _ in 0..4 {
        service.pass(30);
        phone.me().await.ok();
        service.last_seen.write().await.unwrap();
        let device = phone.me().await.ok()["device"].clone();
        seen.push(format!(
            "{} {}",
            device["last_seen_at"].as_str().unwrap(),
            device["address"].as_str().unwrap()
        ));
    }
    insta::assert_snapshot!(seen.join("\n"), @r#"
    2026-11-22T10:00:00Z 192.0.2.10
    2026-11-22T10:01:00Z 203.0.113.77
    2026-11-22T10:01:00Z 203.0.113.77
    2026-11-22T10:02:00Z 203.0.113.77
    "#);
}
