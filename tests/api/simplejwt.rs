//! The routes of djangorestframework-simplejwt, compared with a recording of that library (version 5.5 on Django 5.2).
//!
//! `recorded.json` has each answer of two configurations: the default one, and one that rotates and blacklists. Two
//! differences are meant: a path without its slash is answered and not redirected, and there is no page for browsers.
//!
//! Modules: `former` (tokens that SimpleJWT gave out).

use poem::http::{Method, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::actors::{PASSWORD, Someone};
use crate::answer::Answer;
use crate::request::TestRequest;
use crate::service::Service;

mod former;

const TOKEN: &str = "/api/token/";
const REFRESH: &str = "/api/token/refresh/";
const VERIFY: &str = "/api/token/verify/";
const BLACKLIST: &str = "/api/token/blacklist/";
const ON: (&str, &str) = ("simplejwt_prefix", "/api");

#[derive(Debug, Deserialize)]
struct Recorded {
    rotate: bool,
    name: String,
    status: u16,
    body: Value,
    headers: std::collections::BTreeMap<String, String>,
}

fn recorded() -> Vec<Recorded> {
    serde_json::from_str(include_str!("simplejwt/recorded.json")).unwrap()
}

/// Sends a request whose operation no document has.
async fn send(request: TestRequest<'_>) -> Answer {
    Answer::read(request.send_for_stream().await).await
}

async fn post(someone: &Someone<'_>, path: &str, body: Value) -> Answer {
    send(someone.post(path).json(&body)).await
}

/// Signs in with the routes, and returns the refresh token and the access token.
async fn obtain(someone: &Someone<'_>) -> (String, String) {
    let pair = post(someone, TOKEN, json!({"username": "alice", "password": PASSWORD})).await.ok();
    let text = |name: &str| pair[name].as_str().unwrap().to_owned();
    (text("refresh"), text("access"))
}

/// A body with tokens as the recording shows them.
fn shown(answer: &Answer) -> String {
    let Ok(mut body) = serde_json::from_str::<Value>(&answer.text) else { return answer.text.clone() };
    for value in body.as_object_mut().into_iter().flat_map(|fields| fields.values_mut()) {
        if value.as_str().is_some_and(|text| text.starts_with("v4.")) {
            *value = json!("<jwt>");
        }
    }
    body.to_string()
}

/// How a body is sent.
#[derive(Clone, Copy)]
enum BodyEncoding {
    Json,
    Form,
}

impl BodyEncoding {
    fn post<'a>(self, someone: &'a Someone<'_>, path: &str, body: &Value) -> TestRequest<'a> {
        let request = someone.post(path);
        match self {
            Self::Json => request.json(body),
            Self::Form => {
                let fields = body.as_object().unwrap().iter();
                let fields: Vec<_> = fields.map(|(name, value)| (&**name, value.as_str().unwrap())).collect();
                request.form(&fields)
            }
        }
    }
}

/// Does what was done when the answer `name` was recorded.
async fn again(service: &Service, name: &str, encoding: BodyEncoding) -> Answer {
    let app = &service.anonymous();
    let credentials = json!({"username": "alice", "password": PASSWORD});
    let (refresh, access) = obtain(app).await;
    let post = |path: &'static str, body: Value| async move { send(encoding.post(app, path, &body)).await };
    let token = |token: &str| json!({ "refresh": token });
    match name {
        "obtain ok" => post(TOKEN, credentials).await,
        "bad pw" => post(TOKEN, json!({"username": "alice", "password": "x"})).await,
        "inactive" => post(TOKEN, json!({"username": "bob", "password": PASSWORD})).await,
        "missing" => post(TOKEN, json!({"username": "alice"})).await,
        "blank" => post(TOKEN, json!({"username": "", "password": null})).await,
        "empty" => post(TOKEN, json!({})).await,
        "bad json" => send(app.post(TOKEN).body("application/json", "{bad")).await,
        "form ok?" => send(app.post(TOKEN).form(&[("username", "alice"), ("password", PASSWORD)])).await,
        "text/plain" => send(app.post(TOKEN).body("text/plain", "x")).await,
        "GET" => send(app.get(TOKEN)).await,
        "OPTIONS" => send(app.ask(Method::OPTIONS, TOKEN)).await,
        "no slash" => post(TOKEN.trim_end_matches('/'), credentials).await,
        "refresh" => post(REFRESH, token(&refresh)).await,
        "refresh reuse old" => {
            for _ in 0..2 {
                service.pass(60);
                let next = post(REFRESH, token(&refresh)).await;
                if next.status == 401 {
                    return next;
                }
                next.ok();
            }
            panic!("it was never refused");
        }
        "refresh garbage" => post(REFRESH, token("abc")).await,
        "refresh with access" => post(REFRESH, token(&access)).await,
        "refresh missing" => post(REFRESH, json!({})).await,
        "verify access" => post(VERIFY, json!({"token": access})).await,
        "verify garbage" => post(VERIFY, json!({"token": "abc"})).await,
        "verify missing" => post(VERIFY, json!({})).await,
        "blacklist" => post(BLACKLIST, token(&refresh)).await,
        "blacklist again" | "refresh after blacklist" | "verify blacklisted refresh" => {
            post(BLACKLIST, token(&refresh)).await.ok();
            match name {
                "blacklist again" => post(BLACKLIST, token(&refresh)).await,
                "refresh after blacklist" => post(REFRESH, token(&refresh)).await,
                _ => post(VERIFY, json!({"token": refresh})).await,
            }
        }
        other => panic!("nothing is known of {other}"),
    }
}

async fn with_alice_and_bob(changes: &[(&str, &str)]) -> Service {
    let service = Service::with(&[&[ON], changes].concat()).await;
    service.phone("alice").await;
    service.phone("bob").await;
    service.administrator().await.post("/api/v1/admin/users/bob/disable").send().await.ok();
    service
}

#[tokio::test]
async fn every_recorded_answer_is_given_again() {
    let default = with_alice_and_bob(&[]).await;
    let rotating = with_alice_and_bob(&[("simplejwt_rotate", "true"), ("refresh_strict", "true")]).await;
    let mut compared = 0;
    for Recorded { rotate, name, mut status, mut body, headers } in recorded() {
        let service = if rotate { &rotating } else { &default };
        let answer = again(service, &name, BodyEncoding::Json).await;
        match name.as_str() {
            // Answered, not redirected.
            "no slash" => {
                (status, body) = (200, json!({"refresh": "<jwt>", "access": "<jwt>"}));
            }
            // There is no page for browsers.
            "OPTIONS" => body["renders"] = json!(["application/json"]),
            _ => {}
        }
        assert_eq!((answer.status, shown(&answer)), (status, body.to_string()), "{name}");
        for (header, value) in headers.iter().filter(|_| name != "no slash") {
            assert_eq!(answer.header(&header.to_ascii_lowercase()), value, "{name}: {header}");
        }
        let challenged = headers.contains_key("WWW-Authenticate");
        assert_eq!(answer.headers.contains_key(header::WWW_AUTHENTICATE), challenged, "{name}");
        compared += 1;
    }
    assert_eq!(compared, 35);
}

#[tokio::test]
async fn a_form_gets_the_answer_that_was_recorded_for_the_same_fields_in_json() {
    let default = with_alice_and_bob(&[]).await;
    let rotating = with_alice_and_bob(&[("simplejwt_rotate", "true"), ("refresh_strict", "true")]).await;
    let mut compared = 0;
    for Recorded { rotate, name, status, body, .. } in recorded() {
        // Their bodies are no JSON, or none that a form can say.
        if ["blank", "bad json", "form ok?", "text/plain", "GET", "OPTIONS", "no slash"].contains(&&*name) {
            continue;
        }
        let answer = again(if rotate { &rotating } else { &default }, &name, BodyEncoding::Form).await;
        assert_eq!((answer.status, shown(&answer)), (status, body.to_string()), "{name}");
        compared += 1;
    }
    assert_eq!(compared, 28);
}

#[tokio::test]
async fn an_app_that_never_stores_an_answer_stays_signed_in() {
    let service = with_alice_and_bob(&[]).await;
    let mut app = service.anonymous();
    let (refresh, _) = obtain(&app).await;
    for day in 0..170 {
        service.pass(24 * 3600);
        app.address = if day % 2 == 0 { "203.0.113.5" } else { "198.51.100.7" };
        let answer = post(&app, REFRESH, json!({ "refresh": refresh })).await.ok();
        assert_eq!(answer.as_object().unwrap().keys().collect::<Vec<_>>(), ["access"], "day {day}");
        let me = app.get("/api/v1/auth/me").bearer(answer["access"].as_str().unwrap()).send().await.ok();
        assert_eq!(me["user"]["username"], "alice");
        post(&app, VERIFY, json!({ "token": refresh })).await.ok();
    }
    service.pass(10 * 24 * 3600);
    let ended = post(&app, REFRESH, json!({ "refresh": refresh })).await;
    assert_eq!((ended.status, &ended.json["code"]), (401, &json!("token_not_valid")), "its lifetime is over");

    // Too long away.
    let (refresh, _) = obtain(&app).await;
    service.pass(30 * 24 * 3600);
    assert_eq!(post(&app, REFRESH, json!({ "refresh": refresh })).await.status, 401);
}

#[tokio::test]
async fn a_device_of_these_routes_is_one_like_any_other() {
    let service = with_alice_and_bob(&[]).await;
    let phone = service.phone("alice").await;
    let mut app = service.anonymous();
    app.user_agent = "okhttp/4.12.0";
    let app = &app;
    let sign_in = || async {
        let (refresh, access) = obtain(app).await;
        let me = app.get("/api/v1/auth/me").bearer(&access).send().await.ok();
        (refresh, me["device"]["id"].as_str().unwrap().to_owned())
    };
    let dead = |refresh: String| async move {
        let answer = post(app, REFRESH, json!({ "refresh": refresh })).await;
        assert_eq!(answer.text, r#"{"detail":"Token is blacklisted","code":"token_not_valid"}"#);
        let answer = post(app, BLACKLIST, json!({ "refresh": refresh })).await;
        assert_eq!((answer.status, answer.json["detail"].as_str()), (401, Some("Token is blacklisted")));
    };
    let (refresh, device) = sign_in().await;
    let listed = phone.get(&format!("/api/v1/devices/{device}")).send().await.ok();
    assert_eq!(listed["kind"], "mobile", "named by its user agent: {listed}");
    phone.ask(Method::DELETE, &format!("/api/v1/devices/{device}")).send().await.ok();
    dead(refresh).await;
    let (refresh, _) = sign_in().await;
    phone.logout_others().await.ok();
    dead(refresh).await;
    let (refresh, _) = sign_in().await;
    let administrator = service.administrator().await;
    administrator.post("/api/v1/admin/users/alice/disable").send().await.ok();
    dead(refresh.clone()).await;
    administrator.post("/api/v1/admin/users/alice/enable").send().await.ok();
    dead(refresh).await;
    let (refresh, access) = obtain(app).await;
    let body = json!({"current_password": PASSWORD, "new_password": "another good one"});
    app.post("/api/v1/auth/password").bearer(&access).json(&body).send().await.ok();
    let answer = post(app, REFRESH, json!({ "refresh": refresh })).await;
    assert_eq!((answer.status, answer.json["detail"].as_str()), (401, Some("Token is blacklisted")));
}

#[tokio::test]
async fn tokens_are_verified_for_what_they_are_worth_now() {
    let service = with_alice_and_bob(&[]).await;
    let app = service.anonymous();
    let (refresh, access) = obtain(&app).await;
    let verify = |token: &str| post(&app, VERIFY, json!({ "token": token }));
    verify(&refresh).await.ok();
    verify(&access).await.ok();
    service.pass(901);
    let answer = verify(&access).await;
    assert_eq!(answer.text, r#"{"detail":"Token is expired","code":"token_not_valid"}"#);
    post(&app, BLACKLIST, json!({ "refresh": access })).await.refused_with(401, "token_not_valid");
    let fresh = post(&app, REFRESH, json!({ "refresh": refresh })).await.ok();
    post(&app, BLACKLIST, json!({ "refresh": refresh })).await.ok();
    verify(fresh["access"].as_str().unwrap()).await.refused_with(401, "token_not_valid");
    assert_eq!(verify(&refresh).await.text, r#"{"non_field_errors":["Token is blacklisted"]}"#);
}

#[tokio::test]
async fn what_the_library_does_not_say_has_its_form() {
    let service =
        Service::with(&[ON, ("sign_in_attempts_per_account", "1"), ("cors_origins", "https://app.example")])
            .await;
    service.phone("alice").await;
    let app = service.anonymous();
    let wrong = json!({"username": "alice", "password": "x"});
    post(&app, TOKEN, wrong.clone()).await;
    let limited = post(&app, TOKEN, wrong.clone()).await;
    assert_eq!(limited.status, 429);
    assert_eq!(limited.text, r#"{"detail":"Request was throttled. Expected available in 60 seconds."}"#);
    assert_eq!(limited.header("retry-after"), "60");
    let large = send(app.post(TOKEN).body("application/json", " ".repeat(16 * 1024 + 1))).await;
    assert_eq!(
        (large.status, large.text.as_str()),
        (413, r#"{"detail":"The body may have at most 16 KiB."}"#)
    );
    let list = send(app.post(TOKEN).json(&json!([1]))).await;
    assert_eq!(list.text, r#"{"non_field_errors":["Invalid data. Expected a dictionary, but got list."]}"#);
    let nothing = send(app.post(REFRESH)).await;
    assert_eq!(nothing.text, r#"{"refresh":["This field is required."]}"#);
    let multipart = "--x\r\nContent-Disposition: form-data; name=\"refresh\"\r\n\r\nabc\r\n--x--\r\n";
    let multipart = send(app.post(REFRESH).body("multipart/form-data; boundary=x", multipart)).await;
    assert_eq!(multipart.json["detail"], "Token is invalid");
    let cut = send(app.post(REFRESH).body("multipart/form-data; boundary=x", "--x\r\nhunter2")).await;
    assert_eq!((cut.status, cut.text.contains("hunter2")), (400, false));

    let preflight = app
        .ask(Method::OPTIONS, TOKEN)
        .header(header::ORIGIN, "https://app.example")
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST");
    let preflight = send(preflight).await;
    assert_eq!(
        (preflight.status, preflight.header("access-control-allow-origin")),
        (204, "https://app.example")
    );
    let page = send(app.post(TOKEN).header(header::ORIGIN, "https://app.example").json(&wrong)).await;
    assert_eq!(page.header("access-control-allow-origin"), "https://app.example");

    service.store.fail();
    let away = post(&app, REFRESH, json!({"refresh": "v4.local.x"})).await;
    assert_eq!(away.status, 503);
    assert!(away.json["detail"].is_string() && !away.header("retry-after").is_empty(), "{}", away.text);
}

#[tokio::test]
async fn the_routes_are_off_unless_a_prefix_is_set_and_are_counted_by_name() {
    let off = Service::start().await;
    let body = json!({"username": "alice", "password": PASSWORD});
    let answer = post(&off.anonymous(), TOKEN, body.clone()).await;
    assert_eq!(StatusCode::from_u16(answer.status).unwrap(), StatusCode::NOT_FOUND);
    let root = Service::with(&[("simplejwt_prefix", "/")]).await;
    root.phone("alice").await;
    post(&root.anonymous(), "/token/", body).await.ok();
    send(root.anonymous().get("/token/")).await;
    let figures = root.figures();
    assert!(figures.contains(r#"operation="simplejwtObtain",method="POST",status="200"} 1"#), "{figures}");
    assert!(figures.contains(r#"operation="unmatched",method="-",status="405"} 1"#), "{figures}");
}
