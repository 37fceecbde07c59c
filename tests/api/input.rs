//! A faulty request is explained only to a client that may send it, in a text that says what to do.

use poem::http::{Method, header};
use serde_json::json;

use crate::actors::PASSWORD;
use crate::declared::{Operation, is_sign_out, operations};
use crate::request::TestRequest;
use crate::sample::{Scene, Wants};
use crate::service::Service;

/// Requests that are faulty in every way except their credential.
fn faulty<'a>(scene: &Scene<'a>, operation: &Operation) -> Vec<TestRequest<'a>> {
    let good = || scene.good(operation);
    let path = good().target().to_owned();
    let elsewhere = path.replace(&scene.laptop.id, "no-such-device").replace(&scene.laptop.user, "nobody");
    let mut all = vec![
        good().at(&format!("{path}?limit=x&wait=x&since=x&after=x&ended=x&surprise=1")),
        good().at(&format!("{path}?limit=0&limit=0&wait=1s&wait=2s")),
        good().at(&elsewhere),
    ];
    if operation.method != Method::GET {
        all.push(good().body("application/json", "{"));
        all.push(good().json(&json!(["surprise"])));
        all.push(good().body("application/xml", "<a/>"));
        all.push(good().body("application/x-www-form-urlencoded", "a=%ff"));
        all.push(good().body("application/json", " ".repeat(17_000)));
    }
    all
}

#[tokio::test]
async fn a_credential_is_judged_before_anything_else_of_a_request() {
    let service = Service::start().await;
    let scene = Scene::set(&service).await;
    let other_scope = |operation: &Operation| {
        let key = if operation.is_of_the_feed() { &scene.administrator } else { &scene.follower };
        key.credential.clone().unwrap()
    };
    let before = service.store.contents().await;
    for operation in operations().iter().filter(|operation| operation.wants() != Wants::Nothing) {
        // A sign-out without a bearer token acts by its body alone.
        if operation.id == "logout" {
            continue;
        }
        for ask in faulty(&scene, operation) {
            ask.without_credential().send().await.refused("token_missing");
        }
        for ask in faulty(&scene, operation) {
            ask.without_credential().bearer("v4.public.nothing").send().await.refused("token_invalid");
        }
        if operation.wants() == Wants::ServiceKey {
            for ask in faulty(&scene, operation) {
                let key = other_scope(operation);
                ask.without_credential().bearer(&key).send().await.refused("forbidden");
            }
        }
    }
    assert_eq!(service.store.contents().await, before);
}

/// The operator needs no service key; an operation of a user needs the user's token there, too.
#[tokio::test]
async fn the_operators_socket_judges_a_users_token_before_anything_else_too() {
    let service = Service::start().await;
    let scene = Scene::set(&service).await;
    let of_users = |operation: &&Operation| operation.wants() == Wants::Bearer && operation.id != "logout";
    for operation in operations().iter().filter(of_users) {
        for ask in faulty(&scene, operation) {
            ask.without_credential().over_the_operators_socket().send().await.refused("token_missing");
        }
        for ask in faulty(&scene, operation) {
            let ask = ask.without_credential().bearer("v4.public.nothing").over_the_operators_socket();
            ask.send().await.refused("token_invalid");
        }
    }
    let wrong = service.operator().post("/api/v1/admin/everyone/logout").body("application/json", "{");
    wrong.send().await.refused("bad_json");
}

