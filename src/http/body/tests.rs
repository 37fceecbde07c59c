use poem::{Endpoint, IntoEndpoint, test::TestClient};
use poem_openapi::{Object, OpenApi, OpenApiService, payload::PlainText};
use serde_json::json;

use super::*;

#[derive(Debug, Object)]
struct Login {
    username: String,
    password: String,
    /// A field with a description, for which the framework wraps the schema of the field in an `allOf`.
    device: Option<DeviceBody>,
}

#[derive(Debug, Object)]
struct DeviceBody {
    name: Option<String>,
}

#[derive(Debug, Object)]
struct Logout {
    refresh: Option<String>,
}

struct Api;

#[OpenApi]
#[expect(clippy::unused_async, reason = "the framework wants async methods")]
impl Api {
    #[oai(path = "/login", method = "post")]
    async fn login(&self, Body(login): Body<Login>) -> Result<PlainText<String>, Problem> {
        let device = login.device.and_then(|device| device.name);
        Ok(PlainText(format!("{} {} {device:?}", login.username, login.password.len())))
    }

    #[oai(path = "/logout", method = "post")]
    async fn logout(&self, LenientBody(logout): LenientBody<Logout>) -> Result<PlainText<String>, Problem> {
        Ok(PlainText(logout.refresh.unwrap_or_else(|| "nothing given".to_owned())))
    }
}

fn app() -> impl Endpoint {
    OpenApiService::new(Api, "test", "0").into_endpoint()
}

async fn post(path: &str, media: Option<&str>, body: impl Into<poem::Body>) -> (u16, String) {
    let client = TestClient::new(app());
    let mut request = client.post(path).body(body);
    if let Some(media) = media {
        request = request.header("content-type", media);
    }
    let response = request.send().await.0;
    (response.status().as_u16(), response.into_body().into_string().await.unwrap())
}

async fn refused(path: &str, body: impl Into<poem::Body>) -> Value {
    let (status, text) = post(path, Some("application/json"), body).await;
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["status"], status);
    value
}

#[tokio::test]
async fn a_good_body_reaches_the_handler_and_null_is_absent() {
    for media in ["application/json", "Application/JSON; charset=utf-8"] {
        let body = r#"{"username":"ada","password":"correct horse","device":null}"#;
        assert_eq!(post("/login", Some(media), body).await, (200, "ada 13 None".to_owned()));
    }
    let body = r#"{"username":"ada","password":"correct horse","device":{"name":null}}"#;
    assert_eq!(post("/login", Some("application/json"), body).await.0, 200);
}

#[tokio::test]
async fn everything_wrong_is_named_in_one_answer() {
    let body = r#"{"username":null,"password":["hunter2"],"device":{"name":5,"colour":1},"extra":0}"#;
    let problem = refused("/login", body).await;
    assert_eq!(problem["code"], "invalid_request");
    assert_eq!(
        problem["errors"],
        json!([
            {"field": "username", "code": "required"},
            {"field": "password", "code": "wrong_type"},
            {"field": "device.name", "code": "wrong_type"},
            {"field": "device.colour", "code": "unknown"},
            {"field": "extra", "code": "unknown"},
        ])
    );
    assert!(!problem.to_string().contains("hunter2"));
}

#[tokio::test]
async fn a_number_is_not_a_password() {
    let problem = refused("/login", r#"{"username":"ada","password":12345678,"device":[]}"#).await;
    assert_eq!(
        problem["errors"],
        json!([{"field": "password", "code": "wrong_type"}, {"field": "device", "code": "wrong_type"}])
    );
}

#[tokio::test]
async fn broken_json_is_located_and_not_quoted() {
    let problem = refused("/login", "{\"username\":\"ada\",\n \"password\": hunter2}").await;
    assert_eq!(problem["code"], "bad_json");
    assert_eq!(problem["detail"], "The body is not valid JSON at line 2, column 14.");
    assert_eq!(refused("/login", "").await["code"], "bad_json");
    assert_eq!(refused("/login", "[1]").await["errors"], json!([{"field": "body", "code": "wrong_type"}]));
}

#[tokio::test]
async fn another_media_type_is_refused() {
    for media in
        [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonp")]
    {
        assert_eq!(post("/login", media, "{}").await.0, 415, "{media:?}");
    }
}

#[tokio::test]
async fn a_body_is_read_to_its_limit_with_or_without_a_length() {
    let filled = |length: usize| {
        let frame = r#"{"refresh":""}"#.len();
        format!(r#"{{"refresh":"{}"}}"#, "x".repeat(length - frame))
    };
    assert_eq!(post("/logout", Some("application/json"), filled(LIMIT)).await.0, 200);
    assert_eq!(refused("/logout", filled(LIMIT + 1)).await["code"], "too_large");

    let endless = poem::Body::from_async_read(tokio::io::repeat(b' '));
    assert_eq!(refused("/logout", endless).await["code"], "too_large");

    let client = TestClient::new(app());
    let announced = client.post("/login").content_type("application/json").header("content-length", "16385");
    assert_eq!(announced.send().await.0.status(), 413);
}

#[tokio::test]
async fn an_empty_sign_out_is_spelled_in_many_ways() {
    let json = Some("application/json");
    for (media, body) in [
        (None, ""),
        (json, ""),
        (Some("text/plain"), ""),
        (json, " \n"),
        (json, "null"),
        (json, "{}"),
        (json, r#"{"refresh":null}"#),
        (json, r#"{"all_devices":false}"#),
    ] {
        assert_eq!(post("/logout", media, body).await, (200, "nothing given".to_owned()), "{media:?} {body}");
    }
    assert_eq!(post("/logout", json, r#"{"refresh":"r"}"#).await, (200, "r".to_owned()));
    assert_eq!(post("/logout", Some("text/plain"), r#"{"refresh":"r"}"#).await.0, 415);
    assert_eq!(refused("/logout", r#"{"refresh":5}"#).await["errors"][0]["field"], "refresh");
}

#[test]
fn the_document_shows_the_body_as_json() {
    let spec: Value = serde_json::from_str(&OpenApiService::new(Api, "test", "0").spec()).unwrap();
    let login = &spec["paths"]["/login"]["post"]["requestBody"];
    assert_eq!(login["required"], true);
    assert_eq!(login["content"]["application/json"]["schema"]["$ref"], "#/components/schemas/Login");
    assert_eq!(spec["paths"]["/logout"]["post"]["requestBody"]["required"], false);
    assert!(spec["components"]["schemas"]["Problem"]["properties"]["request_id"].is_object());
}
