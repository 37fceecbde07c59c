//! Administration: users and their devices, with the reasons that administrators give.

use poem::http::Method;
use serde_json::{Value, json};

use crate::actors::{PASSWORD, Someone};
use crate::sample::operation;
use crate::service::Service;

const USERS: &str = "/api/v1/admin/users";

async fn devices(who: &Someone<'_>, user: &str, query: &str) -> Vec<Value> {
    let list = who.get(&format!("{USERS}/{user}/devices{query}")).send().await.ok();
    list["results"].as_array().unwrap().clone()
}

#[tokio::test]
async fn users_are_listed_by_name_a_page_at_a_time() {
    let service = Service::start().await;
    let administrator = service.administrator().await;
    for name in ["Carol", "ada", "Bob"] {
        service.phone(name).await;
    }
    service.laptop("ada").await;
    let answer = administrator.get(&format!("{USERS}/?limit=1")).send().await;
    insta::assert_snapshot!(answer.shown(), @r#"
    200 {
      "results": [
        {
          "id": "[uuid]",
          "username": "ada",
          "has_password": true,
          "created_at": "2026-11-22T10:00:00Z",
          "disabled": false,
          "live_devices": 2,
          "generation": 1
        }
      ],
      "next": "YWRh"
    }
    "#);
    let mut names = Vec::new();
    let mut after = String::new();
    loop {
        let page = administrator.get(&format!("{USERS}?limit=2{after}")).send().await.ok();
        let results = page["results"].as_array().unwrap();
        names.extend(results.iter().map(|user| user["username"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(names, ["ada", "Bob", "Carol"]);
}

#[tokio::test]
async fn a_user_is_found_by_id_and_by_name() {
    let service = Service::start().await;
    let administrator = service.administrator().await;
    let phone = service.phone("Ada").await;
    service.laptop("Ada").await.logout_all().await.ok();
    service.phone("Ada").await;
    let by_id = administrator.get(&format!("{USERS}/{}/", phone.user)).send().await;
    insta::assert_snapshot!(by_id.shown(), @r#"
    200 {
      "id": "[uuid]",
      "username": "Ada",
      "has_password": true,
      "created_at": "2026-11-22T10:00:00Z",
      "disabled": false,
      "live_devices": 1,
      "generation": 2
    }
    "#);
    for name in ["Ada", "ada", "ADA"] {
        assert_eq!(administrator.get(&format!("{USERS}/{name}")).send().await.ok(), by_id.json);
    }
    administrator.get(&format!("{USERS}/nobody")).send().await.refused("not_found");
}

#[tokio::test]
async fn the_devices_of_a_user_are_listed_and_one_is_ended_for_a_reason() {
    let service = Service::start().await;
    let administrator = service.administrator().await;
    let (phone, mut laptop) = (service.phone("ada").await, service.laptop("ada").await);
    let answer = administrator.get(&format!("{USERS}/ada/devices/")).send().await;
    insta::assert_snapshot!(answer.shown(), @r#"
    200 {
      "results": [
        {
          "id": "[uuid]",
          "name": "Phone",
          "kind": "mobile",
          "created_at": "2026-11-22T10:00:00Z",
          "last_seen_at": "2026-11-22T10:00:00Z",
          "address": "192.0.2.10",
          "user_agent": "okhttp/4.12.0",
          "idle_end": "2026-12-22T10:00:00Z",
          "absolute_end": "2027-05-21T10:00:00Z"
        },
        {
          "id": "[uuid]",
          "name": "Laptop",
          "kind": "desktop",
          "created_at": "2026-11-22T10:00:00Z",
          "last_seen_at": "2026-11-22T10:00:00Z",
          "address": "198.51.100.20",
          "user_agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
          "idle_end": "2026-12-22T10:00:00Z",
          "absolute_end": "2027-05-21T10:00:00Z"
        }
      ]
    }
    "#);
    let path = format!("{USERS}/ada/devices/{}/", phone.id);
    let end = || administrator.ask(Method::DELETE, &path).json(&json!({"reason": "phone lost, ticket 4711"}));
    assert_eq!(end().send().await.ok(), json!({"signed_out": 1}));
    assert_eq!(end().send().await.ok(), json!({"signed_out": 0}));
    phone.is_refused("signed_out").await;
    laptop.works().await;
    let ended = administrator.get(&format!("{USERS}/ada/devices?ended=true")).send().await;
    insta::assert_snapshot!(ended.shown(), @r#"
    200 {
      "results": [
        {
          "id": "[uuid]",
          "name": "Phone",
          "kind": "mobile",
          "created_at": "2026-11-22T10:00:00Z",
          "last_seen_at": "2026-11-22T10:00:00Z",
          "address": "192.0.2.10",
          "user_agent": "okhttp/4.12.0",
          "idle_end": "2026-12-22T10:00:00Z",
          "absolute_end": "2027-05-21T10:00:00Z",
          "ended_at": "2026-11-22T10:00:00Z",
          "ended_cause": "administrator",
          "ended_note": "phone lost, ticket 4711"
        }
      ]
    }
    "#);
}

#[tokio::test]
async fn a_device_is_named_with_its_own_user_only() {
    let service = Service::start().await;
    let administrator = service.administrator().await;
    let (mut ada, _bob) = (service.phone("ada").await, service.phone("bob").await);
    let path = format!("{USERS}/bob/devices/{}", ada.id);
    administrator.ask(Method::DELETE, &path).send().await.refused("not_found");
    ada.works().await;
}

#[tokio::test]
async fn a_user_is_signed_out_everywhere_for_a_reason() {
    let service = Service::start().await;
    let administrator = service.administrator().await;
    let (phone, laptop) = (service.phone("ada").await, service.laptop("ada").await);
    let ask = administrator.post(&format!("{USERS}/ada/logout-all/")).json(&json!({"reason": "ticket 4711"}));
    let answer = ask.send().await;
    insta::assert_snapshot!(answer.shown(), @r#"
    200 {
      "signed_out": 2,
      "generation": 2
    }
    "#);
    phone.is_refused("signed_out_everywhere").await;
    laptop.is_refused("signed_out_everywhere").await;
    let ended = devices(&administrator, "ada", "?ended=true").await;
    assert_eq!(ended.len(), 2);
    for device in ended {
        assert_eq!(
            (&device["ended_cause"], &device["ended_note"]),
            (&json!("administrator"), &json!("ticket 4711"))
        );
    }
    service.phone("ada").await.works().await;
}

#[tokio::test]
async fn ended_devices_are_listed_page_by_page_and_the_first_end_stays() {
    let service = Service::start().await;
    let administrator = service.administrator().await;
    let mut expected = Vec::new();
    for _ in 0..3 {
        let phone = service.phone("ada").await;
        service.pass(1);
        phone.logout().await.ok();
        expected.push((phone.id, "signed_out"));
    }
    let phone = service.phone("ada").await;
    service.pass(1);
    phone.logout_all().await.ok();
    expected.push((phone.id, "signed_out_everywhere"));
    let phone = service.phone("ada").await;
    service.pass(1);
    administrator.post(&format!("{USERS}/ada/disable")).send().await.ok();
    expected.push((phone.id, "disabled"));
    service.pass(1);
    administrator.post("/api/v1/admin/everyone/logout").send().await.ok();
    expected.reverse();

    let path = format!("{USERS}/ada/devices?ended=true&limit=2");
    let (mut listed, mut after) = (Vec::new(), String::new());
    loop {
        let page = administrator.get(&format!("{path}{after}")).send().await.ok();
        let of_page = page["results"].as_array().unwrap();
        assert!(of_page.len() <= 2);
        listed.extend(of_page.clone());
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={}", next.to_uppercase());
    }
    let told = |device: &serde_json::Value| {
        (device["id"].as_str().unwrap().to_owned(), device["ended_cause"].as_str().unwrap().to_owned())
    };
    let expected: Vec<_> = expected.into_iter().map(|(id, cause)| (id, cause.to_owned())).collect();
    assert_eq!(listed.iter().map(told).collect::<Vec<_>>(), expected);
    // Generated clients send nothing that does not fit a pattern of the document.
    let parameters = operation("listDevicesOfUser").definition["parameters"].as_array().unwrap();
    let cursor = parameters.iter().find(|parameter| parameter["name"] == "after").unwrap();
    assert!(cursor["schema"]["pattern"].is_null(), "{cursor}");
    for cursor in ["x", "17", "17.x", &expected[0].0] {
        let answer = administrator.get(&format!("{path}&after={cursor}")).send().await;
        assert_eq!(answer.refused("invalid_request").fields(), ["after invalid_format"]);
    }
}

#[tokio::test]
async fn why_a_user_was_disabled_stays_on_record_until_it_is_enabled() {
    let service = Service::start().await;
    let administrator = service.administrator().await;
    service.phone("ada").await;
    let reason = json!({"reason": "asked for it"});
    administrator.post(&format!("{USERS}/ada/disable")).json(&reason).send().await.ok();
    let user = administrator.get(&format!("{USERS}/ada")).send().await.ok();
    assert_eq!((&user["disabled"], &user["disabled_reason"]), (&json!(true), &json!("asked for it")));
    administrator.post(&format!("{USERS}/ada/enable")).send().await.ok();
    let user = administrator.get(&format!("{USERS}/ada")).send().await.ok();
    assert_eq!((&user["disabled"], user.get("disabled_reason")), (&json!(false), None));
}

#[tokio::test]
async fn a_reason_has_its_limits() {
    let service = Service::start().await;
    let administrator = service.administrator().await;
    service.phone("ada").await;
    for (reason, fault) in
        [("r".repeat(201), "reason too_long"), ("a\u{7}b".to_owned(), "reason invalid_characters")]
    {
        let ask = administrator.post(&format!("{USERS}/ada/logout-all")).json(&json!({"reason": reason}));
        assert_eq!(ask.send().await.refused("invalid_request").fields(), [fault]);
    }
    let ask =
        administrator.post(&format!("{USERS}/ada/logout-all")).json(&json!({"reason": "ü".repeat(200)}));
    ask.send().await.ok();
}

#[tokio::test]
async fn a_bridge_opens_a_session_for_a_user_signed_in_elsewhere() {
    let service = Service::start().await;
    let bridge = service.bearer_of_scopes(&["sessions"]).await;
    let mut phone = service.phone("ada").await;
    let ask = bridge
        .post(&format!("{USERS}/ada/sessions/"))
        .json(&json!({"device": {"name": "Kiosk", "kind": "other"}}));
    let answer = ask.send().await;
    insta::assert_snapshot!(answer.shown(), @r#"
    201 {
      "access": "[access]",
      "refresh": "[refresh]",
      "token_type": "Bearer",
      "expires_in": 900,
      "refresh_expires_in": 2592000,
      "device": {
        "id": "[uuid]",
        "name": "Kiosk",
        "kind": "other",
        "current": true,
        "created_at": "2026-11-22T10:00:00Z",
        "expires_at": "2026-12-22T10:00:00Z"
      },
      "user": {
        "id": "[uuid]",
        "username": "ada"
      }
    }
    "#);
    phone.take(&answer.json);
    phone.works().await;
    bridge.get(USERS).send().await.refused("forbidden");
    bridge.post(&format!("{USERS}/nobody/sessions")).json(&json!({})).send().await.refused("not_found");
}

#[tokio::test]
async fn the_operator_adds_users_sets_passwords_and_deletes() {
    let service = Service::start().await;
    let operator = service.operator();
    let body = json!({"username": "ada", "password": PASSWORD});
    let added = operator.post("/api/v1/admin/users").json(&body).send().await;
    insta::assert_snapshot!(added.shown(), @r#"
    201 {
      "id": "[uuid]",
      "username": "ada",
      "has_password": true,
      "created_at": "2026-11-22T10:00:00Z",
      "disabled": false,
      "live_devices": 0,
      "generation": 1
    }
    "#);
    operator.post("/api/v1/admin/users").json(&body).send().await.refused("username_taken");
    let phone = service.phone("ada").await;
    let weak = operator.post("/operator/users/ada/password").json(&json!({"password": "short"})).send().await;
    assert_eq!(weak.refused("weak_password").fields(), ["password too_short"]);
    let set = operator.post("/operator/users/ada/password").json(&json!({"password": "staple engine tulip"}));
    assert_eq!(set.send().await.ok(), json!({"signed_out": 1}));
    phone.is_refused("signed_out_everywhere").await;
    service.anonymous().login("ada", "staple engine tulip").await.ok();
    let gone = operator.ask(Method::DELETE, "/api/v1/admin/users/ada").send().await.ok();
    assert_eq!(gone["signed_out"], 1);
    operator.get(&format!("{USERS}/ada")).send().await.refused("not_found");
    // The public listener serves none of these operations.
    let administrator = service.administrator().await;
    administrator.post("/operator/users/ada/password").json(&body).send().await.refused("not_found");
}

/// A sign-out ignores an unknown field; a change of the account refuses it by name.
#[tokio::test]
async fn a_misspelt_reason_is_refused_but_never_stops_a_sign_out() {
    let service = Service::start().await;
    let administrator = service.administrator().await;
    service.phone("ada").await;
    let misspelt = json!({"reson": "lost"});
    for state in ["disable", "enable"] {
        let answer = administrator.post(&format!("{USERS}/ada/{state}")).json(&misspelt).send().await;
        assert_eq!(answer.refused("invalid_request").fields(), ["reson unknown"]);
    }
    administrator.post(&format!("{USERS}/ada/logout-all")).json(&misspelt).send().await.ok();
}