#[tokio::test]
async fn a_member_given_twice_is_refused_by_name() {
    let service = Service::start().await;
    service.phone("ada").await;
    let post = |operation: &str, body: &str| {
        service.anonymous().post(&format!("/api/v1/auth/{operation}")).body("application/json", body)
    };
    for (body, fields) in [
        (r#"{"username": "eve", "username": "ada", "password": "x"}"#, vec!["username duplicate"]),
        (r#"{"username": "ada", "password": "x", "p\u0061ssword": "y"}"#, vec!["password duplicate"]),
        (
            r#"{"username": "ada", "password": "x", "device": {"name": "a", "name": "b"}}"#,
            vec!["device.name duplicate"],
        ),
        (r#"{"username": "ada", "password": "x", "z": 1, "z": 2}"#, vec!["z unknown", "z duplicate"]),
    ] {
        for operation in ["login", "register"] {
            let answer = post(operation, body).send().await.refused("invalid_request");
            assert_eq!(answer.fields(), fields, "{body}");
        }
    }
    // A sign-out refuses repeated fields that it knows, but no others.
    let twice = r#"{"refresh": "a", "refresh": "b"}"#;
    assert_eq!(post("logout", twice).send().await.refused("invalid_request").fields(), ["refresh duplicate"]);
    let phone = service.phone("ada").await;
    let refresh = &phone.refresh;
    post("logout", &format!(r#"{{"refresh": "{refresh}", "x": 1, "x": 2}}"#)).send().await.ok();
    let form = service
        .anonymous()
        .post("/oauth/revoke")
        .body("application/x-www-form-urlencoded", "token=a&%74oken=b");
    assert_eq!(form.send().await.refused("invalid_request").fields(), ["token duplicate"]);
}

#[tokio::test]
async fn parameters_of_a_query_are_named_when_they_are_unknown_or_given_twice() {
    let service = Service::start().await;
    let scene = Scene::set(&service).await;
    for operation in operations().iter().filter(|operation| operation.path.starts_with("/api/")) {
        let path = scene.good(operation).target().to_owned();
        let ask = |query: &str| scene.good(operation).at(&format!("{path}?{query}"));
        let lenient = is_sign_out(operation.id) || ["endDevice", "disableUser"].contains(&operation.id);
        if !lenient {
            let answer = ask("surprise=hunter2&surpris%65=1").send().await.refused("invalid_request");
            assert_eq!(answer.fields(), ["surprise unknown"], "{}", operation.id);
            assert!(!answer.text.contains("hunter2"), "{}", answer.text);
        }
        for parameter in operation.definition["parameters"].as_array().into_iter().flatten() {
            if parameter["in"] == "query" {
                let name = parameter["name"].as_str().unwrap();
                let answer = ask(&format!("{name}=1&{name}=1")).send().await.refused("invalid_request");
                assert_eq!(answer.fields(), [format!("{name} duplicate")], "{}", operation.id);
            }
        }
    }
}

#[tokio::test]
async fn sign_outs_health_and_keys_read_over_parameters_that_they_do_not_know() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    for path in ["/livez", "/readyz", "/.well-known/paserk", "/openapi.json", "/docs"] {
        service.anonymous().get(&format!("{path}?_=1")).send().await.ok();
    }
    let revoke = service.anonymous().post("/oauth/revoke?tenant=a").form(&[("token", "x")]);
    revoke.send().await.ok();
    phone.post("/api/v1/auth/logout-others?_=1").send().await.ok();
    let laptop = service.laptop("ada").await;
    laptop.ask(Method::DELETE, &format!("/api/v1/devices/{}?_=1", phone.id)).send().await.ok();
    laptop.post("/api/v1/auth/logout?_=1").json(&json!({"refresh": laptop.refresh})).send().await.ok();
}

#[tokio::test]
async fn an_answer_says_where_to_go_instead_of_a_path_that_is_none() {
    let service = Service::start().await;
    let detail = async |path: &str| {
        let answer = service.anonymous().get(path).send().await.refused("not_found");
        assert!(!answer.text.contains("hunter2"), "{}", answer.text);
        answer.json["detail"].as_str().unwrap().to_owned()
    };
    for path in ["/api/v1/auth/token/hunter2", "/api/v1/auth/signin", "/api/v1/auth"] {
        let detail = detail(path).await;
        assert!(detail.contains("/api/v1/auth/login, /api/v1/auth/logout"), "{detail}");
    }
    assert!(detail("/oauth/token").await.contains("/oauth/introspect, /oauth/revoke"));
    assert!(detail("/.well-known/jwks.json").await.contains("/.well-known/paserk"));
    assert!(detail("/api/v2/auth/me").await.contains("Below `/api` there are: /api/v1/"));
    for path in ["/auth/login", "/hunter2", "/"] {
        assert!(detail(path).await.contains("`/openapi.json`"), "{path}");
    }
    // A known path with an unknown id is a 404 without suggestions.
    let phone = service.phone("ada").await;
    let answer = phone.get("/api/v1/devices/019aaa3c-52f0-7a31-9d0e-6c1f4b7a8e20").send().await;
    assert!(!answer.refused("not_found").text.contains("Below"));
}

#[tokio::test]
async fn a_credential_of_another_kind_is_answered_with_the_right_one() {
    let service = Service::start().await;
    let (phone, administrator) = (service.phone("ada").await, service.administrator().await);
    let key = administrator.credential.clone().unwrap();
    let ask = async |path: &str, values: &[String], code: &str| {
        let mut ask = service.anonymous().get(path);
        for value in values {
            ask = ask.header(header::AUTHORIZATION, value);
        }
        ask.send().await.refused(code).json["detail"].as_str().unwrap().to_owned()
    };
    let (me, users) = ("/api/v1/auth/me", "/api/v1/admin/users");
    for scheme in ["Token", "JWT", "jwt", "Basic", "Digest"] {
        let value = format!("{scheme} {}", phone.access);
        let detail = ask(me, std::slice::from_ref(&value), "token_invalid").await;
        assert!(detail.contains("`Authorization: Bearer …`"), "{scheme}: {detail}");
    }
    let detail = ask(users, &[format!("Token {key}")], "token_invalid").await;
    assert!(detail.contains("service key with the scope `admin` as `Authorization: Bearer …`"), "{detail}");
    let detail = ask(me, std::slice::from_ref(&phone.access), "token_invalid").await;
    assert!(detail.contains("`Authorization: Bearer …`"), "no scheme: {detail}");
    let twice = vec![format!("Bearer {}", phone.access); 2];
    assert!(ask(me, &twice, "token_invalid").await.contains("one `Authorization` header"));
    let detail = ask(me, &[format!("Bearer {key}")], "token_invalid").await;
    assert!(detail.contains("takes no service key"), "{detail}");
    let detail = ask(users, &[format!("Bearer {}", phone.access)], "token_invalid").await;
    assert!(detail.contains("Send a service key"), "{detail}");
}

#[tokio::test]
async fn a_missing_or_wrong_service_key_is_told_about_service_keys_and_scopes() {
    let service = Service::start().await;
    let scene = Scene::set(&service).await;
    for operation in operations().iter().filter(|operation| operation.wants() == Wants::ServiceKey) {
        let scope = match operation.id {
            "introspect" => "introspect",
            "openSession" => "sessions",
            _ if operation.is_of_the_feed() => "feed",
            _ => "admin",
        };
        let good = || scene.good(operation).without_credential();
        let key = format!("rescind_sk_019aaa3c-52f0-7a31-9d0e-6c1f4b7a8e20_{}", "A".repeat(43));
        let other = scene.bridge.credential.clone().unwrap();
        let other = if scope == "sessions" { scene.follower.credential.clone().unwrap() } else { other };
        for (ask, code) in [
            (good(), "token_missing"),
            (good().bearer(&key), "token_invalid"),
            (good().bearer("nonsense"), "token_invalid"),
            (good().basic("any", &key), "token_invalid"),
            (good().bearer(&other), "forbidden"),
        ] {
            let answer = ask.send().await.refused(code);
            let detail = answer.json["detail"].as_str().unwrap();
            assert!(detail.to_lowercase().contains("service key"), "{}: {detail}", operation.id);
            assert!(detail.contains(&format!("scope `{scope}`")), "{}: {detail}", operation.id);
            assert!(!detail.to_lowercase().contains("sign in"), "{}: {detail}", operation.id);
        }
    }
}

#[tokio::test]
async fn apps_of_another_service_are_told_which_fields_or_which_setting() {
    let service = Service::start().await;
    service.phone("ada").await;
    let body = json!({
        "username": "ada", "password": PASSWORD, "email": "ada@example.org", "remember_me": false, "password2": PASSWORD,
        "device": {"name": "Phone", "push_token": "x"},
    });
    for operation in ["login", "register"] {
        let answer = service.anonymous().post(&format!("/api/v1/auth/{operation}")).json(&body).send().await;
        let answer = answer.refused("invalid_request");
        let mut fields = answer.fields();
        fields.sort();
        let unknown =
            ["device.push_token unknown", "email unknown", "password2 unknown", "remember_me unknown"];
        assert_eq!(fields, unknown);
        assert!(answer.json["detail"].as_str().unwrap().contains("`ignore_unknown_fields = true`"));
    }
    let lenient = service.again(|settings| settings.ignore_unknown_fields = true).await;
    let session = lenient.anonymous().post("/api/v1/auth/login").json(&body).send().await.ok();
    assert_eq!(session["device"]["name"], "Phone");
    // The setting ignores unknown fields, not missing or wrong ones.
    let wrong = json!({"username": 1, "email": "x"});
    let answer = lenient.anonymous().post("/api/v1/auth/register").json(&wrong).send().await;
    assert_eq!(answer.refused("invalid_request").fields(), ["username wrong_type", "password required"]);
    let refresh =
        lenient.anonymous().post("/api/v1/auth/refresh").json(&json!({"refresh": "x", "email": "x"}));
    assert_eq!(refresh.send().await.refused("invalid_request").fields(), ["email unknown"]);
}

/// Apps that send forms sign in, refresh and sign out with the fields that JSON has.
#[tokio::test]
async fn a_form_has_the_fields_of_a_json_body() {
    let service = Service::start().await;
    service.phone("ada").await;
    let post = |operation: &str| service.anonymous().post(&format!("/api/v1/auth/{operation}"));
    let credentials = [("username", "ada"), ("password", PASSWORD)];
    let device = [("device[name]", "Ada's tablet"), ("device[kind]", "mobile")];
    let session = post("login").form(&[credentials, device].concat()).send().await.ok();
    assert_eq!(session["device"]["name"], "Ada's tablet");
    service.pass(60);
    let refresh = [("refresh", session["refresh"].as_str().unwrap())];
    let session = post("refresh").form(&refresh).send().await.ok();
    let refresh = [("refresh", session["refresh"].as_str().unwrap())];
    assert_eq!(post("logout").form(&refresh).send().await.ok(), json!({"signed_out": 1}));
    post("refresh").form(&refresh).send().await.refused("signed_out");

    let unknown = [credentials.as_slice(), &[("remember_me", "on"), ("device[colour]", "red")]].concat();
    let refused = post("login").form(&unknown).send().await.refused("invalid_request");
    assert_eq!(refused.fields(), ["device.colour unknown", "remember_me unknown"]);
    let refused = post("refresh").form(&[("refresh", "")]).send().await.refused("invalid_request");
    assert_eq!(refused.fields(), ["refresh required"]);
    let twice = post("login").body("application/x-www-form-urlencoded", "username=a&username=b");
    assert_eq!(twice.send().await.refused("invalid_request").fields(), ["username duplicate"]);
    // Only these three take forms.
    let form = post("logout-all").bearer(session["access"].as_str().unwrap());
    form.form(&[("a", "b")]).send().await.refused("signed_out");
    post("password").form(&[("a", "b")]).send().await.refused("token_missing");
}
