//! Service keys and what resource servers do with them: introspection (RFC 7662) and revocation (RFC 7009).

use poem::http::header;
use serde_json::json;

use crate::service::Service;

#[tokio::test]
async fn a_live_token_is_described() {
    let service = Service::start().await;
    let (phone, server) = (service.phone("ada").await, service.resource_server().await);
    let ask = server.post("/oauth/introspect/").form(&[
        ("token", &phone.access),
        ("token_type_hint", "access_token"),
        ("more", "x"),
    ]);
    let answer = ask.send().await;
    insta::assert_snapshot!(answer.shown(), @r#"
    200 {
      "active": true,
      "token_type": "Bearer",
      "sub": "[uuid]",
      "username": "ada",
      "iss": "https://sessions.example",
      "aud": "rescind",
      "iat": 1795341600,
      "exp": 1795342500,
      "sid": "[uuid]",
      "gen": 1,
      "era": 1795341600,
      "auth_time": 1795341600
    }
    "#);
    assert_eq!(answer.header("cache-control"), "no-store");
    let answer = server.introspect(&phone.refresh).await;
    insta::assert_snapshot!(answer.shown(), @r#"
    200 {
      "active": true,
      "token_type": "refresh_token",
      "sub": "[uuid]",
      "username": "ada",
      "exp": 1797933600,
      "sid": "[uuid]",
      "gen": 1,
      "era": 1795341600
    }
    "#);
}

#[tokio::test]
async fn of_a_token_that_acts_for_nobody_nothing_is_said() {
    let service = Service::start().await;
    let server = service.resource_server().await;
    let inactive = json!({"active": false});
    let mut phone = service.phone("ada").await;
    let older = phone.clone();
    phone.renew().await;
    assert_eq!(server.introspect(&older.refresh).await.ok(), inactive, "a used refresh token");
    assert_eq!(server.introspect(&older.access).await.ok()["active"], true);
    service.pass(900);
    assert_eq!(server.introspect(&phone.access).await.ok(), inactive, "expired");
    phone.renew().await;
    phone.logout_others().await.ok();
    assert_eq!(server.introspect(&phone.access).await.ok(), inactive, "superseded");
    assert_eq!(server.introspect(&phone.refresh).await.ok()["active"], true, "its refresh token stays good");
    phone.logout().await.ok();
    for token in [&phone.access, &phone.refresh, &"nonsense".to_owned(), server.credential.as_ref().unwrap()]
    {
        assert_eq!(server.introspect(token).await.ok(), inactive);
    }
}

#[tokio::test]
async fn asking_about_a_token_uses_nothing_up() {
    let service = Service::start().await;
    let (mut phone, server) = (service.phone("ada").await, service.resource_server().await);
    let before = service.store.contents().await;
    for _ in 0..3 {
        server.introspect(&phone.refresh).await.ok();
        server.introspect(&phone.access).await.ok();
    }
    assert_eq!(service.store.contents().await, before);
    phone.works().await;
}

#[tokio::test]
async fn a_key_is_taken_as_bearer_and_as_the_password_of_basic() {
    let service = Service::start().await;
    let (phone, server) = (service.phone("ada").await, service.resource_server().await);
    let key = server.credential.unwrap();
    let ask = || service.anonymous().post("/oauth/introspect").form(&[("token", &phone.access)]);
    assert_eq!(ask().bearer(&key).send().await.ok()["active"], true);
    assert_eq!(ask().basic("anyone", &key).send().await.ok()["active"], true);
    assert_eq!(ask().basic("", &key).send().await.ok()["active"], true);
    ask().basic(&key, "").send().await.refused("token_invalid");
    ask().send().await.refused("token_missing");
    let answer = ask().basic("x", "y").send().await.refused("token_invalid");
    let challenges: Vec<_> = answer.headers.get_all(header::WWW_AUTHENTICATE).iter().collect();
    assert_eq!(challenges, [r#"Bearer realm="rescind", error="invalid_token""#, r#"Basic realm="rescind""#]);
    assert_eq!(answer.json["error"], "invalid_client");
}

/// A password as OAuth libraries encode it: `%5F` for `_`, `%2D` for `-`.
fn form_encoded(key: &str) -> String {
    percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[tokio::test]
async fn a_form_encoded_key_is_taken_by_every_operation_that_takes_one() {
    use crate::declared::operations;
    use crate::sample::{Scene, Wants};
    for operation in operations().iter().filter(|operation| operation.wants() == Wants::ServiceKey) {
        let service = Service::start().await;
        let scene = Scene::set(&service).await;
        let scope = match operation.id {
            "introspect" => &scene.resource_server,
            "openSession" => &scene.bridge,
            _ if operation.is_of_the_feed() => &scene.follower,
            _ => &scene.administrator,
        };
        let key = form_encoded(scope.credential.as_ref().unwrap());
        assert!(key.contains("%5F") && key.contains("%2D"), "{key}");
        let ask = || scene.good(operation).without_credential();
        ask().basic("a%3Ab", &key.to_lowercase().replace("%5f", "%5F")).send().await.refused("token_invalid");
        ask().basic("a%3Ab", &key).send().await.ok();
        let again = ask().basic("a%3Ab", &key.replace("%5F", "%5f")).send().await;
        match operation.id {
            "deleteUser" => drop(again.refused("not_found")),
            _ => drop(again.ok()),
        }
    }
}

#[tokio::test]
async fn a_key_is_taken_from_the_form_or_from_the_header_and_not_from_both() {
    let service = Service::start().await;
    let (phone, server) = (service.phone("ada").await, service.resource_server().await);
    let (key, other) = (server.credential.unwrap(), service.follower().await.credential.unwrap());
    let ask = |secret: &str| {
        let fields = [("token", phone.access.as_str()), ("client_id", "shop"), ("client_secret", secret)];
        service.anonymous().post("/oauth/introspect").form(&fields)
    };
    assert_eq!(ask(&key).send().await.ok()["active"], true);
    let refused = ask("nonsense").send().await.refused("token_invalid");
    assert_eq!(refused.json["error"], "invalid_client");
    ask(&phone.access).send().await.refused("token_invalid");
    ask(&other).send().await.refused("forbidden");
    ask("").send().await.refused("token_missing");
    for both in [ask(&key).bearer(&key), ask(&key).basic("shop", &key)] {
        let refused = both.send().await.refused("invalid_request");
        assert_eq!(
            (refused.fields().as_slice(), &refused.json["error"]),
            (["client_secret not_allowed".to_owned()].as_slice(), &json!("invalid_request"))
        );
    }
    // The service key is judged before the rest of the request.
    let ask = |fields: &[(&str, &str)]| service.anonymous().post("/oauth/introspect").form(fields);
    ask(&[("client_secret", "nonsense")]).send().await.refused("token_invalid");
    let refused = ask(&[("client_secret", &key)]).send().await.refused("invalid_request");
    assert_eq!(refused.fields(), ["token required"]);
}

#[tokio::test]
async fn basic_is_asked_for_exactly_where_it_is_taken() {
    let service = Service::start().await;
    let admin = service.administrator().await.credential.unwrap();
    let users = || service.anonymous().get("/api/v1/admin/users");
    users().basic("tool", &admin).send().await.ok();
    for (refused, basic) in [
        (users().send().await.refused("token_missing"), true),
        (users().basic("tool", "y").send().await.refused("token_invalid"), true),
        (service.anonymous().get("/api/v1/auth/me").send().await.refused("token_missing"), false),
    ] {
        let mut challenges = refused.headers.get_all(header::WWW_AUTHENTICATE).iter();
        assert_eq!(challenges.any(|challenge| challenge == r#"Basic realm="rescind""#), basic);
    }
}

#[tokio::test]
async fn a_key_does_what_its_scopes_say_and_no_more() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    let open = format!("/api/v1/admin/users/{}/sessions", phone.user);
    for scope in ["introspect", "feed", "admin", "sessions"] {
        let tool = service.bearer_of_scopes(&[scope]).await;
        let asks = [
            ("introspect", tool.post("/oauth/introspect").form(&[("token", &phone.access)])),
            ("admin", tool.get("/api/v1/admin/users")),
            ("sessions", tool.post(&open).json(&json!({}))),
        ];
        for (wanted, ask) in asks {
            let answer = ask.send().await;
            if wanted == scope { drop(answer.ok()) } else { drop(answer.refused("forbidden")) }
        }
    }
    let both = service.bearer_of_scopes(&["admin", "introspect"]).await;
    both.introspect(&phone.access).await.ok();
    both.get("/api/v1/admin/users").send().await.ok();
}

#[tokio::test]
async fn a_key_is_shown_once_and_gone_when_it_is_removed() {
    let service = Service::start().await;
    let operator = service.operator();
    let body = json!({"name": "Billing", "scopes": ["introspect", "admin", "introspect"]});
    let made = operator.post("/operator/service-keys").json(&body).send().await;
    insta::assert_snapshot!(made.shown(), @r#"
    201 {
      "id": "[uuid]",
      "name": "Billing",
      "scopes": [
        "introspect",
        "admin"
      ],
      "key": "[service key]"
    }
    "#);
    let key = made.json["key"].as_str().unwrap();
    let list = operator.get("/operator/service-keys").send().await;
    insta::assert_snapshot!(list.shown(), @r#"
    200 {
      "results": [
        {
          "id": "[uuid]",
          "name": "Billing",
          "scopes": [
            "introspect",
            "admin"
          ],
          "created_at": "2026-11-22T10:00:00Z"
        }
      ]
    }
    "#);
    assert!(!list.text.contains(&key[key.len() - 43..]));
    service.anonymous().get("/api/v1/admin/users").bearer(key).send().await.ok();
    let path = format!("/operator/service-keys/{}", made.json["id"].as_str().unwrap());
    operator.ask(poem::http::Method::DELETE, &path).send().await.ok();
    service.anonymous().get("/api/v1/admin/users").bearer(key).send().await.refused("token_invalid");
    operator.ask(poem::http::Method::DELETE, &path).send().await.refused("not_found");
}

#[tokio::test]
async fn a_key_needs_a_name_and_scopes_that_exist() {
    let service = Service::start().await;
    for (body, field) in [
        (json!({"name": " ", "scopes": ["admin"]}), "name too_short"),
        (json!({"name": "n".repeat(101), "scopes": ["admin"]}), "name too_long"),
        (json!({"name": "a\nb", "scopes": ["admin"]}), "name invalid_characters"),
        (json!({"name": "a", "scopes": []}), "scopes too_short"),
        (json!({"name": "a", "scopes": ["everything"]}), "scopes not_allowed"),
        (json!({"name": "a"}), "scopes required"),
    ] {
        let ask = service.operator().post("/operator/service-keys").json(&body);
        assert_eq!(ask.send().await.refused("invalid_request").fields(), [field]);
    }
}

#[tokio::test]
async fn revoking_a_token_signs_its_device_out_and_a_strangers_token_is_no_error() {
    let service = Service::start().await;
    let mut laptop = service.laptop("ada").await;
    let anyone = service.anonymous();
    for which in ["access", "refresh"] {
        let phone = service.phone("ada").await;
        let token = if which == "access" { &phone.access } else { &phone.refresh };
        for _ in 0..2 {
            let ask =
                anyone.post("/oauth/revoke/").form(&[("token", token), ("token_type_hint", "nonsense")]);
            let answer = ask.send().await;
            assert_eq!((answer.status, answer.text.as_str()), (200, ""));
        }
        phone.is_refused("signed_out").await;
    }
    for token in ["nonsense", "v4.public.x.y", &"A".repeat(5000)] {
        assert_eq!(anyone.revoke(token).await.status, 200);
    }
    laptop.works().await;
}

/// As in signing out, a client that leaves does not fail because of what its storage or library makes it send.
#[tokio::test]
async fn beside_an_authentic_bearer_a_token_that_cannot_be_read_means_the_device_of_that_one() {
    let service = Service::start().await;
    let mut laptop = service.laptop("ada").await;
    let form = "application/x-www-form-urlencoded";
    for (media, body) in [
        (form, ""),
        (form, "token="),
        (form, "token=undefined"),
        (form, "token=%ff"),
        (form, "token=a&token=b"),
        ("application/json", r#"{"token":"v4.local.nothing"}"#),
        ("text/plain", "bye"),
    ] {
        let phone = service.phone("ada").await;
        let answer = phone.post("/oauth/revoke").body(media, body).send().await;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""), "{media}: {body}");
        phone.is_refused("signed_out").await;
        let anyone = service.anonymous().post("/oauth/revoke").bearer("rescind_sk_nothing");
        let answer = anyone.body(media, body).send().await;
        assert_eq!(answer.status == 200, body == "token=undefined", "{media}: {body}");
    }
    laptop.works().await;
}

#[tokio::test]
async fn a_refresh_token_of_another_user_than_the_bearers_is_a_mistake() {
    let service = Service::start().await;
    let (mut ada, mut bob) = (service.phone("ada").await, service.phone("bob").await);
    let answer = bob.post("/oauth/revoke").form(&[("token", &ada.refresh)]).send().await;
    assert_eq!(answer.refused("invalid_request").fields(), ["token other_user"]);
    ada.works().await;
    bob.works().await;
}

#[tokio::test]
async fn an_expired_token_still_revokes_its_device() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    service.pass(3600);
    service.anonymous().revoke(&phone.access).await;
    phone.present_refresh().await.refused("signed_out");
}

#[tokio::test]
async fn a_form_without_a_token_or_with_two_is_refused_in_the_words_of_oauth() {
    let service = Service::start().await;
    for body in ["", "token=", "tokens=x", "token_type_hint=access_token"] {
        let ask = service.anonymous().post("/oauth/revoke").body("application/x-www-form-urlencoded", body);
        let answer = ask.send().await.refused("invalid_request");
        assert_eq!(answer.fields(), ["token required"]);
        assert_eq!(answer.json["error"], "invalid_request");
    }
    let twice = service.anonymous().post("/oauth/revoke").form(&[("token", "a"), ("token", "b")]);
    twice.send().await.refused("invalid_request");
    let json = service.anonymous().post("/oauth/revoke").json(&json!({"token": "a"}));
    json.send().await.refused("unsupported_media_type");
}
